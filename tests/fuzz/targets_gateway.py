"""Targets of the gateway's own protocols: its page's requests, and whatever its guard is given."""

from contextlib import suppress

from rozaneh.codecs import dns_answer, socks5_udp
from rozaneh.core import RemoteFault
from rozaneh.gateway import picture_process
from rozaneh.gateway.page.guard import Guard, Turned
from rozaneh.gateway.page.request import Reader, Request
from rozaneh.gateway.watched import hours_of

_PLACE = "127.0.0.1:8080"
_FORM = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 60\r\n\r\n--b"
_BEGINS = (
    bytes.fromhex("ffd8ffc0000b080020002001011100"),  # a JPEG of 32 x 32, grey
    b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d494844520000002000000020080000000056112528"),
    b"RIFF\xff\x00\x00\x00WEBPVP8L",
)


def _read(pieces: list[bytes]) -> Request | str | None:
    reader = Reader()
    request = None
    try:
        for piece in pieces:
            request = request or reader.receive(piece)
    except RemoteFault as fault:
        return str(fault)
    return request


def fuzz_page_request(data: bytes) -> None:
    for prefix in (
        b"",
        b"GET /",
        b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        _FORM,
    ):
        whole = _read([prefix + data])
        bytewise = _read([(prefix + data)[at : at + 1] for at in range(len(prefix + data))])
        assert isinstance(whole, Request) == isinstance(bytewise, Request)


def fuzz_page_guard(data: bytes) -> None:
    """Nobody gets in without a code, whatever the headers say."""
    guard = Guard(_PLACE)
    guard.link()
    with suppress(RemoteFault):
        head = f"GET {guard.path}en/status HTTP/1.1\r\nHost: {_PLACE}\r\nCookie: ".encode()
        request = Reader().receive(head + data)
        assert request is None or isinstance(guard.judge(request), Turned)


def fuzz_udp_datagram(data: bytes) -> None:
    with suppress(RemoteFault):
        read = socks5_udp.unpack(data)
        assert socks5_udp.unpack(socks5_udp.pack(read.host, read.port, read.data)) == read


def fuzz_dns_question(data: bytes) -> None:
    with suppress(RemoteFault):
        asked = dns_answer.read_question(data)
        assert dns_answer.answer(asked, ("192.0.2.1", "2001:db8::1"), 60)


def fuzz_watched(data: bytes) -> None:
    for hour in hours_of(b'{"event":"round","reach":"open","time":"2022-09-21T16:00:00+04:30"}\n' + data):
        assert 0 <= hour.hour <= 23


def fuzz_picture(data: bytes) -> None:
    """Whatever begins as a picture is read or refused; the gateway does it in a process apart all the same."""
    for begins in (b"", *_BEGINS):
        with suppress(picture_process.Unread):
            assert all(isinstance(each, str) for each in picture_process.texts(begins + data))
