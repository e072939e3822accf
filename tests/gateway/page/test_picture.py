"""A picture of a QR code on the status page: what is in it is used like what is pasted, by nobody but this browser."""

import html
import re
from pathlib import Path
from typing import Any

import pytest

from rozaneh.gateway.stored import FILE
from rozaneh.links.parts import split
from tests.gateway.page.front import Front, running
from tests.photos import photo

pytestmark = pytest.mark.anyio
LINK = "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388#mine"
BOUNDARY = "----WebKitFormBoundaryAbCdEfGhIjKlMnOp"
KIND = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def sent(token: str, picture: bytes, links: str = "") -> bytes:
    """The body that a browser makes of the form."""
    field = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="'
    fields = "".join(f'{field}{name}"\r\n\r\n{value}\r\n' for name, value in (("token", token), ("links", links)))
    file = f'{field}picture"; filename="IMG 1.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return f"{fields}{file}".encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


class Phone:
    """A browser that was let in, and its form."""

    def __init__(self, front: Front, cookie: str, token: str) -> None:
        self.front = front
        self.cookie = cookie
        self.token = token

    async def post(self, body: bytes, language: str = "en", **headers: str) -> tuple[int, str]:
        own = {"cookie": self.cookie, "origin": f"http://{self.front.place}", "content_type": KIND} | headers
        status, _, text = await self.front.ask("POST", f"{self.front.base}{language}/add", body, **own)
        return status, html.unescape(text)

    async def add(self, picture: bytes, links: str = "", language: str = "en") -> str:
        """What the page says after a picture was sent."""
        assert (await self.post(sent(self.token, picture, links), language))[0] == 303
        _, _, shown = await self.front.ask("GET", f"{self.front.base}{language}/status", cookie=self.cookie)
        return re.sub("[\u2066-\u2069]", "", html.unescape(shown))


async def phone(front: Front) -> Phone:
    cookie = await front.let_in()
    _, _, shown = await front.ask("GET", f"{front.base}en/add", cookie=cookie)
    token = re.search(r'name="token" value="([^"]+)"', shown)
    assert token is not None
    assert 'type="file"' in shown
    return Phone(front, cookie, token[1])


async def test_what_a_code_says_is_used_like_what_is_pasted_and_starts_no_program(tmp_path: Path) -> None:
    async with running(tmp_path) as front:
        browser = await phone(front)
        shown = await browser.add(photo(LINK, "exec:sh -c id"), "socks5://192.0.2.7:1080")
        for said in ("ss://***@45.76.10.11:8388", "socks5://192.0.2.7:1080", "would start a program"):
            assert said in shown
        assert "2 servers of yours" in shown
        assert names(tmp_path) == [FILE], "the picture is nowhere"
        for language, says in (("en", "Hold the phone closer"), ("fa", "نزدیک")):
            assert says in await browser.add(photo(), language=language)
        assert "JPEG, PNG or WebP" in await browser.add(b"GIF89a")
    assert "exec" not in (tmp_path / FILE).read_text()


async def test_codes_that_belong_together_may_come_in_several_pictures(tmp_path: Path) -> None:
    text = "\n".join(f"socks5://h{number}.example:1080" for number in range(60))
    first, second, third = split(text)
    async with running(tmp_path) as front:
        browser = await phone(front)
        assert "are missing: 1, 2" in await browser.add(photo(third))
        shown = await browser.add(photo(first, third))
        assert "Take a picture of the others too" in shown
        assert "are missing: 2" in shown
        assert "60 servers of yours" in await browser.add(photo(second))
        await browser.add(photo(first))
        front.page.desk.wipe(servers=True)
        assert "are missing: 1, 2" in await browser.add(photo(third)), "what waited is forgotten"


async def test_a_large_form_is_taken_from_nobody_else_and_its_token_is_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path) as front:
        browser = await phone(front)
        small, large = sent(browser.token, b"GIF"), sent(browser.token, photo(LINK))
        assert len(large) > 64 * 1024
        for status, body, headers in [
            (403, sent("x", photo(LINK)), {}),
            (403, small, {"origin": "http://127.0.0.1:1"}),
            (403, small, {"sec_fetch_site": "cross-site"}),
            (421, small, {"host": "localhost"}),
            (400, large, {"origin": "http://127.0.0.1:1"}),
            (400, large, {"cookie": "rozaneh=x"}),
            (400, large, {"host": "localhost"}),
            (400, large[:-8], {}),
            (400, small, {"content_type": "multipart/form-data"}),
            (400, small + b"--" + small, {}),
            (303, large, {}),
        ]:
            assert (await browser.post(body, **headers))[0] == status, headers
        assert len(front.page.desk.look().state.ways) == 0
        status, text = await browser.post(sent(browser.token, bytes(9 << 20)), "fa")
        assert (status, "۸" in text) == (413, True)
        front.page._uploading = True
        status, text = await browser.post(large)
        assert (status, "Another picture is being read" in text) == (503, True)
        assert (await browser.post(sent(browser.token, b"", LINK)))[0] == 303, "pasting goes on meanwhile"
