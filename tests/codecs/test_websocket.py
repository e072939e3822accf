from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.websocket import Frames, Handshake, Opened, Refused, accept, frame, masked
from rozaneh.core import RemoteFault

ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
)


def test_the_answer_to_the_rfc_s_key() -> None:
    assert accept(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3


def test_the_frames_of_the_rfc() -> None:  # RFC 6455 section 5.7
    mask = bytes.fromhex("37fa213d")
    assert frame(b"Hello", mask=mask, opcode=1) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert frame(b"Hello", mask=None, opcode=1) == bytes.fromhex("810548656c6c6f")
    assert frame(bytes(256), mask=None)[:4] == bytes.fromhex("827e0100")
    assert frame(bytes(65536), mask=None)[:10] == bytes.fromhex("827f0000000000010000")
    assert Frames().receive(bytes.fromhex("010348656c") + bytes.fromhex("80026c6f")) == b"Hello"


def test_the_request_asks_for_the_upgrade() -> None:
    made = Handshake("h.example", "/p?ed=1", headers=[("User-Agent", "x")], key=b"the sample nonce")
    assert made.request.startswith(
        b"GET /p?ed=1 HTTP/1.1\r\nHost: h.example\r\nUser-Agent: x\r\nUpgrade: websocket\r\n"
    )
    assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" in made.request
    assert made.receive((ANSWER % b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")[:-1]) is None
    assert made.receive(b"\nrest") == Opened()
    assert made.leftover == b"rest"


@pytest.mark.parametrize("answer", [ANSWER % b"wrong", b"SSH-2.0\r\n\r\n", b""])
def test_another_answer_is_a_fault(answer: bytes) -> None:
    with pytest.raises(RemoteFault):
        Handshake("h.example", "/").receive(answer)


def test_an_early_answer_is_no_end() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    made = Handshake("h.example", "/", key=b"the sample nonce")
    assert made.receive(early) is None
    assert made.receive(early + ANSWER % b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == Opened()
    with pytest.raises(RemoteFault, match="early answers"):
        Handshake("h.example", "/").receive(early * 3000)


def test_payload_is_passed_on_before_its_frame_is_whole() -> None:
    frames = Frames()
    assert frames.receive(b"\x82\x7f" + (1 << 24).to_bytes(8, "big") + b"begin") == b"begin"
    assert frames.receive(b"more") == b"more"


def test_pings_without_end_are_a_fault() -> None:
    with pytest.raises(RemoteFault, match="pings"):
        Frames().receive(b"\x89\x00" * 1000)


def test_a_refusal_has_its_status() -> None:
    assert Handshake("h.example", "/").receive(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n") == Refused(404)


def test_no_request_can_hold_a_line_end() -> None:
    with pytest.raises(RemoteFault):
        Handshake("h.example\r\nX: y", "/")


def test_a_ping_is_to_be_answered_and_a_close_ends() -> None:
    frames = Frames()
    pinged = frame(b"hi", mask=None, opcode=9) + frame(b"data", mask=None) + frame(b"\x03\xe8bye", mask=None, opcode=8)
    assert frames.receive(pinged + frame(b"late", mask=None)) == b"data"
    assert frames.replies == [(10, b"hi"), (8, b"\x03\xe8")]
    assert frames.closed


@pytest.mark.parametrize(
    "data",
    [
        b"\xc2\x00",
        frame(b"x", mask=b"abcd"),
        b"\x83\x00",
        b"\x82\x7f" + b"\xff" * 8,
        b"\x89\x7e\x01\x00",
    ],
)
def test_what_is_no_frame_is_a_fault(data: bytes) -> None:
    with pytest.raises(RemoteFault):
        Frames().receive(data)


@given(st.lists(st.binary(max_size=300), max_size=5), st.binary(min_size=4, max_size=4))
def test_frames_come_back_however_they_are_cut(pieces: list[bytes], mask: bytes) -> None:
    wire = b"".join(frame(piece, mask=mask) for piece in pieces)
    frames = Frames(expect_mask=True)
    assert Frames(expect_mask=True).receive(wire) == b"".join(pieces)
    assert b"".join(_each(frames, wire)) == b"".join(pieces)
    assert masked(masked(wire, mask), mask) == wire


def _each(frames: Frames, wire: bytes) -> Iterable[bytes]:
    return (frames.receive(wire[at : at + 1]) for at in range(len(wire)))
