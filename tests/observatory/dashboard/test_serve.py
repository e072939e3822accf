"""The server on a real socket, asked by this process and by a real Chromium."""

import contextlib
import http.client
import posixpath
import queue
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn

from rozaneh.core import LocalFault
from rozaneh.observatory.dashboard.patience import Patience
from rozaneh.observatory.dashboard.publish import publish
from rozaneh.observatory.dashboard.serve import application, serve
from rozaneh.observatory.dashboard.site import Site
from tests.browser import chromium
from tests.observatory.dashboard import autumn

PARTS = (b"", b"GET / HT", b"GET /data/none.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /")


class Hurried(Patience):
    """Waits a second where a minute would do as well."""

    asking, answering, most = 1.0, 20.0, 16


@pytest.fixture(scope="module")
def site() -> Site:
    return autumn.site(interactive=True)


class Few(Patience):
    """Waits as long as none of these tests does, for two."""

    most = 2


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    with serving(site, Hurried) as where:
        yield where


@contextlib.contextmanager
def serving(site: Site, how: type[Patience]) -> Iterator[str]:
    """A server of its own, and where it listens."""
    config = uvicorn.Config(application(lambda: site), host="127.0.0.1", port=0, log_level="error", http=how, ws="none")
    server = uvicorn.Server(config)
    told: queue.Queue[str] = queue.Queue()
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            with contextlib.suppress(queue.Empty):
                told.get(timeout=0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def ask(address: str, path: str, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    where = urlsplit(address)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=20)
    connection.request(method, path, headers={"Host": f"{host}:{where.port}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


def test_a_page_comes_with_a_policy_that_lets_nothing_in(address: str, site: Site) -> None:
    status, headers, body = ask(address, "/fa/IR/index.html")
    page = site.page("fa/IR/index.html")
    assert page is not None
    assert (status, body) == (200, page.body)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "host", "method", "status"),
    [
        ("/", "127.0.0.1", "GET", 307),
        ("/en/IR/", "127.0.0.1", "GET", 307),
        ("/data/none.json", "127.0.0.1", "GET", 404),
        ("/..%2f..%2fetc%2fpasswd", "127.0.0.1", "GET", 404),
        ("/" + "a" * 5000, "127.0.0.1", "GET", 404),
        ("/en/index.html", "evil.example", "GET", 400),
        ("/en/index.html", "127.0.0.1.evil.example", "GET", 400),
        ("/en/index.html", "127.0.0.1", "POST", 405),
    ],
)
def test_what_is_not_there_or_not_ours_is_refused_in_a_line(
    address: str, path: str, host: str, method: str, status: int
) -> None:
    got, headers, body = ask(address, path, host, method)
    assert got == status
    assert len(body) < 100
    assert not headers.get("location", "/").startswith("//")


def test_more_connections_than_there_is_room_for_are_closed_unheard(site: Site) -> None:
    with serving(site, Few) as where, contextlib.ExitStack() as held:
        place = (urlsplit(where).hostname, urlsplit(where).port)
        ends: list[bytes] = []
        for _ in range(3):
            ends.append(b"")
            connection = held.enter_context(socket.create_connection(place, timeout=5))
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /data/none.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                ends[-1] = connection.recv(12)
        assert ends == [b"HTTP/1.1 404", b"HTTP/1.1 404", b""]


def test_those_who_say_nothing_or_a_part_keep_nobody_out(address: str) -> None:
    where = urlsplit(address)
    with contextlib.ExitStack() as all_of_them:
        silent = [
            all_of_them.enter_context(socket.create_connection((str(where.hostname), where.port), timeout=20))
            for _ in range(40)
        ]
        for number, one in enumerate(silent):
            with contextlib.suppress(OSError):  # those who are too many are closed at once
                one.sendall(PARTS[number % len(PARTS)])
        for one in silent:
            with contextlib.suppress(ConnectionResetError):
                while one.recv(4096):
                    continue
    assert ask(address, "/data/none.json")[0] == 404


def test_it_serves_at_the_port_that_is_asked_for_until_it_is_interrupted(site: Site) -> None:
    def started(where: str) -> None:
        assert where == f"http://127.0.0.1:{port}/"
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
        signal.raise_signal(signal.SIGINT)

    def never(_: str) -> None:
        raise AssertionError

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(KeyboardInterrupt):
        serve(lambda: site, "127.0.0.1", port, started, never)


@pytest.mark.parametrize("host", ["127.0.0.1", "x" * 64])
def test_where_it_cannot_listen_is_said_with_what_to_do(host: str, site: Site) -> None:
    def never(_: str) -> None:
        raise AssertionError

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalFault, match=f"cannot listen on {host}, port {port}: .+; choose others with --host"):
            serve(lambda: site, host, port, never, never)


