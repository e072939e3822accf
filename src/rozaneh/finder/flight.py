"""The client's first bytes, and whether what comes back is an answer to them. Pure.

A connection through the gateway is tried in several ways with the client's own first bytes, its *flight*: a
ClientHello or a request. So the user's own TLS fingerprint is what the network sees, and no handshake of ours goes
before it. That is only right where sending the bytes twice does no harm. A ClientHello does none, and neither does GET
or HEAD; whatever else a client says goes out once, through one connection.
"""

from typing import Literal

import msgspec

from rozaneh.codecs import tls
from rozaneh.core import Failure, RemoteFault
from rozaneh.finder.blockpage import read_page

__all__ = ["Answer", "Flight", "FlightReader", "Verdict"]

Kind = Literal["tls", "http", "raw"]

_LONGEST_HELLO = 72 * 1024
_LONGEST_HEAD = 16 * 1024
_SAFE_METHODS = (b"GET ", b"HEAD ", b"OPTIONS ")
_METHODS = (*_SAFE_METHODS, b"POST ", b"PUT ", b"DELETE ", b"PATCH ", b"TRACE ", b"CONNECT ")
_LONGEST_METHOD = max(map(len, _METHODS))


class Flight(msgspec.Struct, frozen=True, kw_only=True):
    """A client's first bytes.

    Attributes:
        data: what each way is tried with; empty when the client waits for the server to speak.
        rest: what came after it, for the connection that wins alone.
        kind: what it is.
        name: the name that it shows on the wire: of the ClientHello, or the Host of a request.
        replayable: whether it may be sent more than once.
    """

    data: bytes = b""
    rest: bytes = b""
    kind: Kind = "raw"
    name: str = ""
    replayable: bool = False


class FlightReader:
    """Collects a client's first bytes until they make a flight."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Flight | None:
        """Take bytes; none while more are needed to tell."""
        self._data += data
        if self._data[:1] == bytes([tls.HANDSHAKE]):
            return self._hello()
        if any(self._data.startswith(each) for each in _METHODS):
            return self._request()
        begun = self._data[:_LONGEST_METHOD]
        return None if any(each.startswith(begun) for each in _METHODS) else self.give_up()

    def give_up(self) -> Flight:
        """What there is, when no more comes: bytes that go out once."""
        return Flight(data=self._data)

    def _hello(self) -> Flight | None:
        try:
            hello = tls.find_client_hello(self._data)
            if hello is not None:
                end = _end_of_record(self._data, hello.end)
                if end is not None:
                    return Flight(
                        data=self._data[:end],
                        rest=self._data[end:],
                        kind="tls",
                        name=hello.server_name,
                        replayable=True,
                    )
        except RemoteFault:
            return self.give_up()
        return None if len(self._data) < _LONGEST_HELLO else self.give_up()

    def _request(self) -> Flight | None:
        head, blank, _ = self._data.partition(b"\r\n\r\n")
        if not blank:
            return None if len(self._data) < _LONGEST_HEAD else self.give_up()
        lines = head.split(b"\r\n")[1:]
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        # A body, or an upgrade to something else, makes even a GET more than a question.
        bare = not {b"content-length", b"transfer-encoding", b"upgrade", b"expect"} & fields.keys()
        end = len(head) + 4
        safe = bare and head.startswith(_SAFE_METHODS)
        return Flight(
            data=self._data[:end] if safe else self._data,
            rest=self._data[end:] if safe else b"",
            kind="http",
            name=fields.get(b"host", b"").decode("latin-1")[:253],
            replayable=safe,
        )


def _end_of_record(data: bytes, at: int) -> int | None:
    """Where the record ends in which the byte before ``at`` stands; none while it is incomplete."""
    end = 0
    while end < at:
        header = tls.record_header(data[end:])
        if header is None:
            return None
        end += tls.HEADER + header.length
    return end if end <= len(data) else None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer is.

    Attributes:
        failure: none when it is acceptable.
        facts: tags for the observation: ``status``, ``location``, ``body_head``, ``alert``.
        told: bytes of the answer that the client may see although it failed, because the server itself seems to say so.
    """

    failure: Failure | None = None
    facts: dict[str, str | int] = msgspec.field(default_factory=dict)
    told: bytes = b""


class Answer:
    """Reads the first bytes of an answer until it can be told whether it is one.

    Args:
        flight: what it should be an answer to.
        picky: whether a refusal by the service itself counts as a failure, because another way out of the country may
            do better.
    """

    def __init__(self, flight: Flight, *, picky: bool) -> None:
        self._kind = flight.kind
        self._picky = picky
        self.data = b""

    def feed(self, data: bytes) -> Verdict | None:
        """Take bytes; none while more are needed to tell."""
        self.data += data
        if self._kind == "tls":
            return self._tls()
        if self._kind == "http":
            return self._http(ended=False)
        return Verdict()

    def end(self) -> Verdict:
        """The server has finished sending."""
        if self._kind == "http" and self.data:
            return self._http(ended=True) or Verdict()
        return Verdict(failure=Failure.EOF_ERROR)

    def _tls(self) -> Verdict | None:
        try:
            answer = tls.server_answer(self.data)
        except RemoteFault:
            return Verdict(failure=Failure.SSL_FAILED_HANDSHAKE)
        if isinstance(answer, tls.Alert):
            return Verdict(
                failure=Failure.SSL_FAILED_HANDSHAKE, facts={"alert": answer.description}, told=self.data[:7]
            )
        return None if answer is None else Verdict()

    def _http(self, *, ended: bool) -> Verdict | None:
        page = read_page(self.data, ended=ended)
        if page is None:
            return None
        facts: dict[str, str | int] = {"status": page.status, "location": page.location, "body_head": page.body_head}
        facts = {name: value for name, value in facts.items() if value}
        if page.kind == "block" or not page.status:
            return Verdict(failure=Failure.HTTP_REQUEST_FAILED, facts=facts)
        if page.kind == "refusal" and self._picky:
            return Verdict(failure=Failure.HTTP_UNEXPECTED_STATUS_CODE, facts=facts, told=self.data)
        return Verdict(facts=facts)
