"""The page over real sockets: what it shows, what its forms do, and clients that behave badly."""

import html
import re
import urllib.parse
from pathlib import Path
from typing import Any

import anyio
import pytest

from rozaneh.gateway.page.server import Bounds
from rozaneh.gateway.stored import FILE
from rozaneh.net.real import RealNetwork
from tests.gateway.page.front import Front, rest, running

pytestmark = pytest.mark.anyio
LINK = "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388#mine"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def form(front: Front, cookie: str, page: str, **fields: str) -> tuple[int, dict[str, str], str]:
    _, _, shown = await front.ask("GET", f"{front.base}en/add", cookie=cookie)
    token = re.search(r'name="token" value="([^"]+)"', shown)
    assert token is not None
    body = urllib.parse.urlencode({"token": token[1], **fields})
    return await front.ask("POST", f"{front.base}en/{page}", body, cookie=cookie, origin=f"http://{front.place}")


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", ["Connections are broken off as soon as a blocked name is seen.", "from 16:00 to 24:00", "5 of 5 days"]),
        ("fa", ["۱۶:۰۰", "۱۴۰۱", 'dir="rtl"']),
    ],
)
async def test_it_says_whether_it_works_through_what_what_is_blocked_and_what_comes(
    language: str, says: list[str]
) -> None:
    async with running() as front:
        front.some_evening()
        cookie = await front.let_in()
        status, headers, text = await front.ask("GET", f"{front.base}{language}/status", cookie=cookie)
    assert status == 200
    plain = re.sub("[\u2066-\u2069]", "", html.unescape(text))
    for sentence in says:
        assert sentence in plain
    assert "ss://***@45.76.10.11:8388" in plain
    assert len(text.encode()) < 50_000
    assert "http-equiv" in text
    assert "<script" not in text
    assert not re.search(r'(src|href|action)="(?!/|data:,")', text), "everything is of this page"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_a_link_that_is_pasted_is_used_and_kept_and_a_bad_one_is_named(tmp_path: Path) -> None:
    async with running(tmp_path) as front:
        cookie = await front.let_in()
        status, headers, _ = await form(front, cookie, "add", links=f"\u200f {LINK}\nexec:sh -c id\n<b>vmess://x</b>")
        assert (status, headers["location"]) == (303, f"{front.base}en/status")
        _, _, shown = await front.ask("GET", headers["location"], cookie=cookie)
        assert "ss://***@45.76.10.11:8388" in html.unescape(shown)
        assert "Y2hhY2hh" not in shown
        assert "line 2" in shown
        assert "<b>" not in shown
        assert "1 server of yours" in shown
        _, _, again = await front.ask("GET", headers["location"], cookie=cookie)
        assert "line 2" not in again, "it is told once"
    kept = (tmp_path / FILE).read_text()
    assert "45.76.10.11" in kept
    assert "exec" not in kept


async def test_pause_and_wipe(tmp_path: Path) -> None:
    for name in ("memory.sqlite", "key", FILE, "not-ours"):
        (tmp_path / name).write_text("x")
    (tmp_path / "share" / "waiting").mkdir(parents=True)
    (tmp_path / "share" / "waiting" / "one.json").write_text("{}")
    elsewhere = tmp_path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "theirs").write_text("x")
    (tmp_path / "share" / "waiting" / "link").symlink_to(elsewhere / "theirs")
    (tmp_path / "share" / "folder").symlink_to(elsewhere)
    async with running(tmp_path) as front:
        front.some_evening()
        cookie = await front.let_in()
        await form(front, cookie, "pause")
        assert front.page.desk.switch.paused
        _, _, shown = await front.ask("GET", f"{front.base}en/status", cookie=cookie)
        assert "Paused" in shown
        await form(front, cookie, "resume")
        assert not front.page.desk.switch.paused
        await form(front, cookie, "wipe")
        assert names(tmp_path) == ["not-ours", FILE]
        assert names(elsewhere) == ["theirs"], "links are not followed"
        await form(front, cookie, "wipe", servers="yes")
        _, _, shown = await front.ask("GET", f"{front.base}en/status", cookie=cookie)
        assert "Nothing that was asked for" in shown
        assert "Not known" in shown


async def test_what_is_not_a_request_of_this_page_gets_one_line_and_no_hint() -> None:
    async with running() as front:
        cookie = await front.let_in()
        base, place = front.base, front.place
        ask, own = f"Host: {place}\r\nCookie: {cookie}\r\n", f"Origin: http://{place}\r\n"
        kind = "Content-Type: application/x-www-form-urlencoded\r\n"
        for data, status in [
            (f"GET {base}en/status HTTP/1.1\r\nHost: {place}\r\n\r\n", 403),
            (f"GET / HTTP/1.1\r\nHost: {place}\r\n\r\n", 404),
            (f"GET http://{place}{base}en/status HTTP/1.1\r\n{ask}\r\n", 400),
            (f"GET {base}en/status HTTP/1.1\r\nHost: {place}\r\n{ask}\r\n", 400),
            (f"GET {base}en/status HTTP/1.0\r\nCookie: {cookie}\r\n\r\n", 421),
            (f"GET {base}en/../en/status HTTP/1.1\r\n{ask}\r\n", 400),
            (f"GET {base}xx/status HTTP/1.1\r\n{ask}\r\n", 404),
            (f"GET {base}en/none HTTP/1.1\r\n{ask}\r\n", 404),
            (f"DELETE {base}en/status HTTP/1.1\r\n{ask}\r\n", 400),
            (f"GET {base}en/status HTTP/1.1\r\n{ask}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 400),
            (f"POST {base}en/wipe HTTP/1.1\r\n{ask}{own}{kind}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            (f"POST {base}en/wipe HTTP/1.1\r\n{ask}{own}Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n", 400),
            (f"POST {base}en/wipe HTTP/1.1\r\n{ask}{own}{kind}Content-Length: 0\r\n\r\n", 403),
            (f"GET {base}en/status HTTP/1.1\r\nHost: {place}\r\nCookie: {'x' * 20_000}\r\n\r\n", 400),
            (f"POST {base}en/add HTTP/1.1\r\n{ask}{kind}Content-Length: 90000\r\n\r\n{'a' * 90_000}", 400),
            ("\x05\x01\x00", 400),
            ("\x16\x03\x01\x02\x00", 400),
        ]:
            answer = await front.raw(data.encode("latin-1"), ends=True)
            first, _, body = answer.partition(b"\r\n\r\n")
            assert first.split(b" ")[1] == str(status).encode(), (data, answer)
            assert body.count(b"\n") == 1
            assert b"Set-Cookie" not in first
        assert not front.page.desk.switch.paused


async def test_slow_and_many_clients_do_not_keep_others_out() -> None:
    async with running(bounds=Bounds(connections=8, reading=0.3)) as front:
        address, _, port = front.place.rpartition(":")
        slow = [await RealNetwork().connect_tcp(address, int(port)) for _ in range(20)]
        for stream in slow[:8]:
            await stream.send(b"GET / HT")
        ended = [await rest(stream) for stream in slow]
        assert {bytes(each[:12]) for each in ended} <= {b"", b"HTTP/1.1 400"}
        assert (await front.ask("GET", "/"))[0] == 404
        for stream in slow:
            await anyio.aclose_forcefully(stream)
