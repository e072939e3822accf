"""The page in a real Chromium of a phone's size, in both directions, and what another page can do to it."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.from_thread
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of, url_contains
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import chromium
from tests.codes import read as seen
from tests.gateway.page.front import Front, running
from tests.legible import complaints
from tests.photos import photo

SHARED = "socks5://rozaneh:x-3_yQ9@192.168.1.5:1080"


@contextlib.contextmanager
def served(folder: Path, *, evening: bool = False) -> Iterator[Front]:
    """The page, served from another thread's event loop."""
    with (
        anyio.from_thread.start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(running(folder)) as front,
    ):
        if evening:
            portal.call(front.some_evening)
        yield front


@contextlib.contextmanager
def hostile(page: str) -> Iterator[str]:
    """Another server on this machine with a page of its own; it keeps the cookies that it is sent."""

    class Handler(http.server.BaseHTTPRequestHandler):
        cookies: list[str] = []  # noqa: RUF012 - one for the class, which lives for one test

        def do_GET(self) -> None:
            self.cookies.append(self.headers.get("Cookie", ""))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        assert not any(Handler.cookies), "the cookie of the page went to another server of the same address"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def errors(browser: Chrome) -> list[str]:
    log: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]  # selenium leaves it so
    return [entry["message"] for entry in log]


def scripts(browser: Chrome, *, allowed: bool) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not allowed})


def press(browser: Chrome, selector: str) -> None:
    """Press something, and wait until another page has come."""
    before = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(By.CSS_SELECTOR, selector).click()
    WebDriverWait(browser, 20).until(staleness_of(before))


def test_a_person_with_a_phone_sees_adds_pauses_and_wipes(peer: Callable[[str], str], tmp_path: Path) -> None:
    programs, zbarimg = (peer("chromium"), peer("chromedriver")), peer("zbarimg")
    with served(tmp_path, evening=True) as front, chromium(*programs) as browser:
        front.page.desk.shared = SHARED
        scripts(browser, allowed=False)
        browser.get(front.page.guard.link())
        WebDriverWait(browser, 20).until(url_contains("/status"))  # by itself, after a second
        for language, direction in (("en", "ltr"), ("fa", "rtl")):
            browser.get(f"http://{front.place}{front.base}{language}/status")
            body = browser.find_element(By.TAG_NAME, "body")
            assert body.value_of_css_property("direction") == direction
            shown = body.text
            scripts(browser, allowed=True)
            for page in ("add", "share", "wipe", "status"):
                browser.get(f"http://{front.place}{front.base}{language}/{page}")
                assert complaints(browser, 1280, 800) == [], page
                assert complaints(browser, 360, 740) == [], page
            loaded = browser.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
            assert loaded == [], "one file is the page"
            scripts(browser, allowed=False)
            assert browser.find_elements(By.TAG_NAME, "svg") == []
            browser.get(f"http://{front.place}{front.base}{language}/share")
            browser.get_screenshot_as_file(str(tmp_path / "share.png"))
            assert seen(zbarimg, tmp_path / "share.png") == [SHARED], "a phone's camera reads it"
            (tmp_path / "share.png").unlink()
            browser.get(f"http://{front.place}{front.base}{language}/status")
        assert "۱۶:۰۰" in shown
        press(browser, "a[href$='fa/add']")
        box = browser.find_element(By.NAME, "links")
        box.send_keys("ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388")
        (folder := tmp_path.parent / "camera").mkdir()
        (folder / "photo.jpg").write_bytes(photo("trojan://x@203.0.113.5:443?sni=a.example"))
        browser.find_element(By.NAME, "picture").send_keys(str(folder / "photo.jpg"))
        press(browser, "button")
        notes = [each.text for each in browser.find_elements(By.CLASS_NAME, "note")]
        assert [note.startswith("افزوده شد") for note in notes] == [True, True]
        assert "203.0.113.5" in notes[1]
        press(browser, "button")
        assert front.page.desk.switch.paused
        press(browser, "button")
        assert not front.page.desk.switch.paused
        press(browser, "a[href$='fa/wipe']")
        browser.find_element(By.ID, "servers").click()
        press(browser, "button.bad")
        assert list(tmp_path.iterdir()) == []
        assert errors(browser) == []


def test_another_page_reads_nothing_sends_nothing_and_gets_no_cookie(
    peer: Callable[[str], str], tmp_path: Path
) -> None:
    programs = peer("chromium"), peer("chromedriver")
    with served(tmp_path) as front, chromium(*programs) as browser:
        here = f"http://{front.place}{front.base}en"
        attack = f"""<form id=f method=post action="{here}/pause"><input name=token value=x></form>
            <iframe src="{here}/status"></iframe><img src="{here}/status"><script src="{here}/status"></script>
            <script>document.title = "no"; fetch("{here}/status", {{credentials: "include"}})
            .then(a => a.text()).then(t => document.title = "read " + t.length, e => document.title = "kept out");
            new WebSocket("{here.replace("http", "ws")}/status").onopen = () => document.title = "socket";</script>"""
        browser.get(front.page.guard.link())
        browser.get(f"{here}/status")
        assert "Ready" in browser.find_element(By.TAG_NAME, "h1").text
        with hostile(attack) as elsewhere:
            stranger = tmp_path / "page.html"
            stranger.write_text(attack)
            for address in (elsewhere, stranger.as_uri()):
                browser.get(address)
                WebDriverWait(browser, 20).until(lambda one: one.title != "no")
                assert browser.title == "kept out"
                before = browser.find_element(By.TAG_NAME, "html")
                browser.execute_script("document.getElementById('f').submit()")
                WebDriverWait(browser, 20).until(staleness_of(before))
                assert "another page may not ask" in browser.find_element(By.TAG_NAME, "body").text
                assert not front.page.desk.switch.paused
        browser.get(f"{here}/status")
        assert "Ready" in browser.find_element(By.TAG_NAME, "h1").text
