"""Each experiment where it has something to find, and where it has not."""

from collections.abc import Iterator
from dataclasses import dataclass

import anyio
import pytest

from rozaneh.core import Failure, LocalFault
from rozaneh.diagnosis import Mechanism, Outcome, Who
from rozaneh.lab import Lab, world_for
from rozaneh.lab.scenario import Scenario, load_scenario, parse_scenario
from rozaneh.lab.topology import Link
from rozaneh.probe import vantages
from rozaneh.probe.experiments import EXPERIMENTS, Finding, Trials, named, run
from rozaneh.probe.experiments.hops import Hops
from rozaneh.probe.experiments.messengers import FacebookMessenger, Signal, Telegram, WhatsApp
from rozaneh.probe.experiments.middlebox import Middlebox
from rozaneh.probe.experiments.names import Names
from rozaneh.probe.experiments.residual import Penalty
from rozaneh.probe.experiments.throttling import Rates
from rozaneh.probe.experiments.tor import Tor
from rozaneh.probe.experiments.web import WebConnectivity
from rozaneh.probe.services import choose

pytestmark = pytest.mark.namespaces

PENALTY = """
[[rule]]
at = "border"
mode = "on-path"
match = { direction = "out", protocol = "tcp", tls.sni = ["blocked.example"] }
state = { scope = "flow" }
action = { reset = { to = ["client"] }, mark = { name = "penalty", on = "3-tuple", seconds = 12 } }

[[rule]]
at = "border"
mode = "in-path"
match = { direction = "out", protocol = "tcp", marked = { name = "penalty", on = "3-tuple" } }
state = { scope = "flow" }
action = "drop"
"""
SITE = "https://blocked.example/"
BYTES = "https://blocked.example/bytes/60000"
TENTH = """
[[rule]]
at = "border"
mode = "in-path"
match = { direction = "out", protocol = "tcp", tls.sni.suffix = ["blocked.example"] }
state = { scope = "flow" }
action = { rate = { rate = "400kbit", per = "flow", direction = "both" } }
"""
OWN = {"penalty": PENALTY, "tenth-of-line": TENTH}
LINKS = {"slow-line": Link(delay_ms=20.0, rate_mbit=0.4), "tenth-of-line": Link(delay_ms=20.0, rate_mbit=4.0)}


@dataclass(frozen=True)
class Case:
    """An experiment in a scenario."""

    experiment: str
    scenario: str
    target: str = ""


CASES = (
    Case("residual", "penalty", SITE),
    Case("hops", "reset-from-hop-four", SITE),
    Case("telegram", "evening-of-21-september-2022"),
    Case("signal", "third-dropped"),
    Case("quic", "quic-drop", SITE),
    Case("whatsapp", "third-dropped"),
    Case("allowlist", "protocol-allowlist"),
    Case("what-works", "udp-small-dropped"),
    Case("ech", "ech-blocked"),
    Case("ipv6", "ipv6-off"),
    Case("throttling", "sni-throttled", BYTES),
    Case("throttling", "tenth-of-line", BYTES),
    Case("throttling", "slow-line", "https://example.org/bytes/60000"),
    Case("dns", "dns-three-injectors", SITE),
    Case("dns", "dns-injection-race", SITE),
    Case("dns", "clear", SITE),
    Case("quic", "clear", SITE),
    Case("ipv6", "clear"),
    Case("ech", "clear"),
    Case("allowlist", "clear"),
    Case("vpn", "wireguard-handshake"),
    Case("vpn", "clear"),
    Case("residual", "sni-reset", SITE),
    Case("middlebox", "clear"),
    Case("what-works", "clear"),
    Case("tor", "clear"),
    Case("web_connectivity", "clear", "http://redirects.example/"),
    Case("web_connectivity", "sni-reset", "https://example.org/redirect?to=https://blocked.example/"),
    Case("web_connectivity", "address-drop", "https://example.org/redirect?to=http://10.10.34.36/"),
    Case("signal", "clear"),
    Case("facebook_messenger", "clear"),
)


def _scenario(name: str) -> Scenario:
    if name == "slow-line":
        return load_scenario("clear")
    return parse_scenario(OWN[name], f"{name}.toml") if name in OWN else load_scenario(name)


