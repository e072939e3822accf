"""A real curl in a censored network: it fails directly, and gets the page through the real gateway."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rozaneh.lab.lab import Lab, LabClient
from rozaneh.lab.scenario import load_scenario

pytestmark = pytest.mark.namespaces

PORT = "1080"
PROXY = ("--socks5-hostname", f"127.0.0.1:{PORT}")
UPSTREAM = "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388"
BLOCKED = "https://blocked.example/"
NAME_IN_DNS = b"\x07blocked\x07example\x00"


@pytest.fixture(scope="module")
def pcap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pcap") / "home.pcap"


@pytest.fixture(scope="module")
def lab(pcap: Path) -> Iterator[Lab]:
    with Lab(pcap=pcap) as lab:
        yield lab


class Home:
    """A home in a censored network with the gateway running in it."""

    def __init__(self, client: LabClient, curl: str) -> None:
        self.client = client
        self.events: list[dict[str, object]] = []
        self._curl = curl
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        argv = [sys.executable, "-m", "rozaneh.cli", "up", "--port", PORT, "--json", *options]
        self._process = self.client.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._next()["event"] == "listening"

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            out, err = self._process.communicate(timeout=20)
            self.events += [json.loads(line) for line in out.splitlines()]
            assert self._process.returncode == 0
            assert err == b""

    def curl(self, *arguments: str) -> tuple[int, str]:
        """Its exit status, and the HTTP status that it saw."""
        argv = [self._curl, "-sS", "-m", "12", "-o", "/dev/null", "-w", "%{http_code}", *arguments]
        done = self.client.run(argv, timeout=30)
        return done.returncode, done.stdout

    def event(self) -> dict[str, object]:
        """The next connection that was made or refused."""
        while True:
            event = self._next()
            if event["event"] in ("opened", "refused"):
                return event

    def _next(self) -> dict[str, object]:
        assert self._process is not None
        assert self._process.stdout is not None
        event: dict[str, object] = json.loads(self._process.stdout.readline())
        self.events.append(event)
        return event


Censored = Callable[..., "contextlib.AbstractContextManager[Home]"]


@pytest.fixture
def censored(lab: Lab, peer: Callable[[str], str], tmp_path: Path) -> Censored:
    curl = peer("curl")

    @contextlib.contextmanager
    def censored(scenario: str, *options: str) -> Iterator[Home]:
        client = lab.client("mobile", load_scenario(scenario))
        home = Home(client, curl)
        try:
            home.start("--state", str(tmp_path / "state"), *options)
            yield home
        finally:
            home.stop()
            client.close()

    return censored


@pytest.mark.parametrize(
    ("scenario", "obstacle", "element"),
    [
        ("dns-injection-race", "dns_forgery", "doh:"),
        ("dns-nxdomain", "dns_forgery", "doh:"),
        ("sni-reset", "tls_name_reset", "tlsfrag:"),
        ("sni-reset-penalty", "tls_name_reset", "tlsfrag:"),
        ("sni-drop", "tls_name_silence", "tlsfrag:"),
        ("sni-parser-2024", "tls_name_silence", "split:"),
        ("record-fragments-dropped", "tls_name_reset", "split:"),
        ("address-drop", "address_black_hole", "ss:"),
        ("address-reset", "address_refused", "ss:"),
        ("server-hello-dropped", "tls_name_silence", "ss:"),
        ("dns-and-tls", "", ""),
    ],
)
def test_what_curl_does_not_get_directly_it_gets_through_the_gateway(
    censored: Censored, scenario: str, obstacle: str, element: str
) -> None:
    with censored(scenario, "--way", UPSTREAM) as home:
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
        cold = home.event()
        assert obstacle in str(cold["obstacle"])
        assert element in str(cold["way"])
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
        warm = home.event()
        assert warm.get("tried", 1) == 1, "what worked is known"
        # Last, because some obstacles go on punishing the address that they struck at.
        assert home.curl("-m", "1", BLOCKED)[1] == "000"
    shown = json.dumps(home.events)
    assert "blocked.example" not in shown
    assert "Y2hhY2hhMjAt" not in shown


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_what_is_not_blocked_goes_directly(censored: Censored, scheme: str) -> None:
    with censored("sni-reset", "--way", UPSTREAM) as home:
        assert home.curl(*PROXY, f"{scheme}://example.org/") == (0, "200")
        opened = home.event()
        assert (opened["way"], opened.get("obstacle", ""), opened.get("tried", 1)) == ("tcp", "", 1)


def test_http_connect_gets_through_as_well(censored: Censored) -> None:
    with censored("sni-reset") as home:
        assert home.curl("-x", f"http://127.0.0.1:{PORT}", BLOCKED) == (0, "200")


def test_a_block_page_does_not_reach_the_client(censored: Censored) -> None:
    with censored("http-403") as home:
        assert home.curl("http://blocked.example/")[1] == "403"
        assert home.curl(*PROXY, "http://blocked.example/") == (0, "200")


def test_without_a_way_the_refusal_says_what_it_is(censored: Censored) -> None:
    with censored("address-drop") as home:
        assert home.curl(*PROXY, BLOCKED)[0] != 0
        refused = home.event()
        assert refused["event"] == "refused"
        assert refused["obstacle"] == "address_black_hole"
        assert refused["needs_upstream"] is True


@pytest.mark.parametrize("scenario", ["no-network", "shutdown-domestic-stays"])
def test_when_nothing_abroad_answers_it_is_said_soon(censored: Censored, scenario: str) -> None:
    with censored(scenario, "--way", UPSTREAM) as home:
        if scenario == "shutdown-domestic-stays":
            assert home.curl(*PROXY, "https://domestic.example/") == (0, "200")
            assert home.event()["event"] == "opened"
        assert home.curl(*PROXY, BLOCKED)[0] != 0
        refused = home.event()
        expected = {"no-network": "whole_outage", "shutdown-domestic-stays": "domestic_only"}
        assert refused["obstacle"] == expected[scenario]
        assert home.curl(*PROXY, "http://example.org/")[1] == "502", "a page in the clear explains"


def test_a_known_name_is_never_asked_for_in_the_clear_again_even_when_all_ways_die(
    censored: Censored, lab: Lab, pcap: Path
) -> None:
    with censored("dns-injection-race", "--way", UPSTREAM) as home:
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
        before = pcap.stat().st_size
        for _ in range(2):
            assert home.curl(*PROXY, BLOCKED) == (0, "200")
        lab.load(home.client, load_scenario("no-network"))
        assert home.curl(*PROXY, BLOCKED)[0] != 0
    lab.counters()
    after = pcap.read_bytes()[before:]
    assert after, "the capture runs"
    assert NAME_IN_DNS not in after


def test_what_worked_is_kept_without_a_host_or_an_address(censored: Censored, tmp_path: Path) -> None:
    with censored("address-drop", "--way", UPSTREAM) as home:
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert b"address_black_hole" in kept
    for secret in (b"blocked", b"93.184", b"45.76", b"relay", b"Y2hh"):
        assert secret not in kept
