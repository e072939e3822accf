"""``lab check``: what programs print becomes one word, and scenarios that nobody had in mind do what they say.

The files under ``odd`` were written from ``lab schema`` alone. They mix what the scenarios of the repository do not.
"""

from pathlib import Path

import anyio
import pytest

from rozaneh.core import LocalFault, Target
from rozaneh.lab.check import runner
from rozaneh.lab.check.clients import CLIENTS, Call, prepare
from rozaneh.lab.check.reading import TIMED_OUT, outcome_of, seen
from rozaneh.lab.lab import Lab, world_for
from rozaneh.lab.scenario import load_scenario, parse_scenario
from rozaneh.lab.scenario.reference import reference

ODD = sorted(Path(__file__).with_name("odd").glob("*.toml"))
TRUTH = {"blocked.example": ["93.184.216.35"]}


def call(text: str, target: str = "https://blocked.example/") -> Call:
    return prepare(text, Target.parse(target))


@pytest.mark.parametrize(
    ("client", "code", "text", "outcome"),
    [
        ("curl", 35, "curl: (35) Recv failure: Connection reset by peer", "connection_reset"),
        ("curl", 7, "curl: (7) Failed to connect: No route to host", "host_unreachable"),
        ("curl", 28, "curl: (28) Operation timed out", "generic_timeout_error"),
        ("curl", 6, "curl: (6) Could not resolve host: x", "dns_nxdomain_error"),
        ("openssl", 1, "write:errno=104", "connection_reset"),
        ("openssl", 0, "New, (NONE), Cipher is (NONE)\nVerify return code: 0 (ok)", "ssl_failed_handshake"),
        ("openssl", TIMED_OUT, "CONNECTED(00000003)", "generic_timeout_error"),
        ("dig", 0, "blocked.example.\t60\tIN\tA\t10.10.34.36", "forged"),
        ("dig", 0, "blocked.example.\t60\tIN\tA\t93.184.216.35", "ok"),
        ("dig", 0, ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 1", "dns_nxdomain_error"),
        ("ping", 0, "2 packets transmitted, 2 received, 0% packet loss", "ok"),
        ("ping", 0, "2 packets transmitted, 1 received, 50% packet loss", "degraded"),
        ("ping", 1, "2 packets transmitted, 0 received, 100% packet loss", "generic_timeout_error"),
        ("ping", 1, "From 10.202.2.1 icmp_seq=1 Packet filtered\n, 100% packet loss", "host_unreachable"),
        ("ping", 1, "From 10.202.2.1 Destination Net Unreachable\n, 100% packet loss", "network_unreachable"),
        ("raw", 0, "outcome: eof_error", "eof_error"),
    ],
)
def test_what_a_program_prints_is_one_word(client: str, code: int, text: str, outcome: str) -> None:
    assert outcome_of(call(client), seen(code, text), TRUTH, None) == outcome


def test_every_program_is_in_the_reference() -> None:
    text = reference()
    assert [name for name in CLIENTS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("text", ["wget", "'curl"])
def test_a_client_that_does_not_exist_is_named_with_its_place(text: str) -> None:
    scenario = parse_scenario(f'[[rule]]\naction = "drop"\n[[expect]]\nclient = "{text}"\noutcome = "ok"\n', "mine")
    with pytest.raises(LocalFault, match=r"mine: expect\[1\]: .*client"):
        runner.items([scenario])


@pytest.mark.namespaces
def test_scenarios_that_nobody_had_in_mind_do_what_they_say() -> None:
    scenarios = [load_scenario(str(file)) for file in ODD]
    wanted = runner.items(scenarios)
    with Lab(world=world_for(scenarios)) as lab:
        found = list(anyio.run(lambda: runner.run(wanted, lab, at_once=20)))
        # Twenty at once starve a busy machine: a ping waits two seconds. What was wrong is looked at again, alone.
        again = [number for number, one in enumerate(found) if not one.ok]
        alone = anyio.run(lambda: runner.run([wanted[number] for number in again], lab, at_once=1))
        for number, one in zip(again, alone, strict=True):
            found[number] = one
    wrong = [f"{one.scenario}: {one.client} {one.target}: {one.observed} {one.reason}" for one in found if not one.ok]
    assert wrong == []
    assert len({one.scenario for one in found}) >= 15


def test_without_real_packets_only_what_curl_can_show_is_checked_and_the_rest_is_named() -> None:
    wanted = runner.items([load_scenario("sni-reset"), load_scenario("dns-nxdomain"), load_scenario("icmp-trigger")])
    with Lab(tier="T0") as lab:
        found = anyio.run(lambda: runner.run(wanted, lab))
    done = [one for one in found if not one.skipped]
    assert {(one.scenario, one.client, one.ok) for one in done} == {("sni-reset", "curl", True)}
    assert all("T0" in one.reason for one in found if one.skipped)
