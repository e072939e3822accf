import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rozaneh.core import Attempt, Failure, Observation, Op, Target
from rozaneh.diagnosis import Control, Evidence, Role, Tried, judge
from rozaneh.ooni import BadMeasurement, classic, decode, flatten, values, web_keys
from rozaneh.ooni.own import own
from rozaneh.ooni.write import Made, Place, encode
from tests.ooni.seen import (
    ASKED,
    BEGAN,
    CONNECTED,
    PAGE,
    READ,
    RESOLVED,
    SHAKEN,
    SITE,
    STARTED,
    TARGET,
    attempt,
    evidence,
    step,
)

HELPER = json.dumps(
    {
        "dns": {"failure": None, "addrs": [SITE]},
        "tcp_connect": {f"{SITE}:443": {"status": True, "failure": None}},
        "tls_handshake": {f"{SITE}:443": {"status": True, "failure": None, "server_name": TARGET.host}},
        "http_request": {"failure": None, "status_code": 200, "body_length": 20, "title": "A page", "headers": {}},
    }
)
WORKS = Control(vantage="v", addresses=(SITE,), dns=True, tcp=True, tls=True, http=True, status=200, answer=HELPER)


def written(seen: Evidence, **more: Any) -> bytes:
    made = Made(target=TARGET, evidence=seen, verdict=judge(seen), service="web", endpoint="page", runtime=1.5, **more)
    return encode(made, Place(asn=44244, country="IR", network_type="mobile"), software_version="0.1.0")


def keys(line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line)["test_keys"]
    return found


def test_the_envelope_is_oonis() -> None:
    line = written(evidence(attempt(*PAGE), control=(WORKS,)))
    assert b"\n" not in line
    read = json.loads(line)
    assert read["test_name"] == "web_connectivity"
    assert read["input"] == "https://www.example.com/"
    assert read["measurement_start_time"] == "2022-10-01 16:00:00"
    assert (read["probe_asn"], read["probe_cc"], read["probe_ip"]) == ("AS44244", "IR", "127.0.0.1")
    assert read["resolver_ip"] == "127.0.0.2"
    assert read["extensions"] == {
        "dnst": 0,
        "httpt": 0,
        "netevents": 0,
        "tcpconnect": 0,
        "tlshandshake": 0,
        "tunnel": 0,
    }
    assert read["data_format_version"] == "0.2.0"
    assert all(isinstance(text, str) for text in read["annotations"].values())
    assert read["annotations"]["rozaneh_verdict"] == "ok"
    assert read["annotations"]["network_type"] == "mobile"


def test_every_step_becomes_its_record_and_one_transaction_joins_them() -> None:
    found = keys(written(evidence(attempt(*PAGE), control=(WORKS,))))
    (query,), (connect,), (shaken,), (asked,) = (
        found[name] for name in ("queries", "tcp_connect", "tls_handshakes", "requests")
    )
    assert (query["engine"], query["query_type"], query["answers"][0]["ipv4"]) == ("getaddrinfo", "ANY", SITE)
    assert (connect["ip"], connect["port"], connect["status"]["success"]) == (SITE, 443, True)
    assert (shaken["address"], shaken["server_name"], shaken["no_tls_verify"]) == (f"{SITE}:443", TARGET.host, False)
    assert (asked["response"]["code"], asked["response"]["headers"]) == (200, {"Server": "nginx"})
    assert connect["transaction_id"] == shaken["transaction_id"] == asked["transaction_id"] != query["transaction_id"]
    assert query["t0"] <= query["t"] <= connect["t0"] <= connect["t"] <= shaken["t0"] <= asked["t0"] < asked["t"]
    received = [e for e in found["network_events"] if e["operation"] == "bytes_received_cumulative"]
    assert [event["num_bytes"] for event in received] == [10, 20]
    assert (found["blocking"], found["accessible"], found["x_blocking_flags"]) == (False, True, 32)


def test_requests_stand_newest_first() -> None:
    later = attempt(*PAGE[:-1], started=STARTED + 2)
    asked = keys(written(evidence(attempt(*PAGE), later)))["requests"]
    assert asked[0]["t0"] > asked[1]["t0"]


