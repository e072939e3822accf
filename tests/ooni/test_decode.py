import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rozaneh.ooni import BadMeasurement, decode, keys_of, web_keys
from rozaneh.ooni.decode import LONGEST_LINE
from tests.ooni.build import Recorded

GOOD: dict[str, Any] = {
    "annotations": {"platform": "linux"},
    "data_format_version": "0.2.0",
    "input": "https://www.example.com/",
    "measurement_start_time": "2022-10-01 16:00:00",
    "probe_asn": "AS44244",
    "probe_cc": "IR",
    "test_name": "web_connectivity",
    "test_keys": {
        "queries": [
            {
                "answers": [{"answer_type": "A", "ipv4": "10.10.34.35", "ttl": None}],
                "engine": "getaddrinfo",
                "failure": None,
                "hostname": "www.example.com",
                "query_type": "ANY",
                "t": 0.1,
                "tags": ["depth=0"],
                "transaction_id": 1,
            }
        ],
        "tcp_connect": [
            {"ip": "10.10.34.35", "port": 443, "status": {"failure": "connection_refused", "success": False}}
        ],
        "control": {"dns": {"failure": None, "addrs": ["93.184.216.34"]}, "tcp_connect": {}},
        "blocking": "dns",
        "accessible": False,
    },
}


def line(**changed: object) -> bytes:
    return json.dumps({**GOOD, **changed}).encode()


def keys(**changed: object) -> bytes:
    return line(test_keys={**GOOD["test_keys"], **changed})


def test_a_measurement_is_read() -> None:
    read = decode(line())
    assert (read.test_name, read.asn, read.country, read.address) == (
        "web_connectivity", 44244, "IR", "https://www.example.com/",
    )  # fmt: skip
    assert read.started == datetime(2022, 10, 1, 16, tzinfo=UTC)
    found = web_keys(read)
    assert found.queries
    assert found.tcp_connect
    assert found.control
    assert found.queries[0].answers
    assert found.queries[0].answers[0].ipv4 == "10.10.34.35"
    assert found.tcp_connect[0].failure == "connection_refused"
    assert keys_of(read, Recorded).blocking == "dns"


@pytest.mark.parametrize(
    "changed",
    [
        {"test_keys": None},
        {"annotations": None},
        {"input": ["a.example", "b.example"]},
        {"input": None},
        {"probe_asn": 44244},
        {"probe_asn": None, "probe_cc": None},
        {"some_new_key": {"a": [1, 2.5, None]}},
        {"measurement_start_time": None},
        {"data_format_version": 0.1},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_older_and_newer_shapes_are_read(changed: dict[str, object]) -> None:
    read = decode(line(**changed))
    assert read.test_name == "web_connectivity"
    web_keys(read)


@pytest.mark.parametrize(
    "changed",
    [
        {"queries": None, "requests": None, "control": None},
        {"control": {}},
        {"tcp_connect": [{"ip": "192.0.2.1", "port": "80", "status": {"failure": True, "success": False}}]},
        {"requests": [{"failure": "socks_error", "request": None, "response": None}]},
        {"requests": [{"response": {"body": {"data": "//4=", "format": "base64"}, "code": -1, "headers": {"A": 1}}}]},
        {"queries": [{"answers": [{"answer_type": "A", "ipv4": "192.0.2.1", "ttl": "299"}], "resolver_port": 53}]},
    ],
)
def test_older_and_newer_records_are_read(changed: dict[str, object]) -> None:
    web_keys(decode(keys(**changed)))


def test_test_keys_may_be_missing() -> None:
    assert web_keys(decode(b'{"test_name":"web_connectivity"}')).queries is None


def test_the_last_of_two_equal_keys_counts() -> None:
    assert decode(b'{"probe_cc":"DE","probe_cc":"IR"}').country == "IR"


_DEEP = b"[" * 200_000
_LONG = b"9" * 5000


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        pytest.param(b"", "$", id="empty"),
        pytest.param(b"{", "$", id="cut off"),
        pytest.param(b"[]", "$", id="a list"),
        pytest.param(b'{"test_runtime":NaN}', "byte 16", id="NaN"),
        pytest.param(b'{"test_runtime":' + _LONG + b"}", "$.test_runtime", id="5,000 digits"),
        pytest.param(b'{"test_runtime":1e999}', "$.test_runtime", id="infinite"),
        pytest.param(b'{"test_name":7}', "$.test_name", id="a number for a text"),
        pytest.param(b'{"test_name":"\\ud800"}', "$", id="a lone surrogate"),
        pytest.param(b'{"test_name":"\xff"}', "$", id="no UTF-8"),
        pytest.param(b'{"other":' + _DEEP + b"}", "nested", id="deep"),
        pytest.param(b'{"test_keys":' + _DEEP + b"}", "nested", id="deep test keys"),
        pytest.param(b'{"test_name":"' + b"a" * 5000 + b'"}', "$.test_name", id="a long name"),
        pytest.param(b"{}" + b" " * LONGEST_LINE, "longer", id="a long line"),
    ],
)
def test_a_bad_envelope_is_one_line_that_names_the_place(bad: bytes, place: str) -> None:
    with pytest.raises(BadMeasurement) as caught:
        decode(bad)
    text = str(caught.value)
    assert place in text
    assert text.isprintable()
    assert len(text) < 300


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"queries": 7}, "$.test_keys.queries"),
        ({"queries": [7]}, "$.test_keys.queries[0]"),
        ({"queries": [{"t": "soon"}]}, "$.test_keys.queries[0].t"),
        ({"tcp_connect": [{"port": 10**20}]}, "$.test_keys.tcp_connect[0].port"),
        ({"tcp_connect": [{"port": 65536}]}, "$.test_keys.tcp_connect[0].port"),
        ({"control": []}, "$.test_keys.control"),
        ({"queries": [{}] * 20_001}, "$.test_keys.queries"),
    ],
)
def test_bad_records_are_one_line_that_names_the_place(changed: dict[str, object], place: str) -> None:
    with pytest.raises(BadMeasurement) as caught:
        web_keys(decode(keys(**changed)))
    assert f"`{place}" in str(caught.value)
