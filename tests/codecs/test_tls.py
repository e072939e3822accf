import ssl
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.tls import (
    Alert,
    RecordCutter,
    ServerHello,
    cut_record,
    find_client_hello,
    middle_of_name,
    record_header,
    server_answer,
)
from rozaneh.core import RemoteFault

NAME = "blocked.example"


def client_hello(name: str | None = NAME, alpn: tuple[str, ...] = ("h2", "http/1.1")) -> bytes:
    """What OpenSSL sends first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


HELLO = client_hello()


def records(data: bytes) -> list[bytes]:
    """The payloads of a row of records."""
    found = []
    while data:
        header = record_header(data)
        assert header is not None
        found.append(data[5 : 5 + header.length])
        data = data[5 + header.length :]
    return found


def test_finds_the_name_and_where_it_stands() -> None:
    hello = find_client_hello(HELLO)
    assert hello is not None
    assert hello.server_name == NAME
    assert hello.alpn == ("h2", "http/1.1")
    assert bytes(HELLO[at] for at in hello.name_offsets) == NAME.encode()
    assert hello.end == len(HELLO)
    middle = middle_of_name(HELLO)
    assert middle is not None
    assert HELLO[: middle + 8].endswith(NAME[7:].encode())


def test_without_a_name() -> None:
    hello = find_client_hello(client_hello(None, ()))
    assert hello is not None
    assert (hello.server_name, hello.name_offsets, hello.alpn, hello.middle_of_name) == ("", (), (), None)


def test_the_name_is_found_across_records() -> None:
    middle = middle_of_name(HELLO)
    assert middle is not None
    cut = cut_record(HELLO, [1, middle - 5])
    hello = find_client_hello(cut)
    assert hello is not None
    assert hello.server_name == NAME
    assert bytes(cut[at] for at in hello.name_offsets) == NAME.encode()
    # A record begins between the two halves of the name.
    assert hello.name_offsets[-1] - hello.name_offsets[0] == len(NAME) - 1 + 5


def test_every_beginning_is_incomplete() -> None:
    assert all(find_client_hello(HELLO[:size]) is None for size in range(len(HELLO)))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n", "not a TLS handshake"),
        (b"\x16\x03\x01\x00\x00", "empty"),
        (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", "type 2"),
        (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", "ClientHello of"),
        (b"\x16\x02\x01\x00\x04", "not a TLS record"),
        (b"\x16\x03\x01\xff\xff", "not a TLS record"),
        (b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", "beyond its end"),
        (HELLO[:43] + b"\xff" + HELLO[44:], "beyond its end"),
    ],
)
def test_what_is_no_client_hello_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(RemoteFault, match=why):
        find_client_hello(data)
    assert middle_of_name(data) is None


@given(st.lists(st.integers(-10, len(HELLO) + 10), max_size=6))
def test_a_cut_record_carries_the_same_payload(positions: list[int]) -> None:
    cut = cut_record(HELLO, positions)
    pieces = records(cut)
    assert b"".join(pieces) == HELLO[5:]
    assert len(pieces) == 1 + len({at for at in positions if 0 < at < len(HELLO) - 5})
    assert all(cut[:3] == HELLO[:3] for _ in pieces)


def test_cuts_where_it_is_told() -> None:
    record = b"\x16\x03\x01\x00\x05hello"
    assert cut_record(record, [1, 3]) == b"\x16\x03\x01\x00\x01h\x16\x03\x01\x00\x02el\x16\x03\x01\x00\x02lo"


@pytest.mark.parametrize("record", [b"", b"\x16\x03\x01\x00\x05hell", b"\x16\x03\x01\x00\x05hello!"])
def test_only_one_whole_record_can_be_cut(record: bytes) -> None:
    with pytest.raises(RemoteFault, match="not one whole"):
        cut_record(record, [1])


def cutter() -> RecordCutter:
    return RecordCutter(lambda _: [1])


@given(st.lists(st.integers(0, len(HELLO) + 40)))
def test_the_cutter_gives_the_same_in_whatever_pieces_the_stream_comes(edges: list[int]) -> None:
    stream = HELLO + b"\x17\x03\x03 and what follows"
    whole = cutter().cut(stream)
    assert whole == cut_record(HELLO, [1]) + stream[len(HELLO) :]
    piecewise = cutter()
    places = sorted({0, len(stream), *(at for at in edges if at <= len(stream))})
    out = b"".join(piecewise.cut(stream[start:end]) for start, end in pairwise(places))
    assert out == whole
    assert piecewise.done


@pytest.mark.parametrize(
    "stream", [b"GET / HTTP/1.1\r\n\r\n", b"\x17\x03\x03\x00\x01x", b"\x16\x05\x01\x00\x01x", b"\x05"]
)
def test_the_cutter_passes_what_is_no_handshake(stream: bytes) -> None:
    each = cutter()
    assert b"".join(each.cut(stream[at : at + 1]) for at in range(len(stream))) == stream
    assert each.done


def test_the_cutter_does_not_hold_back_an_empty_record() -> None:
    assert cutter().cut(b"\x16\x03\x01\x00\x00rest") == b"\x16\x03\x01\x00\x00rest"


def test_recognises_the_answer_of_a_server() -> None:
    assert server_answer(b"\x16\x03\x03\x00\x7a\x02\x00") == ServerHello()
    assert server_answer(b"\x15\x03\x03\x00\x02\x02\x70") == Alert(level=2, description=112)
    assert server_answer(b"\x15\x03\x03\x00\x02\x02") is None
    for other in (b"HTTP/1.1 403", b"\x17\x03\x03\x00\x02ab"):
        with pytest.raises(RemoteFault):
            server_answer(other)


@given(st.binary(max_size=200), st.integers(0, len(HELLO)), st.integers(0, 255))
def test_wrong_bytes_are_a_hello_or_a_fault(noise: bytes, at: int, value: int) -> None:
    for data in (noise, HELLO[:at] + bytes([value]) + HELLO[at + 1 :], HELLO[:at] + noise):
        try:
            find_client_hello(data)
        except RemoteFault:
            continue
