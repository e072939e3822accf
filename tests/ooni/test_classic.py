"""Each rule of OONI's verdict by a case of its own, and the nearest case that it must not fit."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rozaneh.ooni import decode, keys_of, web_keys
from rozaneh.ooni.classic import Classic, classic
from rozaneh.ooni.observations import flatten
from tests.ooni.build import (
    FORGED,
    HOST,
    OTHER,
    RIGHT,
    Record,
    Recorded,
    connect,
    handshake,
    helper,
    lookup,
    measurement,
    request,
)

HTTP = f"http://{HOST}/"
FAR = "https://elsewhere.example/"


@dataclass(frozen=True)
class Case:
    rule: str
    verdict: str
    consistency: str | None
    flags: int
    dns_flags: int = 0
    null_flags: int = 0
    records: dict[str, Any] = field(default_factory=dict)


def plain(failure: str | None = None, **answer: Any) -> dict[str, Any]:
    """HTTP in the clear to the right address."""
    return {
        "url": HTTP,
        "queries": [lookup(RIGHT)],
        "tcp_connect": [connect(port=80)],
        "requests": [request(HTTP, failure, **answer)],
    }


def redirected(**records: list[Record]) -> dict[str, Any]:
    """A first answer that leads elsewhere, and what came of it."""
    return {
        "queries": [lookup(RIGHT), *records.get("queries", [])],
        "tcp_connect": [connect(), *records.get("tcp_connect", [])],
        "tls_handshakes": [handshake(), *records.get("tls_handshakes", [])],
        "requests": [*records.get("requests", []), request(status=302, headers={"Location": FAR})],
    }


far_lookup = lookup("130.192.182.17", host="elsewhere.example", depth=1, transaction=10002)
far_connect = connect("130.192.182.17", depth=1, transaction=50002)
OLD_PAGE = "y" * 3000

CASES = {
    "1.1 over TLS, whatever the status": Case(
        "1.1", "fine", "consistent", 32,
        records={"queries": [lookup(RIGHT)], "tcp_connect": [connect()], "tls_handshakes": [handshake()],
                 "requests": [request(status=403)], "control": helper()},
    ),
    "1.1 over TLS without a control": Case(
        "1.1", "fine", None, 32, null_flags=8,
        records={"queries": [lookup(RIGHT)], "tcp_connect": [connect()], "tls_handshakes": [handshake()],
                 "requests": [request()], "control_failure": "connection_reset"},
    ),
    "1.2 in the clear without a control": Case("1.2", "unknown", None, 0, records=plain()),
    "1.3 the same page": Case("1.3", "fine", "consistent", 32, records={**plain(), "control": helper()}),
    "1.3 another size and title, the same uncommon header": Case(
        "1.3", "fine", "consistent", 32, records={**plain(body=OLD_PAGE), "control": helper()},
    ),
    "1.4 another page": Case(
        "1.4", "http-diff", "consistent", 16,
        records={**plain(body=OLD_PAGE, headers={"Server": "a"}), "control": helper()},
    ),
    "1.4 another status": Case(
        "1.4", "http-diff", "consistent", 16, records={**plain(status=403), "control": helper()},
    ),
    "1.4 another status while the helper had trouble": Case(
        "1.4", "http-diff", "consistent", 16, records={**plain(), "control": helper(status=503)},
    ),
    "2.1 no answer, no control": Case("2.1", "unknown", None, 0, records=plain("connection_reset")),
    "2.2 no answer for the helper either": Case(
        "2.2", "down", "consistent", 0, records={**plain("eof_error"), "control": helper(http="eof_error")},
    ),
    "2.3 no answer here alone": Case(
        "2.3", "http-failure", "consistent", 8, records={**plain("connection_reset"), "control": helper()},
    ),
    "3.1.1 a handshake fails after a redirect, no control": Case(
        "3.1.1", "unknown", None, 0,
        records=redirected(queries=[far_lookup], tcp_connect=[far_connect],
                           tls_handshakes=[handshake("130.192.182.17", "connection_reset", 1, 50002)]),
    ),
    "3.1.2 a handshake fails after a redirect": Case(
        "3.1.2", "http-failure", "consistent", 4,
        records={**redirected(queries=[far_lookup], tcp_connect=[far_connect],
                              tls_handshakes=[handshake("130.192.182.17", "connection_reset", 1, 50002)]),
                 "control": helper()},
    ),
    "3.2 the certificate is wrong for everybody": Case(
        "3.2", "down", "consistent", 0, null_flags=4,
        records={"queries": [lookup(RIGHT)], "tcp_connect": [connect()],
                 "tls_handshakes": [handshake(failure="ssl_invalid_certificate")],
                 "control": helper(tls={f"{RIGHT}:443": "ssl_invalid_certificate"}, http="ssl_invalid_certificate")},
    ),
    "3.3 the handshake is reset here alone": Case(
        "3.3", "http-failure", "consistent", 4,
        records={"queries": [lookup(RIGHT)], "tcp_connect": [connect()],
                 "tls_handshakes": [handshake(failure="connection_reset")], "control": helper()},
    ),
    "4.1.1 a connection fails after a redirect, no control": Case(
        "4.1.1", "unknown", None, 0,
        records=redirected(queries=[far_lookup],
                           tcp_connect=[{**far_connect, "status": {"failure": "connection_refused"}}]),
    ),
    "4.1.2 a connection fails after a redirect": Case(
        "4.1.2", "http-failure", "consistent", 2,
        records={**redirected(queries=[far_lookup],
                              tcp_connect=[{**far_connect, "status": {"failure": "connection_refused"}}]),
                 "control": helper()},
    ),
    "4.2 nobody can connect": Case(
        "4.2", "down", "consistent", 0, null_flags=2,
        records={"queries": [lookup(RIGHT)], "tcp_connect": [connect(failure="generic_timeout_error")],
                 "control": helper(tcp={f"{RIGHT}:443": "generic_timeout_error"}, tls={}, http="unknown_error")},
    ),
    "4.3 the address is dropped here alone": Case(
        "4.3", "tcp_ip", "consistent", 2,
        records={"queries": [lookup(RIGHT)], "tcp_connect": [connect(failure="generic_timeout_error")],
                 "control": helper()},
    ),
    "4.3 IPv6 that is missing here gives no flag": Case(
        "4.3", "tcp_ip", "consistent", 0,
        records={"queries": [lookup("2606:2800::1")],
                 "tcp_connect": [connect("2606:2800::1", failure="network_unreachable")],
                 "control": helper("2606:2800::1", tcp={"[2606:2800::1]:443": None}, tls={})},
    ),
    "5.1.1 no name, no control": Case(
        "5.1.1", "fine", None, 0, records={"queries": [lookup(failure="dns_nxdomain_error")]},
    ),
    "5.1.2 no name after a redirect": Case(
        "5.1.2", "dns", "consistent", 1,
        records={**redirected(queries=[lookup(failure="dns_nxdomain_error", host="elsewhere.example", depth=1,
                                              transaction=10002)]),
                 "control": helper()},
    ),
    "5.2 no name for the helper either": Case(
        "5.2", "down", "consistent", 0, null_flags=1,
        records={"queries": [lookup(failure="dns_nxdomain_error")],
                 "control": helper(dns="dns_name_error", http="dns_lookup_error")},
    ),
    "5.3 a name without addresses": Case(
        "5.3", "down", "consistent", 0, null_flags=1,
        records={"queries": [lookup(failure="dns_no_answer")],
                 "control": {**helper(http="unknown_error"), "dns": {"failure": None, "addrs": []}}},
    ),
    "5.4 no name here alone": Case(
        "5.4", "dns", "inconsistent", 1, dns_flags=2,
        records={"queries": [lookup(failure="dns_nxdomain_error")], "control": helper()},
    ),
    "5.4 that the encrypted resolver fails gives no flag": Case(
        "1.1", "fine", "consistent", 32,
        records={"queries": [lookup(RIGHT), lookup(failure="generic_timeout_error", engine="doh", transaction=30001)],
                 "tcp_connect": [connect()], "tls_handshakes": [handshake()], "requests": [request()],
                 "control": helper()},
    ),
    "6 loopback here alone": Case(
        "6", "dns", "inconsistent", 1, dns_flags=5,
        records={"queries": [lookup("127.0.0.1")], "control": helper()},
    ),
    "7 loopback everywhere": Case(
        "7", "down", "consistent", 0, dns_flags=1,
        records={"queries": [lookup("127.0.0.1")],
                 "control": helper("127.0.0.1", tcp={}, tls={}, http="unknown_error")},
    ),
    "no rule fits": Case("", "unknown", None, 0),
    "an inconsistent answer turns a lost connection into dns": Case(
        "4.1.2", "dns", "inconsistent", 1, dns_flags=5,
        records={"queries": [lookup(FORGED)], "tcp_connect": [connect(FORGED, failure="generic_timeout_error")],
                 "control": helper()},
    ),
    "an inconsistent answer turns nothing known into dns": Case(
        "1.4", "dns", "inconsistent", 17, dns_flags=4,
        records={**plain(body=OLD_PAGE, headers={"Server": "a"}), "queries": [lookup("130.192.182.17")],
                 "tcp_connect": [connect("130.192.182.17", 80)], "control": helper()},
    ),
    "a page that came over TLS stays accessible; a valid handshake clears the flag": Case(
        "1.1", "fine", "inconsistent", 32,
        records={"queries": [lookup("130.192.182.17")], "tcp_connect": [connect("130.192.182.17")],
                 "tls_handshakes": [handshake("130.192.182.17")], "requests": [request()], "control": helper()},
    ),
    "another address of the same network is consistent": Case(
        "1.1", "fine", "consistent", 32,
        records={"queries": [lookup(OTHER)], "tcp_connect": [connect(OTHER)],
                 "tls_handshakes": [handshake(OTHER)], "requests": [request()], "control": helper()},
    ),
    "a ghost: the name resolves here alone": Case(
        "4.1.2", "dns", "inconsistent", 0, null_flags=16,
        records={"queries": [lookup(RIGHT)], "tcp_connect": [connect(failure="connection_refused")],
                 "control": helper(dns="dns_name_error", tcp={}, tls={}, http="dns_lookup_error")},
    ),
    "an address that only the helper knew gives flags, not the verdict": Case(
        "1.1", "fine", "consistent", 34,
        records={"queries": [lookup(RIGHT)],
                 "tcp_connect": [connect(), connect(OTHER, failure="connection_refused", transaction=50007)],
                 "tls_handshakes": [handshake()], "requests": [request()], "control": helper(RIGHT, OTHER)},
    ),
    "a connection that was not to fetch the page gives flags, not the verdict": Case(
        "1.3", "fine", "consistent", 36,
        records={**plain(), "tcp_connect": [connect(port=80), connect(transaction=50007, fetch=False)],
                 "tls_handshakes": [handshake(failure="connection_reset", transaction=50007)], "control": helper()},
    ),
}  # fmt: skip


def in_a_word(found: Classic) -> str:
    words = {(False, True): "fine", (False, False): "down", (None, None): "unknown"}
    if isinstance(found.blocking, str):
        assert found.accessible is False
        return found.blocking
    return words[found.blocking, found.accessible]


def judged(line: bytes) -> Classic:
    read = decode(line)
    return classic(flatten(web_keys(read), read.address))


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_rules(case: Case) -> None:
    given = measurement(**case.records)
    found = judged(given)
    assert (found.rule, in_a_word(found), found.dns_consistency) == (case.rule, case.verdict, case.consistency)
    assert (found.x_blocking_flags, found.x_dns_flags, found.x_null_null_flags) == (
        case.flags, case.dns_flags, case.null_flags,
    )  # fmt: skip


def test_every_rule_has_a_case() -> None:
    numbered = {"1.1", "1.2", "1.3", "1.4", "2.1", "2.2", "2.3", "3.1.1", "3.1.2", "3.2", "3.3", "4.1.1", "4.1.2",
                "4.2", "4.3", "5.1.1", "5.1.2", "5.2", "5.3", "5.4", "6", "7", ""}  # fmt: skip
    assert {case.rule for case in CASES.values()} == numbered


def test_the_verdict_that_a_file_carries_counts_for_nothing() -> None:
    case = CASES["4.3 the address is dropped here alone"]
    lying = measurement(**case.records, blocking=False, accessible=True, dns_consistency="inconsistent")
    assert judged(lying) == judged(measurement(**case.records))


@pytest.mark.parametrize(
    ("title", "helpers", "alike"),
    [
        ("Default Page Here", "default page HERE", True),
        ("Welcome to the site", "Welcome at the page", True),
        ("Welcome home again", "Welcome home", False),
        ("خبر روز", "خبر دیگر", False),
        ("", "", True),
    ],
)
def test_titles_are_compared_by_their_long_words(title: str, helpers: str, *, alike: bool) -> None:
    page = f"<title>{title}</title>" if title else "no title"
    found = judged(measurement(**plain(body=page), control=helper(title=helpers)))
    assert found.title_match is alike


def test_proportions() -> None:
    found = judged(measurement(**plain(body="x" * 80), control=helper(length=100)))
    assert (found.body_proportion, found.body_length_match) == (0.8, True)
    found = judged(measurement(**plain(body="x" * 70), control=helper(length=100)))
    assert (found.body_proportion, found.body_length_match) == (0.7, False)
    found = judged(measurement(**plain(body=""), control=helper(length=100)))
    assert (found.body_proportion, found.body_length_match) == (0.0, None)


# Version 0.4 and older ------------------------------------------------------------------------------------------------


def old(**records: Any) -> bytes:
    """A measurement whose records say neither depth nor transaction."""
    keys = json.loads(measurement(**records))
    for name in ("queries", "tcp_connect", "tls_handshakes", "requests"):
        for record in keys["test_keys"][name] or ():
            record.pop("tags")
            record.pop("transaction_id")
            record.pop("address", None)
    for query in keys["test_keys"]["queries"] or ():
        query["engine"] = "system"
    keys["test_keys"].pop("x_control_request")
    return json.dumps(keys).encode()


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        pytest.param(
            {"queries": [lookup(RIGHT)], "tcp_connect": [connect()], "requests": [request()], "control": helper()},
            "fine", id="fine",
        ),
        pytest.param({**plain(body=OLD_PAGE, headers={"A": "b"}), "control": helper()}, "http-diff", id="diff"),
        pytest.param({**plain("connection_reset"), "control": helper()}, "http-failure", id="reset"),
        pytest.param(
            {**plain("generic_timeout_error"), "tcp_connect": [connect(port=80, failure="generic_timeout_error")],
             "control": helper()},
            "tcp_ip", id="dropped",
        ),
        pytest.param(
            {"queries": [lookup(failure="dns_nxdomain_error")], "requests": [request(failure="dns_nxdomain_error")],
             "control": helper()},
            "dns", id="no name",
        ),
        pytest.param(
            {**plain("connection_reset"), "control": helper(http="connection_reset")}, "down", id="down",
        ),
        pytest.param(
            {**plain("connection_reset"), "control": helper(), "control_failure": "eof_error"}, "unknown",
            id="no control",
        ),
    ],
)  # fmt: skip
def test_older_versions(records: dict[str, Any], verdict: str) -> None:
    assert in_a_word(judged(old(**records))) == verdict


# OONI's own corpus ----------------------------------------------------------------------------------------------------


def test_oonis_own_cases(outside: Path) -> None:
    """Every case of the emulator corpus of ooni/probe-cli: the label, and what the probe wrote, from raw records."""
    corpus = outside / "measurement" / "ooni_wc_qa"
    labels = json.loads((corpus / "LABELS.json").read_text())
    assert labels
    for label in labels:
        line = (corpus / label["case"] / "measurement.json").read_bytes()
        found = judged(line)
        told = keys_of(decode(line), Recorded)
        for name in label.keys() & set(found.__struct_fields__):
            assert getattr(found, name) == label[name], (label["case"], name)
        for name in told.__struct_fields__:
            assert getattr(found, name) == getattr(told, name), (label["case"], name)