@pytest.fixture(scope="module")
def findings() -> Iterator[dict[Case, Finding]]:
    """All of them side by side, each from a customer of its own; what the machine was too busy for, again.

    The longest begin first, so that nothing is waited for at the end.
    """
    scenarios = {name: _scenario(name) for name in {case.scenario for case in CASES}}
    made: dict[Case, Finding] = {}

    async def one(lab: Lab, case: Case, turns: anyio.Semaphore) -> None:
        async with turns:
            with lab.client("mobile", scenarios[case.scenario], programs=False) as home:
                if case.scenario in LINKS:
                    home.set_link(LINKS[case.scenario])
                services = choose([case.target] if case.target else [])
                endpoints = [endpoint for service in services for endpoint in service.endpoint]
                asked = vantages(home.environment())
                (made[case],) = await run(named(case.experiment), endpoints, home.network, home.trust, asked)

    async def every(lab: Lab) -> None:
        left = list(CASES)
        for at_once in (10, 4, 2):
            turns = anyio.Semaphore(at_once)
            async with anyio.create_task_group() as group:
                for case in left:
                    group.start_soon(one, lab, case, turns)
            left = [case for case in left if _too_busy(made[case])]

    with Lab(world=world_for(list(scenarios.values()))) as lab:
        anyio.run(every, lab)
        yield made


def _too_busy(made: Finding) -> bool:
    """Whether attempts were given up because this process did not get to run, or the time did not suffice."""
    given_up = any(tried.attempt.failure is Failure.INTERRUPTED for tried in made.evidence.tried)
    if isinstance(made.keys, Rates):
        return given_up or min(len(made.keys.target), len(made.keys.neutral)) < 3
    if not isinstance(made.keys, Trials):
        return given_up
    return given_up or bool(made.keys.untried) or any(trial.failure == "interrupted" for trial in made.keys.trials)


def find(findings: dict[Case, Finding], experiment: str, scenario: str) -> Finding:
    return next(made for case, made in findings.items() if (case.experiment, case.scenario) == (experiment, scenario))


@pytest.mark.timeout(300)
def test_no_experiment_finds_a_censor_where_there_is_none(findings: dict[Case, Finding]) -> None:
    for case, made in findings.items():
        if case.scenario in ("clear", "slow-line"):
            assert made.verdict.verdict in (Outcome.OK, Outcome.CANNOT_TELL), (case, made.verdict)
            assert made.verdict.who is not Who.STATE, case
            assert made.said, case


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("experiment", "scenario", "mechanism"),
    [
        ("throttling", "sni-throttled", Mechanism.THROTTLING),
        ("throttling", "tenth-of-line", Mechanism.THROTTLING),
        ("dns", "dns-injection-race", Mechanism.DNS_FORGERY),
        ("quic", "quic-drop", Mechanism.PROTOCOL_FILTER),
        ("ech", "ech-blocked", Mechanism.PROTOCOL_FILTER),
        ("allowlist", "protocol-allowlist", Mechanism.PROTOCOL_FILTER),
        ("vpn", "wireguard-handshake", Mechanism.PROTOCOL_FILTER),
        ("hops", "reset-from-hop-four", Mechanism.TLS_NAME_RESET),
    ],
)
def test_it_names_what_it_is_for(
    findings: dict[Case, Finding], experiment: str, scenario: str, mechanism: Mechanism
) -> None:
    verdict = find(findings, experiment, scenario).verdict
    assert (verdict.mechanism, verdict.who) == (mechanism, Who.STATE), verdict


def test_throttling_says_how_sure_it_is_and_spends_little(findings: dict[Case, Finding]) -> None:
    slow, free = (find(findings, "throttling", scenario).keys for scenario in ("sni-throttled", "slow-line"))
    assert isinstance(slow, Rates)
    assert isinstance(free, Rates)
    assert slow.ratio < 0.5
    assert slow.low <= slow.ratio * 1.5
    assert slow.chance <= 0.05
    assert slow.spent <= 300_000
    assert free.ratio > 0.5


def test_injectors_are_counted(findings: dict[Case, Finding]) -> None:
    counts = {
        scenario: keys.injectors
        for scenario in ("clear", "dns-injection-race", "dns-three-injectors")
        if isinstance(keys := find(findings, "dns", scenario).keys, Names)
    }
    assert counts["clear"] == 0
    assert counts["dns-injection-race"] == 1
    assert counts["dns-three-injectors"] == 3


def test_the_hop_of_the_box_is_found(findings: dict[Case, Finding]) -> None:
    keys = find(findings, "hops", "reset-from-hop-four").keys
    assert isinstance(keys, Hops)
    assert keys.box == 5
    assert keys.server > keys.box


def test_a_penalty_is_timed_and_none_is_invented(findings: dict[Case, Finding]) -> None:
    keys = find(findings, "residual", "penalty").keys
    assert isinstance(keys, Penalty)
    assert keys.before
    assert keys.ended
    assert keys.hit
    assert 2 <= keys.seconds <= 30
    none = find(findings, "residual", "sni-reset").keys
    assert isinstance(none, Penalty)
    assert (none.hit, none.seconds) == (0, 0.0)


