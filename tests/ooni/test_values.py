import json

import pytest
from msgspec import Raw

from rozaneh.ooni import values


def raw(value: object) -> Raw:
    return Raw(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("سلام", "سلام".encode()),
        ({"data": "//4=", "format": "base64"}, b"\xff\xfe"),
        ({"data": "not base64!", "format": "base64"}, b""),
        ({"data": "AAAA", "format": "rot13"}, b""),
        (None, b""),
        (7, b""),
        ([[]], b""),
    ],
)
def test_content_is_text_or_base64_or_nothing(value: object, expected: bytes) -> None:
    assert values.content(raw(value)) == expected
    assert values.text(raw(value)) == expected.decode("utf-8", "replace")


def test_the_list_of_headers_comes_before_the_mapping() -> None:
    listed = raw([["A", "1"], ["A", {"data": "Mg==", "format": "base64"}], ["odd"]])
    mapped = raw({"A": "1", "B": ["2", "3"]})
    assert values.header_pairs(listed, mapped) == [("A", "1"), ("A", "2")]
    assert values.header_pairs(raw(None), mapped) == [("A", "1"), ("B", "2")]
    assert values.header_pairs(raw("junk"), raw("junk")) == []


def test_annotations_become_texts() -> None:
    assert values.annotations(raw({"a": "x", "b": 2, "c": None})) == {"a": "x", "b": "2", "c": ""}
    assert values.annotations(raw(["a"])) == {}


def test_certificates_and_events_and_late_answers() -> None:
    assert values.certificates(raw([{"data": "AQI=", "format": "base64"}, None])) == [b"\x01\x02"]
    assert values.certificates(raw({"no": "list"})) == []
    assert values.leaf_certificate(raw([None, {"data": "AQI=", "format": "base64"}, "x"])) == b"\x01\x02"
    assert values.leaf_certificate(raw({"no": "list"})) == values.leaf_certificate(raw([])) == b""
    (event,) = values.network_events(raw([{"operation": "bytes_received_cumulative", "num_bytes": 7, "t": 1.5}]))
    assert (event.operation, event.num_bytes) == ("bytes_received_cumulative", 7)
    assert values.network_events(raw("junk")) == []
    (late,) = values.late_answers(raw([{"hostname": "x.example"}]))
    assert late.hostname == "x.example"
    assert values.late_answers(raw("junk")) == []


def test_tags() -> None:
    assert values.depth(["depth=0", "depth=3", "depth"]) == 3
    assert values.depth(["depth=x"]) is None
    assert values.depth(None) is None
    assert values.fetches_body(["fetch_body=true"])
    assert not values.fetches_body(["fetch_body=false"])
