"""A real curl in a censored network: it fails directly, and gets the page through the real gateway."""

import json
from pathlib import Path

import pytest

from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from tests.gateway.lab.home import BLOCKED, NAME_IN_DNS, PORT, PROXY, UPSTREAM, Censored

pytestmark = pytest.mark.namespaces


@pytest.mark.parametrize(
    ("scenario", "obstacle", "element"),
    [
        ("dns-injection-race", "dns_forgery", "doh:"),
        ("dns-nxdomain", "dns_forgery", "doh:"),
        ("sni-reset", "tls_name_reset", "tlsfrag:"),
        ("sni-reset-penalty", "tls_name_reset", "tlsfrag:"),
        ("sni-drop", "tls_name_silence", "tlsfrag:"),
        ("sni-parser-2024", "tls_name_silence", "split:|decoy:"),
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
        assert any(each in str(cold["way"]) for each in element.split("|")), "a decoy where raw sockets are allowed"
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
        assert home.curl(*PROXY, "-gk", f"{scheme}://[2606:2800:220:1::34]/")[1] == "200", "as an IPv6 address as well"


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