RESET = step(Op.TLS, Failure.CONNECTION_RESET, peer=TARGET.authority, sni=TARGET.host, verified=False)


@pytest.mark.parametrize(
    ("steps", "control", "blocking", "accessible"),
    [
        pytest.param(PAGE, (), False, True, id="fine"),
        pytest.param((RESOLVED, CONNECTED, RESET), (WORKS,), "http-failure", False, id="reset"),
        pytest.param(
            (RESOLVED, step(Op.CONNECT, Failure.GENERIC_TIMEOUT_ERROR)), (WORKS,), "tcp_ip", False, id="dropped"
        ),
        pytest.param(
            (step(Op.RESOLVE, Failure.DNS_NXDOMAIN_ERROR, "", engine="system", query=TARGET.host),),
            (WORKS,), "dns", False, id="denied",
        ),
        pytest.param((RESOLVED, CONNECTED, RESET), (), None, None, id="no control"),
        pytest.param(
            (RESOLVED, step(Op.CONNECT, Failure.CONNECTION_REFUSED)),
            (Control(vantage="v", addresses=(SITE,), dns=True, tcp=False, http=False),), False, False, id="down",
        ),
        pytest.param(
            (RESOLVED, step(Op.CONNECT, Failure.CONNECTION_REFUSED)),
            (Control(vantage="v", addresses=(SITE,), dns=True, tcp=True, tls=True, http=True, status=200, age=60),),
            None, None, id="an old answer is no control",
        ),
    ],
)  # fmt: skip
def test_oonis_verdict_is_written_under_oonis_names(
    steps: tuple[Observation, ...], control: tuple[Control, ...], blocking: object, accessible: object
) -> None:
    found = keys(written(evidence(attempt(*steps), control=control)))
    assert (found["blocking"], found["accessible"]) == (blocking, accessible)


def test_an_unbelievable_answer_is_an_answer() -> None:
    forged = step(Op.RESOLVE, Failure.DNS_BOGON_ERROR, "", engine="system", query=TARGET.host, answers=("10.10.34.35",))
    found = keys(written(evidence(attempt(forged), control=(WORKS,))))
    assert found["queries"][0]["failure"] is None
    assert found["queries"][0]["answers"][0]["ipv4"] == "10.10.34.35"
    assert (found["dns_consistency"], found["x_dns_flags"]) == ("inconsistent", 5)


def test_late_answers_stand_apart() -> None:
    raced = msgspec.structs.replace(RESOLVED, tags={**RESOLVED.tags, "late_answers": ("10.10.34.35",)})
    line = written(evidence(attempt(raced)))
    (late,) = values.late_answers(web_keys(decode(line)).x_dns_duplicate_responses)
    assert late.answers
    assert late.answers[0].ipv4 == "10.10.34.35"


def test_what_was_dialled_for_comparison_is_no_record_of_the_target() -> None:
    other = Target(host="neutral.example", port=443, speaks="https").at(SITE)
    seen = Evidence(tried=(Tried(Role.NEUTRAL_NAME, attempt(CONNECTED, SHAKEN, target=other)),))
    line = written(seen)
    assert keys(line)["tcp_connect"] == []
    carried = own(decode(line))
    assert carried is not None
    assert carried.evidence == seen


def test_encrypted_lookups_are_recorded_where_they_were_kept() -> None:
    asked = attempt(step(Op.RESOLVE, peer="8.8.8.8:443", engine="doh", query=TARGET.host, answers=(SITE,)))
    found = keys(written(evidence(attempt(*PAGE)), lookups=(asked,)))
    assert [query["engine"] for query in found["queries"]] == ["getaddrinfo", "doh"]


def test_a_handshake_without_a_page_is_urlgetters() -> None:
    target = Target(host="www.example.com", port=853, speaks="raw")
    seen = msgspec.structs.replace(evidence(attempt(RESOLVED, CONNECTED, RESET, target=target)), kind="tls")
    line = encode(Made(target=target, evidence=seen), Place(), software_version="0", annotations={"origin": "watch"})
    read = json.loads(line)
    assert (read["test_name"], read["input"]) == ("urlgetter", "tlshandshake://www.example.com:853")
    assert (read["test_keys"]["failure"], read["test_keys"]["failed_operation"]) == (
        "connection_reset", "tls_handshake",
    )  # fmt: skip
    assert read["annotations"] == {"origin": "watch"}
    assert web_keys(decode(line)).tls_handshakes