def test_missing_ipv6_alone_is_no_blocking(findings: dict[Case, Finding]) -> None:
    made = find(findings, "ipv6", "ipv6-off")
    assert made.verdict.verdict is Outcome.CANNOT_TELL
    assert isinstance(made.keys, Trials)
    assert not any(trial.ok for trial in made.keys.trials if trial.group == "ipv6")
    assert all(trial.ok for trial in made.keys.trials if trial.group == "ipv4")


def test_what_gets_through_is_listed_by_usefulness(findings: dict[Case, Finding]) -> None:
    free, small = (find(findings, "what-works", scenario).keys for scenario in ("clear", "udp-small-dropped"))
    assert isinstance(free, Trials)
    assert isinstance(small, Trials)
    groups = list(dict.fromkeys(trial.group for trial in free.trials))
    assert groups[:3] == ["name", "address", "plain"] or groups[:2] == ["name", "address"]
    assert all(trial.ok for trial in free.trials if trial.group != "port" or trial.name != "22"), free.trials
    sizes = {trial.name: trial.ok for trial in small.trials if trial.group == "udp size"}
    assert sizes == {"64": False, "400": False, "1200": False, "1452": True}


def test_a_free_path_leaves_odd_requests_alone(findings: dict[Case, Finding]) -> None:
    keys = find(findings, "middlebox", "clear").keys
    assert isinstance(keys, Middlebox)
    assert not keys.tampering
    assert len(keys.received) == 4
    assert all(keys.received)


def test_tor_is_counted(findings: dict[Case, Finding]) -> None:
    keys = find(findings, "tor", "clear").keys
    assert isinstance(keys, Tor)
    assert keys.or_port_dirauth_total == keys.or_port_dirauth_accessible == 9
    assert keys.obfs4_accessible == keys.obfs4_total
    assert keys.bootstrap is None, "a program would have used this machine's network and left the lab"


def test_a_page_is_followed_to_where_it_is_blocked(findings: dict[Case, Finding]) -> None:
    free, blocked, refused = (
        find(findings, "web_connectivity", scenario) for scenario in ("clear", "sni-reset", "address-drop")
    )
    assert isinstance(free.keys, WebConnectivity)
    assert [hop.url for hop in free.keys.hops] == ["http://redirects.example/", "https://redirects.example/"]
    assert free.keys.quic is None
    assert free.keys.control_asked
    assert set(free.keys.lookups) == {"system", "udp", "encrypted", "control"}
    assert free.keys.addresses
    assert not any(address.failure for address in free.keys.addresses)
    assert blocked.target == SITE
    assert (blocked.verdict.mechanism, blocked.verdict.who) == (Mechanism.TLS_NAME_RESET, Who.STATE)
    assert isinstance(refused.keys, WebConnectivity)
    assert refused.keys.hops[-1].refused == "an address that is none of the public internet"
    assert refused.verdict.verdict is Outcome.OK


def test_messengers_have_oonis_keys_and_our_verdict(findings: dict[Case, Finding]) -> None:
    free, dropped = (find(findings, "signal", scenario) for scenario in ("clear", "third-dropped"))
    assert free.keys == Signal(signal_backend_status="ok", signal_backend_failure=None)
    assert dropped.keys == Signal(signal_backend_status="blocked", signal_backend_failure="generic_timeout_error")
    assert (dropped.verdict.mechanism, dropped.verdict.who) == (Mechanism.TLS_NAME_SILENCE, Who.STATE)
    whatsapp = find(findings, "whatsapp", "third-dropped")
    assert isinstance(whatsapp.keys, WhatsApp)
    assert whatsapp.keys.whatsapp_endpoints_status == "ok"
    assert (whatsapp.keys.whatsapp_web_status, whatsapp.keys.registration_server_status) == ("blocked", "blocked")
    assert whatsapp.verdict.mechanism is Mechanism.TLS_NAME_SILENCE
    telegram = find(findings, "telegram", "evening-of-21-september-2022")
    assert isinstance(telegram.keys, Telegram)
    assert telegram.keys.telegram_tcp_blocking
    assert telegram.keys.telegram_http_blocking
    assert telegram.verdict.mechanism is Mechanism.ADDRESS_BLACK_HOLE
    facebook = find(findings, "facebook_messenger", "clear").keys
    assert isinstance(facebook, FacebookMessenger)
    assert set(facebook.reachable.values()) == {True}
    assert not facebook.facebook_dns_blocking
    assert not facebook.facebook_tcp_blocking


def test_names_are_unique_and_in_order() -> None:
    names = [each.name for each in EXPERIMENTS]
    assert names == sorted(set(names))
    with pytest.raises(LocalFault, match="did you mean throttling"):
        named("throtling")
