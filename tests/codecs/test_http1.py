import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.http1 import Body, End, Event, Exchange, Head, redirected, title
from rozaneh.core import RemoteFault

ANSWER = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello"


def exchange(*, keep_open: bool = False) -> Exchange:
    return Exchange("GET", "/a?b", "example.org", headers=[("Accept", "*/*")], keep_open=keep_open)


def body(events: list[Event]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Body))


def test_writes_a_request() -> None:
    expected = b"GET /a?b HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    assert exchange().request == expected


def test_writes_a_body() -> None:
    post = Exchange("POST", "/q", "dns.example", body=b"abc", keep_open=True)
    assert post.request == b"POST /q HTTP/1.1\r\nHost: dns.example\r\nContent-Length: 3\r\n\r\nabc"


def test_reads_a_response() -> None:
    events = exchange().receive(ANSWER)
    assert events[0] == Head(status=200, headers=(("server", "x"), ("content-length", "5")))
    assert isinstance(events[0], Head)
    assert events[0].header("Server") == "x"
    assert events[0].header("Location") == ""
    assert body(events) == b"hello"
    assert events[-1] == End()


def test_passes_over_an_informational_response() -> None:
    events = exchange().receive(b"HTTP/1.1 103 Early Hints\r\n\r\n" + ANSWER)
    assert isinstance(events[0], Head)
    assert events[0].status == 200


def test_a_body_without_a_length_ends_with_the_stream() -> None:
    reading = exchange()
    assert End() not in reading.receive(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert reading.receive(b"") == [End()]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (b"", b"SSH-2.0-OpenSSH\r\n\r\n"),
        (ANSWER[:-1], b""),
        (b"HTTP/1.1 200", b""),
        (b"HTTP/1.1 200 OK\r\n", b"Content-Length: x\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 40000),
    ],
)
def test_what_is_no_response_is_refused(first: bytes, last: bytes) -> None:
    reading = exchange()
    if first:
        reading.receive(first)
    with pytest.raises(RemoteFault, match="not an HTTP response"):
        reading.receive(last)


@pytest.mark.parametrize("size", [1, 50, 1 << 20])
def test_what_costs_more_to_read_than_to_send_is_refused(size: int) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for whole, reason in (
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 101, "early answers"),
        (head + b"1\r\ny\r\n" * 4096 + b"1\r\ny", "small chunks"),
    ):
        peer = exchange()
        *before, last = (whole[start : start + size] for start in range(0, len(whole), size))
        for piece in before:
            peer.receive(piece)
        with pytest.raises(RemoteFault, match=reason):
            peer.receive(last)
    for chunk, many in ((b"10\r\n" + b"y" * 16 + b"\r\n", 6000), (b"1\r\ny\r\n", 4000)):
        assert exchange().receive(head + chunk * many + b"0\r\n\r\n")[-1] == End()


def test_what_follows_a_response_is_left_over() -> None:
    reading = exchange(keep_open=True)
    reading.receive(ANSWER + b"HTTP/1.1 2")
    assert reading.leftover == b"HTTP/1.1 2"


@pytest.mark.parametrize(("method", "path"), [("GE T", "/"), ("GET", "/\r\n"), ("GET", "/a b")])
def test_a_request_that_http_cannot_carry(method: str, path: str) -> None:
    with pytest.raises(RemoteFault, match="no HTTP request"):
        Exchange(method, path, "example.org")


@given(st.lists(st.binary(max_size=30)))
def test_byte_by_byte_is_as_the_whole(chunks: list[bytes]) -> None:
    parts = (f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks if chunk)
    stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + b"0\r\n\r\n"
    whole = exchange().receive(stream)
    reading = exchange()
    bytewise = [event for at in range(len(stream)) for event in reading.receive(stream[at : at + 1])]
    assert body(whole) == body(bytewise) == b"".join(chunks)
    assert whole[0] == bytewise[0]
    assert whole[-1] == bytewise[-1] == End()


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<html><TITLE lang=fa>\n M2-4 \n page</TITLE>", "M2-4 page"),
        ("<title>پیوندها</title>".encode(), "پیوندها"),
        (b"<title></title>", ""),
        (b"<title>never closed", ""),
        (b"<title>" + b"x" * 5000 + b"</title>", ""),
        (b"", ""),
    ],
)
def test_title(page: bytes, expected: str) -> None:
    assert title(page) == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (b"/a%20b?c#d", "https://e.example/a%20b?c#d"),
        ("/wiki/ایران".encode(), "https://e.example/wiki/ایران"),
        ("//ایران.example/".encode(), "https://ایران.example/"),
        (b"/caf\xe9?x=[1]", "https://e.example/caf%E9?x=[1]"),
    ],
)
def test_where_an_answer_leads(location: bytes, expected: str) -> None:
    assert redirected("https://e.example/one/two", location.decode("latin-1")) == expected
