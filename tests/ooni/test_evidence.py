"""By our rules: what a measurement means, the nearest that means something else, and the same without a control."""

import json
from pathlib import Path
from typing import Any

import pytest

from rozaneh.diagnosis import Outcome, Role, Who, judge
from rozaneh.diagnosis.sentences import sentence
from rozaneh.ooni import decode, encode, own
from rozaneh.ooni.evidence import evidence_of
from rozaneh.ooni.replay import replay
from rozaneh.ooni.values import head
from rozaneh.ooni.write import Made, Place
from tests.ooni.build import FORGED, HOST, OTHER, PAGE, RIGHT, connect, handshake, helper, lookup, measurement, request
from tests.ooni.seen import CONNECTED, RESOLVED, TARGET, attempt, evidence
from tests.ooni.seen import PAGE as SEEN_PAGE

BLOCK_PAGE = '<iframe src="http://10.10.34.36/?type=Invalid Keyword&policy=MainPolicy">'
REFUSAL = "<title>Error</title>This service is not available in your country."


def secure(status: int = 200, body: str = PAGE) -> dict[str, Any]:
    return {
        "queries": [lookup(RIGHT)],
        "tcp_connect": [connect()],
        "tls_handshakes": [handshake()],
        "requests": [request(status=status, body=body)],
    }


def plain(status: int = 200, body: str = PAGE, headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "url": f"http://{HOST}/",
        "queries": [lookup(RIGHT)],
        "tcp_connect": [connect(port=80)],
        "requests": [request(f"http://{HOST}/", status=status, body=body, headers=headers)],
    }


def lost(failure: str, *, tls: bool = False) -> dict[str, Any]:
    """Both addresses fail alike."""
    places = ((RIGHT, 50001), (OTHER, 50002))
    return {
        "queries": [lookup(RIGHT, OTHER)],
        "tcp_connect": [connect(a, failure=None if tls else failure, transaction=n) for a, n in places],
        "tls_handshakes": [handshake(a, failure, transaction=n) for a, n in places] if tls else None,
    }


BOTH = helper(RIGHT, OTHER)


@pytest.mark.parametrize(
    ("records", "control", "expected"),
    [
        pytest.param(secure(), helper(), "ok none", id="works"),
        pytest.param(secure(), None, "ok none", id="works, without a control"),
        pytest.param(secure(403, REFUSAL), helper(), "refused service_refusal", id="sanctions"),
        pytest.param(secure(403, REFUSAL), helper(status=403), "ok none", id="forbidden to everybody"),
        pytest.param(plain(403, BLOCK_PAGE), helper(), "blocked http_block_page", id="a known block page"),
        pytest.param(
            plain(body="y" * 3000, headers={"Server": "a"}), helper(), "cannot_tell unknown", id="another page"
        ),
        pytest.param(plain(body="y" * 3000, headers={"Server": "a"}), None, "ok none", id="a page, without control"),
        pytest.param(plain(), helper(), "ok none", id="the same page"),
        pytest.param(
            lost("generic_timeout_error"), BOTH, "blocked address_black_hole", id="both addresses are silent"
        ),
        pytest.param(lost("generic_timeout_error"), None, "cannot_tell unknown", id="silent, without a control"),
        pytest.param(
            lost("generic_timeout_error"),
            helper(RIGHT, OTHER, tcp={f"{a}:443": "generic_timeout_error" for a in (RIGHT, OTHER)}, tls={}, http="x"),
            "down site_down", id="silent for everybody",
        ),
        pytest.param(lost("connection_refused"), BOTH, "blocked address_refused", id="both addresses refuse"),
        pytest.param({"queries": [lookup(FORGED)]}, helper(), "blocked dns_forgery", id="a known forged answer"),
        pytest.param({"queries": [lookup(FORGED)]}, None, "blocked dns_forgery", id="known, even without control"),
        pytest.param({"queries": [lookup("192.168.7.7")]}, helper(), "blocked dns_forgery", id="a bogon"),
        pytest.param({"queries": [lookup("192.168.7.7")]}, None, "cannot_tell unknown", id="a bogon alone"),
        pytest.param(
            {"queries": [lookup(failure="dns_nxdomain_error")]}, helper(), "blocked dns_forgery", id="denied"
        ),
        pytest.param(
            {"queries": [lookup(failure="dns_nxdomain_error")]}, None, "cannot_tell unknown", id="denied, alone"
        ),
        pytest.param(
            {"queries": [lookup(failure="dns_nxdomain_error")]},
            helper(dns="dns_name_error", http="dns_lookup_error"), "down site_down", id="no such name",
        ),
        # What OONI's rules call an http-failure may be a throttle or a loss: one connection does not tell.
        pytest.param(
            {**secure(), "requests": [request(failure="generic_timeout_error")]}, helper(), "cannot_tell unknown",
            id="an answer that stops",
        ),
        pytest.param({}, None, "cannot_tell unknown", id="nothing"),
    ],
)  # fmt: skip
def test_verdicts(records: dict[str, Any], control: dict[str, Any] | None, expected: str) -> None:
    found = replay(measurement(**records, control=control)).verdict
    assert f"{found.verdict} {found.mechanism}" == expected
    if found.verdict is Outcome.CANNOT_TELL:
        assert found.missing or found.rules


