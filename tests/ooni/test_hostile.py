"""Measurements that are almost right: any value in any place gives a verdict or one line, and nothing else."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rozaneh.ooni import BadMeasurement, decode
from rozaneh.ooni.replay import Replayed, replay
from rozaneh.ooni.scores import score
from tests.ooni.build import FORGED, RIGHT, connect, handshake, helper, lookup, measurement, request

WHOLE: dict[str, Any] = json.loads(
    measurement(
        queries=[lookup(RIGHT), lookup(FORGED, transaction=10002), lookup(failure="dns_nxdomain_error", depth=1)],
        tcp_connect=[connect(), connect(FORGED, failure="generic_timeout_error", transaction=50002)],
        tls_handshakes=[handshake(failure="ssl_unknown_authority")],
        requests=[request(), request(status=302, headers={"Location": "https://x.example/"}, depth=1)],
        control=helper(),
    )
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a document."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [one for key, inner in value.items() for one in places(inner, (*path, key))]
    if isinstance(value, list):
        found += [one for index, inner in enumerate(value) for one in places(inner, (*path, index))]
    return found


def put(document: Any, path: tuple[str | int, ...], value: object) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value


ODD: st.SearchStrategy[object] = st.sampled_from(
    [
        None, True, -1, 0, 65536, 10**20, 1.5, "", "x", "depth=9", "10.10.34.36", "::1", "not an address",
        "https://[broken", "ssl_failed_handshake", "unknown_failure: 192.0.2.1", "\u202e", "a" * 5000, [], {}, [None],
        [[]], {"data": "AA==", "format": "base64"}, {"": None}, ["tag=", "depth=", "fetch_body=maybe"],
    ]
)  # fmt: skip


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.lists(st.tuples(st.sampled_from(places(WHOLE)), ODD), min_size=1, max_size=4), test=st.none() | ODD)
def test_any_value_in_any_place(changes: list[tuple[tuple[str | int, ...], object]], test: object) -> None:
    document = json.loads(json.dumps(WHOLE))
    for path, value in changes:
        try:
            put(document, path, value)
        except (TypeError, KeyError, IndexError):
            continue  # an earlier change took the place away
    if test is not None:
        document["test_name"] = test
    line = json.dumps(document).encode()
    said = ""
    try:
        assert isinstance(replay(line), Replayed)
        score(decode(line))
    except BadMeasurement as bad:
        said = str(bad)
    assert said.isprintable()
    assert not said or "$" in said


def test_what_was_not_changed_is_judged() -> None:
    found = replay(json.dumps(WHOLE).encode())
    assert found.classic is not None
    assert found.classic.dns_consistency == "inconsistent"
