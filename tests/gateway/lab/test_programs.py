"""Programs of other people in a censored home: Chromium, ss-local, and phones while the gateway is replaced."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from tests.gateway.lab.home import BLOCKED, PORT, PROXY, Censored, Home

pytestmark = pytest.mark.namespaces

# A phone: a transfer of its own that runs all the time; and it comes again and again to both doors of this machine,
# until its input ends. Then it takes the rest of its transfer.
_PHONE = """
import json, select, socket, sys
port, address, name, password = int(sys.argv[1]), *(word.encode() for word in sys.argv[2:])
running = socket.create_connection((address, port), 30)
running.sendall(b"\\5\\1\\2\\1" + bytes([len(name)]) + name + bytes([len(password)]) + password)
running.sendall(b"\\5\\1\\0\\3\\x0bexample.org\\0\\x50GET /bytes/3000000 HTTP/1.0\\r\\nHost: example.org\\r\\n\\r\\n")
came = 0
while came < 1000 and (more := running.recv(1000)):
    came += len(more)
seen = {"turned away": 0, "let in": 0}
print(json.dumps({"runs": came >= 1000}), flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    for place, offer in (("127.0.0.1", b"\\5\\1\\0"), (address, b"\\5\\1\\2")):
        try:
            with socket.create_connection((place, port), 20) as door:
                door.sendall(offer)
                seen["let in" if door.recv(2) == offer[::2] else "turned away"] += 1
        except OSError:
            seen["turned away"] += 1
while more := running.recv(1 << 16):
    came += len(more)
print(json.dumps({**seen, "came": came}))
"""


def chromium(home: Home, program: str, certutil: str, folder: Path, *options: str) -> str:
    """What a page holds once Chromium has loaded it; it believes the lab's authority as a person's browser would."""
    trusted = folder / ".pki" / "nssdb"
    if not trusted.exists():
        trusted.mkdir(parents=True)
        authority = home.client.environment()["SSL_CERT_FILE"]
        for words in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "lab", "-i", authority]):
            subprocess.run([certutil, "-d", f"sql:{trusted}", *words], check=True, timeout=30)
    options = (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update",
        f"--user-data-dir={folder / 'profile'}", *options,
    )  # fmt: skip
    return home.client.run([program, *options, "--dump-dom", BLOCKED], env={"HOME": str(folder)}).stdout


def test_chromium_shows_a_blocked_page_by_socks_and_by_the_pac_file(
    censored: Censored, peer: Callable[[str], str], tmp_path: Path
) -> None:
    browser, certutil = peer("chromium"), peer("certutil")
    with censored("sni-reset") as home:
        by = (f"--proxy-server=socks5://127.0.0.1:{PORT}", f"--proxy-pac-url=http://127.0.0.1:{PORT}/proxy.pac")
        for option in by:
            page = chromium(home, browser, certutil, tmp_path, option)
            assert "<h1>rozaneh lab: blocked.example</h1>" in page
            assert "paragraph 24" in page
            opened = home.event()
            while opened.get("obstacle") != "tls_name_reset":
                opened = home.event()
            assert "tlsfrag:" in str(opened["way"])


def test_ss_local_carries_what_is_blocked(censored: Censored, peer: Callable[[str], str]) -> None:
    """A real client of Shadowsocks in the home, and the gateway in front of it."""
    with censored("address-drop", "--way", "socks5://127.0.0.1:1086") as home:
        server = urlsplit("//x@45.76.10.11:8388")
        words = [peer("ss-local"), "-s", str(server.hostname), "-p", str(server.port), "-b", "127.0.0.1", "-l", "1086"]
        local = home.client.popen([*words, "-k", "lab", "-m", "chacha20-ietf-poly1305"], stderr=subprocess.DEVNULL)
        try:
            assert home.curl(*PROXY, "--retry", "3", "--retry-all-errors", BLOCKED) == (0, "200")
        finally:
            local.kill()
            local.wait()
    assert any(event.get("way") == "socks5://127.0.0.1:1086|tcp" for event in home.events)


def test_phones_go_on_while_the_gateway_is_replaced(lab: Lab, peer: Callable[[str], str], tmp_path: Path) -> None:
    with lab.client("mobile", load_scenario("sni-reset")) as client, ExitStack() as undo:
        address = client.addresses[0]
        first, second = (Home(client, peer("curl")) for _ in range(2))
        options = ("--state", str(tmp_path / "state"), "--share", address)
        first.start(*options)
        undo.callback(first.kill)
        link = urlsplit(str(first.next()["link"]))
        phone = client.popen(
            [sys.executable, "-c", _PHONE, PORT, address, str(link.username), str(link.password)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        undo.callback(phone.kill)
        assert phone.stdout is not None
        assert json.loads(phone.stdout.readline())["runs"]
        second.start("--replace", *options)
        undo.callback(second.stop)
        assert urlsplit(str(second.next()["link"])).password == link.password
        by_phone = f"socks5h://{link.username}:{link.password}@{address}:{PORT}"
        assert second.curl("--proxy", by_phone, BLOCKED) == (0, "200")
        seen = json.loads(phone.communicate(timeout=30)[0])
        assert seen["let in"] > 20
        assert not seen["turned away"]
        assert seen["came"] > 3_000_000, "what runs is not cut"