@pytest.mark.parametrize("failure", ["connection_reset", "eof_error", "generic_timeout_error"])
def test_a_handshake_that_fails_without_a_harmless_name_beside_it_accuses_nobody(failure: str) -> None:
    """OONI's probe tries no other name at the address: a server that cuts off a country looks like a filter."""
    found = replay(measurement(**lost(failure, tls=True), control=BOTH)).verdict
    assert (found.verdict, found.who) == (Outcome.BLOCKED, Who.UNKNOWN)
    assert found.confidence <= 0.55
    assert "neutral_name.tried" in found.missing
    assert "The filter may do that, or the service itself." in sentence(found)
    alone = replay(measurement(**lost(failure, tls=True))).verdict
    assert alone.verdict is Outcome.CANNOT_TELL
    down = helper(RIGHT, OTHER, tls={f"{a}:443": failure for a in (RIGHT, OTHER)}, http=failure)
    assert replay(measurement(**lost(failure, tls=True), control=down)).verdict.verdict is Outcome.DOWN


def test_where_the_two_differ_by_design_both_are_said() -> None:
    refused = replay(measurement(**secure(403, REFUSAL), control=helper()))
    assert refused.classic is not None
    assert (refused.classic.blocking, refused.classic.accessible) == (False, True)
    assert refused.verdict.verdict is Outcome.REFUSED


def test_steps_keep_their_times_and_places() -> None:
    (found,) = evidence_of(decode(measurement(**secure(), control=helper())))
    (one,) = found.of(Role.SYSTEM)
    assert [step.op.value for step in one.observations] == [
        "resolve", "connect", "tls_handshake", "request", "throughput",
    ]  # fmt: skip
    assert one.observations[1].peer == f"{RIGHT}:443"
    assert one.observations[1].took == pytest.approx(0.1)
    assert one.observations[2].tags["verified"] is True
    assert one.observations[-1].tags["status"] == 200
    assert str(one.target) == f"https://{HOST}/"


def test_the_system_is_told_from_trusted_addresses() -> None:
    line = measurement(
        queries=[lookup(FORGED), lookup(RIGHT, engine="doh", query_type="A", transaction=30001)],
        tcp_connect=[connect()],
        tls_handshakes=[handshake()],
        control=helper(),
    )
    (found,) = evidence_of(decode(line))
    assert found.trusted_answers == (RIGHT,)
    assert len(found.of(Role.TRUSTED)) == 1


def test_our_own_measurement_gives_the_evidence_that_it_was_written_from() -> None:
    seen = evidence(attempt(*SEEN_PAGE))
    line = encode(Made(target=TARGET, evidence=seen, verdict=judge(seen)), Place(), software_version="0")
    assert evidence_of(decode(line)) == (seen,)
    carried = own(decode(line))
    assert carried is not None
    assert replay(line).verdict == carried.verdict


def test_a_verdict_that_a_file_claims_counts_for_nothing() -> None:
    seen = evidence(attempt(RESOLVED, CONNECTED))
    line = json.loads(encode(Made(target=TARGET, evidence=seen), Place(), software_version="0"))
    honest = replay(json.dumps(line).encode()).verdict
    line["test_keys"]["x_rozaneh"]["verdict"] = {
        "verdict": "blocked", "mechanism": "dns_forgery", "who": "state", "confidence": 1.0,
    }  # fmt: skip
    line["annotations"]["rozaneh_verdict"] = "blocked"
    assert replay(json.dumps(line).encode()).verdict == honest


@pytest.mark.parametrize("text", ["x" * 100, "é" * 100, "\x01" * 100, "😀" * 100, 'a"\\' * 40, "a\\" * 60], ids=ascii)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_head_of_a_body_is_its_beginning(text: str, *, ascii_only: bool) -> None:
    from msgspec import Raw

    raw = Raw(json.dumps(text, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
    for most in (1, 5, 12, 200):
        assert head(raw, most) == text[:most]
    assert head(Raw(b"null"), 5) == ""


# Corpora of others ----------------------------------------------------------------------------------------------------


def test_no_false_block_among_oonis_cases(outside: Path) -> None:
    """Where OONI's emulator says that nothing was blocked, we say so of none either; and every file can be judged."""
    corpus = outside / "measurement"
    labels = json.loads((corpus / "ooni_wc_qa" / "LABELS.json").read_text())
    for label in labels:
        found = replay((corpus / "ooni_wc_qa" / label["case"] / "measurement.json").read_bytes())
        if label["blocking"] is False:
            assert found.verdict.verdict in (Outcome.OK, Outcome.DOWN), label["case"]
    for path in sorted((corpus / "probe_cli_manual").glob("*/measurement.json")):
        assert replay(path.read_bytes()).verdict.verdict in (Outcome.OK, Outcome.DOWN), path.parent.name