def test_the_run_may_have_begun_earlier() -> None:
    line = encode(
        Made(target=TARGET, evidence=evidence(attempt(*PAGE))),
        Place(),
        software_version="0",
        run_started=datetime(2022, 10, 1, 15, 59, tzinfo=UTC),
    )
    assert json.loads(line)["test_start_time"] == "2022-10-01 15:59:00"


def test_nobody_elses_measurement_is_our_own() -> None:
    assert own(decode(b'{"test_keys":{}}')) is None
    with pytest.raises(BadMeasurement, match=r"\$\.test_keys\.x_rozaneh\.evidence"):
        own(decode(b'{"test_keys":{"x_rozaneh":{"evidence":7}}}'))


# Round trips ----------------------------------------------------------------------------------------------------------

_failures = st.none() | st.sampled_from(list(Failure))
_times = st.floats(0, 100, allow_nan=False).map(lambda value: round(value, 6))
_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_addresses = st.lists(st.ip_addresses().map(str), max_size=3).map(tuple)


@st.composite
def _steps(draw: st.DrawFn, op: Op) -> Observation:
    tags: dict[str, Any] = {}
    if op is Op.RESOLVE:
        tags = {"engine": "system", "query": "www.example.com", "answers": draw(_addresses)}
    if op is Op.TLS:
        tags = {"sni": "www.example.com", "verified": draw(st.booleans()), "alpn": draw(_texts)}
    if op is Op.THROUGHPUT:
        tags = {"status": draw(st.integers(0, 599)), "title": draw(_texts), "body_head": draw(_texts)}
    address = draw(st.ip_addresses())
    peer = f"[{address}]:443" if address.version == 6 else f"{address}:443"
    return Observation(op=op, t0=draw(_times), took=draw(_times), failure=draw(_failures), peer=peer, tags=tags)


@st.composite
def _attempts(draw: st.DrawFn) -> Attempt:
    ops = draw(st.lists(st.sampled_from(list(Op)), max_size=8))
    return Attempt(
        target=TARGET,
        spec="tcp",
        started=STARTED + draw(_times),
        took=draw(_times),
        failure=draw(_failures),
        observations=tuple(draw(_steps(op)) for op in ops),
    )


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    tried=st.lists(st.tuples(st.sampled_from(list(Role)), _attempts()), max_size=4),
    control=st.sampled_from([(), (WORKS,), (Control(vantage="v"),)]),
)
def test_whatever_was_seen_is_read_back(tried: list[tuple[Role, Attempt]], control: tuple[Control, ...]) -> None:
    seen = Evidence(tried=tuple(Tried(role, one) for role, one in tried), control=control)
    line = written(seen)
    read = decode(line)
    found = web_keys(read)
    carried = own(read)
    assert carried is not None
    assert carried.evidence.tried == seen.tried
    at_the_target = [one for role, one in tried if role in (Role.SYSTEM, Role.TRUSTED, Role.QUIC)]
    connects = [step for one in at_the_target for step in one.steps(Op.CONNECT)]
    assert [(connect.ip, connect.failure) for connect in found.tcp_connect or ()] == [
        (step.peer.rpartition(":")[0].strip("[]"), step.failure) for step in connects
    ]
    assert len(found.queries or ()) == sum(len(list(one.steps(Op.RESOLVE))) for one in at_the_target)
    again = classic(flatten(found, read.address))
    assert again.blocking == keys(line)["blocking"]
    assert msgspec.json.decode(line)["test_keys"]["x_blocking_flags"] == again.x_blocking_flags


def test_steps_that_are_used_here_are_the_probes() -> None:
    assert [one.op for one in (RESOLVED, CONNECTED, SHAKEN, ASKED, BEGAN, READ)] == [
        Op.RESOLVE, Op.CONNECT, Op.TLS, Op.REQUEST, Op.FIRST_BYTE, Op.THROUGHPUT,
    ]  # fmt: skip
