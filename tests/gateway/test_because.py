"""Why, in sentences: everything that it can be about has words, and in Persian no English ones are left in them."""

import datetime as dt
import re

import pytest

from rozaneh.core import Failure, Op
from rozaneh.finder import Why
from rozaneh.finder.table import Level, Table
from rozaneh.finder.why import Evidence, TriedWay
from rozaneh.gateway.because import because
from rozaneh.words import Words

_TABLE = Table.shipped()
_OBSTACLES = list(_TABLE.obstacles)
_PLACES = sorted({row.place for obstacle in _OBSTACLES for row in _TABLE.rows(obstacle)})
_NAMES = re.compile(
    r"TLS|QUIC|blocked\.example:443|doh:dns\.google@8\.8\.8\.8\|tcp|I5: bbs#1|rozaneh ways add --file -"
)


def said(language: str, **fields: object) -> str:
    why = Why(host="blocked.example", port=443, refused=False, **fields)  # type: ignore[arg-type]  # as its fields are
    return re.sub("[\u2066-\u2069]", "", "\n".join(because(why, Words(language))))


def evidence(level: Level, place: str) -> Evidence:
    return Evidence(
        level=level.value, place=place, seen=dt.date(2026, 6, 1), expired=level is Level.REASONED, source="I5: bbs#1",
        worked_here=2.0, failed_here=0.5,
    )  # fmt: skip


def test_in_persian_it_is_persian() -> None:
    way = "doh:dns.google@8.8.8.8|tcp"
    tried = [TriedWay(way=way, failure=failure.value, step=op.value, started=0.0, seconds=0.2, suggests={name: 1.0})
             for failure, op, name in zip(list(Failure) * 2, list(Op) * 9, _OBSTACLES * 9, strict=False)]  # fmt: skip
    for place in _PLACES:
        for level in Level:
            for obstacle in _OBSTACLES:
                text = said(
                    "fa", obstacle=obstacle, way=way, refusal="", evidence=evidence(level, place), tried=tuple(tried),
                    verified_again_in=600.0, needs_upstream=True,
                )  # fmt: skip
                assert not re.search("[A-Za-z]", _NAMES.sub("", text)), text


@pytest.mark.parametrize(
    ("failure", "step", "line"),
    [
        ("connection_reset", "tls_handshake", "tried tcp: it was broken off in the TLS handshake, after 0.20 s"),
        ("generic_timeout_error", "connect", "tried tcp: nothing came back when connecting, after 0.20 s"),
        ("ssl_unknown_authority", "", "tried tcp: the certificate was not the site's, after 0.20 s"),
    ],
)
def test_what_was_seen_is_told_in_words(failure: str, step: str, line: str) -> None:
    tried = TriedWay(way="tcp", failure=failure, step=step, started=0.0, seconds=0.2, suggests={"tls_name_reset": 1.0})
    lines = said("en", obstacle="tls_name_reset", way="tlsfrag:sni|tcp", tried=(tried,)).splitlines()
    seen = "connections are broken off as soon as its name is seen"
    assert lines == [
        f"blocked.example:443 is reached by tlsfrag:sni|tcp. Without that: {seen}.",
        line,
        f"that suggests: {seen}",
    ]


def test_how_a_way_is_known_is_told() -> None:
    works = said("en", obstacle="tls_name_reset", way="tcp", tried=(), evidence=evidence(Level.WORKS, "IR"))
    assert "it was seen to get past that in Iran, last on Monday 1 June 2026. Source: I5: bbs#1" in works
    guess = said("en", obstacle="tls_name_reset", way="tcp", tried=(), evidence=evidence(Level.REASONED, "IR"))
    assert "nobody has shown it in Iran" in guess
    assert "too old to count for more than a guess" in guess
