"""The censor changes while the gateway is used: the next connection works, and nothing leaves in the clear."""

from pathlib import Path

import pytest

from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from tests.gateway.lab.home import BLOCKED, NAME_IN_DNS, PROXY, UPSTREAM, Censored

pytestmark = pytest.mark.namespaces

FROZEN = """
title = "After the name, so many bytes and no more"
about = "For this test: the answer begins, and stops in the middle."

[[source]]
url = "https://github.com/net4people/bbs/issues/490"
date = "2025"

[[knob]]
path = "rule[1].action.freeze.bytes"
why = "more than a handshake and less than the page"

[[rule]]
at = "border"
mode = "in-path"
match = { direction = "out", protocol = "tcp", tls.sni = ["blocked.example"] }
state = { scope = "flow" }
action = { freeze = { bytes = 16000, direction = "in" } }

[[expect]]
way = "plain"
outcome = "generic_timeout_error"
"""


def test_a_way_that_is_blocked_is_left_at_once(censored: Censored, lab: Lab) -> None:
    with censored("sni-reset", "--way", UPSTREAM) as home:
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
        assert "tlsfrag:" in str(home.event()["way"])
        lab.load(home.client, load_scenario("record-fragments-dropped"))
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
        assert "tlsfrag:" not in str(home.event()["way"])


def test_what_freezes_in_the_middle_goes_on_by_another_way_at_the_next_try(censored: Censored, tmp_path: Path) -> None:
    file = tmp_path / "frozen.toml"
    file.write_text(FROZEN)
    page = f"{BLOCKED}bytes/30000"
    with censored(str(file), "--way", UPSTREAM) as home:
        assert home.curl("-m", "4", *PROXY, page)[0] == 28
        assert home.event()["way"] == "tcp"
        assert home.curl(*PROXY, page) == (0, "200")
        assert home.event()["obstacle"] == "stall"


def test_what_crawls_is_left_while_it_still_runs(censored: Censored) -> None:
    page = f"{BLOCKED}bytes/200000"
    with censored("sni-throttled", "--way", UPSTREAM) as home:
        assert home.curl(*PROXY, "https://example.org/bytes/200000") == (0, "200"), "so fast is this line"
        assert home.event()["way"] == "tcp"
        slow = home.client.popen([home.program, "-sS", "-m", "20", *PROXY, "-o", "/dev/null", page])
        try:
            assert home.event()["way"] == "tcp"
            home.pause(6.5)
            assert slow.poll() is None, "it is still running"
            assert home.curl("-m", "8", *PROXY, page) == (0, "200")
            assert home.event()["obstacle"] == "throttling"
        finally:
            slow.kill()
            slow.wait()


def test_when_the_curfew_falls_it_is_said_and_what_is_domestic_goes_on(censored: Censored, lab: Lab) -> None:
    with censored("sni-reset", "--way", UPSTREAM) as home:
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
        lab.load(home.client, load_scenario("shutdown-domestic-stays"))
        assert home.curl(*PROXY, BLOCKED)[0] != 0
        assert home.curl(*PROXY, "https://domestic.example/") == (0, "200")
        lab.load(home.client, load_scenario("sni-reset"))
        home.pause(11)
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
    refused = [event for event in home.events if event["event"] == "refused"]
    assert [event["obstacle"] for event in refused] == ["domestic_only"]


def test_when_ways_die_the_name_is_not_shown_by_the_search_for_another(
    censored: Censored, lab: Lab, pcap: Path
) -> None:
    with censored("sni-reset", "--way", UPSTREAM) as home:
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
        lab.counters()
        before = pcap.stat().st_size
        for scenario in ("record-fragments-dropped", "address-drop", "no-network"):
            lab.load(home.client, load_scenario(scenario))
            came = home.curl(*PROXY, BLOCKED) == (0, "200")
            assert came is (scenario != "no-network")
    lab.counters()
    after = pcap.read_bytes()[before:]
    assert after, "the capture runs"
    assert b"blocked.example" not in after, "neither a ClientHello nor a request shows it whole"
    assert NAME_IN_DNS not in after


def test_what_a_client_does_not_believe_is_not_shown_to_it_again(censored: Censored) -> None:
    with censored("interception", "--way", UPSTREAM) as home:
        for _ in range(4):
            code, status = home.curl(*PROXY, BLOCKED)
            if code == 0:
                break
            assert code == 60, "a certificate of somebody else"
        assert (code, status) == (0, "200")
    opened = [(event["way"], event.get("obstacle", "")) for event in home.events if event["event"] == "opened"]
    assert opened[0] == ("tcp", "")
    assert opened[-1] == ("ss://***@45.76.10.11:8388|tcp", "tls_interception")


def test_a_service_that_turns_visitors_away_is_asked_from_abroad_when_somebody_asks_again(censored: Censored) -> None:
    page = "https://refuses.example/"
    with censored("sanctions-refusal", "--way", UPSTREAM) as home:
        assert home.curl(*PROXY, page) == (0, "403")
        home.pause(0.3)
        assert home.curl(*PROXY, page) == (0, "200")
        assert home.curl(*PROXY, page) == (0, "200"), "which is remembered"
    opened = [event.get("obstacle", "") for event in home.events if event["event"] == "opened"]
    assert opened == ["", "service_refusal", "service_refusal"]