@pytest.mark.parametrize(
    ("path", "title"), [("/en/none.html", "No such page"), ("/fa/IR/x/y.html", "چنین صفحه‌ای نیست")]
)
def test_where_there_is_nothing_a_page_says_so_and_leads_on(address: str, path: str, title: str, site: Site) -> None:
    status, headers, body = ask(address, path)
    assert status == 404
    assert "default-src 'none'" in headers["content-security-policy"]
    assert f"<h1>{title}</h1>" in body.decode()
    for link in re.findall(r'href="([^"]+)"', body.decode()):
        there = posixpath.normpath(posixpath.join(posixpath.dirname(path.lstrip("/")), link))
        assert site.page(there) is not None, link


def test_what_is_served_is_what_is_published(address: str, tmp_path: Path, site: Site) -> None:
    publish(autumn.site(), tmp_path / "stick", lambda _done, _of: None)
    files = [path for path in (tmp_path / "stick").rglob("*.*") if path.name[0] != "." and path.name != "search.html"]
    assert len(files) > 30
    for path in files[::6]:
        status, _, body = ask(address, f"/{path.relative_to(tmp_path / 'stick')}")
        assert (status, body) == (200, path.read_bytes())
    for machine in ("data/openapi.json", "data/IR/hours.json", "data/events.csv", "feed.fa.atom"):
        status, headers, body = ask(address, f"/{machine}")
        page = site.page(machine)
        assert page is not None
        assert (status, headers["content-type"], body) == (200, page.kind, page.body)
    assert ask(address, "/data/XX/hours.json")[1]["content-type"] == "text/plain; charset=utf-8", "as is described"


def test_a_phone_shows_it_in_both_directions(address: str, peer: Callable[[str], str], tmp_path: Path) -> None:
    with chromium(peer("chromium"), peer("chromedriver")) as browser:
        for language, direction in (("fa", "rtl"), ("en", "ltr")):
            browser.get(f"{address}/{language}/IR/index.html")
            assert browser.execute_script("return getComputedStyle(document.body).direction") == direction
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, "nothing sticks out"
            assert (
                browser.execute_script("return getComputedStyle(document.querySelector('svg.heat')).direction") == "ltr"
            )
            assert browser.execute_script("return document.querySelectorAll('svg.heat path').length") > 3
            loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
            assert loaded == [], "one file is the page"
        log: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]  # selenium leaves it so
        errors = [entry for entry in log if "favicon" not in entry["message"]]
        assert errors == []
        browser.get(f"{address}/en/search.html")
        box = browser.find_element("name", "q")
        box.send_keys('<img src=x onerror="document.title=1">')
        box.submit()
        assert "Search" in browser.title
        publish(autumn.site(), tmp_path / "stick", lambda _done, _of: None)
        browser.get((tmp_path / "stick" / "fa" / "IR" / "index.html").as_uri())
        assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 253, 248)"
        browser.find_element("partial link text", "English").click()
        assert browser.execute_script("return document.documentElement.lang") == "en"
