"""A request that is passed on ends where every other reader says it ends: h11 reads what leaves us."""

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rozaneh.codecs.http_connect import ConnectServer
from rozaneh.codecs.http_forward import Forward, forward
from rozaneh.core import RemoteFault

BODY = b"12345GET /smuggled HTTP/1.1\r\nHost: inside\r\n\r\n"
FIELDS = [
    b"Content-Length: 5",
    b"Content-Length: 5",
    b"Content-Length: 6",
    b"Content-Length: 5, 5",
    b"Content-Length: +5",
    b"Content-Length: 0x5",
    b"Content-Length: 5\t",
    b"Content-Length : 5",
    b" Content-Length: 5",
    b"content-length:5",
    b"Content-Length: \xb5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"transfer-encoding:\x0bchunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"Connection: content-length",
    b"Connection: close, transfer-encoding",
    b"TE: trailers",
    b"Upgrade: h2c",
    b"Host: other.example",
    b"Expect: 100-continue",
    b"\0: y",
    b"X-Long: " + b"a" * 5000,
]
LINES = [
    b"POST http://site.example/ HTTP/1.1",
    b"GET http://site.example HTTP/1.1",
    b"POST http://site.example/a%0d%0ab?c#d HTTP/1.1",
    b"POST http://site.example/a b HTTP/1.1",
    b"POST  http://site.example/ HTTP/1.1",
    b"POST http://site.example/\xff HTTP/1.1",
    b"POST http://site.example\\@other.example/ HTTP/1.1",
    b"POST http://[::1]:80/ HTTP/1.0",
    b"POST http://site.example:99999/ HTTP/1.1",
]


def passed_on(data: bytes) -> Forward | None:
    """What leaves us; none where the request is refused or no request yet."""
    try:
        head = ConnectServer().receive(data)
        return forward(head) if head is not None else None
    except RemoteFault:
        return None


@given(st.sampled_from(LINES), st.lists(st.sampled_from(FIELDS), max_size=5))
@example(LINES[0], FIELDS[:2])
@example(LINES[0], [FIELDS[0], FIELDS[17]])
def test_what_leaves_ends_where_h11_says(line: bytes, fields: list[bytes]) -> None:
    made = passed_on(b"\r\n".join([line, b"Host: x", *fields, b"", BODY]))
    if made is None:
        return
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(made.head + BODY[: made.body])
    request = reader.next_event()
    assert isinstance(request, h11.Request)
    named = [value for key, value in request.headers if key == b"host"]
    assert len(named) == 1
    assert made.host in named[0].decode().strip("[]")
    body = b""
    while isinstance(event := reader.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage), "everybody knows where it ends"
    assert body == BODY[: made.body]
    assert reader.trailing_data == (b"", False)
    assert not {key for key, _ in request.headers} & {b"transfer-encoding", b"te", b"upgrade", b"proxy-authorization"}


@pytest.mark.parametrize("field", FIELDS[11:17])
def test_a_request_without_a_length_never_leaves(field: bytes) -> None:
    assert passed_on(b"\r\n".join([LINES[0], b"Host: x", field, b"Content-Length: 5", b"", BODY])) is None
