"""Handshakes over QUIC are a target of their own, beside the page over TCP."""

from typing import Any

import pytest

from rozaneh.diagnosis import Mechanism, Outcome, judge
from rozaneh.ooni import decode
from rozaneh.ooni.evidence import evidence_of
from rozaneh.ooni.sights import sights
from tests.ooni.build import HOST, OTHER, RIGHT, connect, handshake, helper, lookup, measurement, request

SILENCE = "generic_timeout_error"


def over_quic(failure: str | None = SILENCE) -> list[dict[str, Any]]:
    return [
        {**handshake(address, failure, transaction=60001 + i), "network": "udp"}
        for i, address in enumerate((RIGHT, OTHER))
    ]


def page(**more: Any) -> bytes:
    keys: dict[str, Any] = {
        "queries": [lookup(RIGHT, OTHER)],
        "tcp_connect": [connect()],
        "tls_handshakes": [handshake()],
        "requests": [request()],
        "quic_handshakes": over_quic(),
    }
    return measurement(**(keys | more))


def told(*, works: bool) -> dict[str, Any]:
    seen = {"server_name": HOST, "status": works, "failure": None if works else SILENCE}
    return {**helper(), "quic_handshake": {f"{RIGHT}:443": seen}}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"control": told(works=True)}, (Outcome.BLOCKED, Mechanism.QUIC_SILENCE)),
        ({"control": told(works=False)}, (Outcome.DOWN, Mechanism.SITE_DOWN)),
        ({}, (Outcome.CANNOT_TELL, Mechanism.UNKNOWN)),
        ({"quic_handshakes": over_quic()[:1], "control": told(works=True)}, (Outcome.CANNOT_TELL, Mechanism.UNKNOWN)),
        ({"quic_handshakes": over_quic(None), "control": told(works=True)}, (Outcome.OK, Mechanism.NONE)),
    ],
    ids=["works elsewhere", "fails elsewhere", "no control", "once", "works"],
)
def test_silence_is_a_block_where_it_works_elsewhere(more: dict[str, Any], expected: tuple[Outcome, Mechanism]) -> None:
    first, second = map(judge, evidence_of(decode(page(**more))))
    assert first.verdict is Outcome.OK, "what is said of the page does not change"
    assert (second.verdict, second.mechanism) == expected


def test_urlgetter_keeps_both_kinds_in_one_list() -> None:
    answered = {**request(transaction=60001), "network": "udp"}
    keys: dict[str, Any] = {
        "queries": [lookup(RIGHT, OTHER)],
        "tls_handshakes": over_quic(None),
        "requests": [answered],
    }
    (alone,) = sights(decode(measurement(test="urlgetter", **keys)))
    assert (alone.kind, alone.host, len(alone.dials)) == ("quic", HOST, 2)
    assert [dial.http is not None for dial in alone.dials] == [True, False]
    keys |= {"tls_handshakes": [*over_quic(), handshake()], "tcp_connect": [connect()], "requests": [request()]}
    quic, tcp = sights(decode(measurement(test="urlgetter", **keys)))
    assert (quic.kind, {dial.ended for dial in quic.dials}) == ("quic", {"quic"})
    assert (tcp.kind, [dial.ended for dial in tcp.dials]) == ("https", [None])


def test_dnscheck_asks_over_both() -> None:
    lookups = {
        f"h3://{HOST}/dns-query": {"queries": [lookup(RIGHT)], "quic_handshakes": over_quic()[:1]},
        f"https://{HOST}/dns-query": {
            "queries": [lookup(RIGHT)], "tcp_connect": [connect()], "tls_handshakes": [handshake()],
        },
        f"dot://{HOST}/": None,
    }  # fmt: skip
    found = sights(decode(measurement(test="dnscheck", lookups=lookups)))
    assert [(sight.kind, sight.host, sight.dials[0].ended) for sight in found] == [
        ("quic", HOST, "quic"), ("tls", HOST, None),
    ]  # fmt: skip


@pytest.mark.parametrize("address", [None, "", "nowhere", "[::1", "1.2.3.4:99999", "1.2.3.4:x", "1.2.3.4:-1", "::"])
def test_an_odd_address_is_no_address(address: str | None) -> None:
    odd = [{**over_quic()[0], "address": address}]
    _, quic = sights(decode(page(quic_handshakes=odd)))
    assert quic.dials[0].port == 0
