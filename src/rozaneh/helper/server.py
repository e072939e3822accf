"""The helper's front: one POST on a connection, bounded in every way, and nothing remembered of it."""

import ssl
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus

import anyio
import h11
import msgspec
from anyio.abc import ByteStream, Listener, SocketAttribute
from anyio.streams.tls import TLSStream

from rozaneh.codecs.test_helper import LONGEST_QUESTION, Question, read_question
from rozaneh.core import RemoteFault
from rozaneh.helper.limits import Bounds, Limiter, client_of
from rozaneh.helper.vantage import Vantage, hosts_of
from rozaneh.net.streams import receive_or_nothing
from rozaneh.net.trace import NETWORK_ERRORS

_LONGEST_HEAD = 8192
_SEND_SECONDS = 10.0
_ABOUT = b"This is a control vantage of the OONI test helper protocol. Send a question with POST.\n"


class _Refused(Exception):
    """A question that is not answered."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass
class Server:
    """Answers probes.

    Attributes:
        vantage: what measures.
        bounds: what is given away.
        context: the TLS of the front; none for one behind a web server.
        forwarded: believe the last ``X-Forwarded-For`` of a client on loopback: for a helper behind a web server.
        counts: how many were answered, and refused with which status. Nothing else is kept.
    """

    vantage: Vantage
    bounds: Bounds = field(default_factory=Bounds)
    context: ssl.SSLContext | None = None
    forwarded: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._clients = Limiter(self.bounds.per_client)
        self._targets = Limiter(self.bounds.per_target)
        self._answering = 0
        self._connected = 0

    async def serve(self, listener: Listener[ByteStream]) -> None:
        """Answer until cancelled."""
        await listener.serve(self._connection)

    async def _connection(self, stream: ByteStream) -> None:
        if self._connected >= self.bounds.connections:
            self.counts["too many connections"] += 1
            await anyio.aclose_forcefully(stream)
            return
        self._connected += 1
        try:
            await self._converse(await self._secured(stream))
        except NETWORK_ERRORS:
            return  # the client went away, which is its right
        finally:
            self._connected -= 1
            with anyio.CancelScope(shield=True), anyio.move_on_after(1.0):
                await stream.aclose()

    async def _secured(self, stream: ByteStream) -> ByteStream:
        if self.context is None:
            return stream
        with anyio.fail_after(self.bounds.read_seconds):
            return await TLSStream.wrap(stream, server_side=True, ssl_context=self.context, standard_compatible=False)

    async def _converse(self, stream: ByteStream) -> None:
        peer = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST_HEAD)
        with anyio.move_on_after(self.bounds.read_seconds) as reading:
            try:
                request, body = await _read(peer, stream)
            except h11.RemoteProtocolError as error:
                await self._say(stream, error.error_status_hint or 400, b"{}")
                return
            except _Refused as refused:
                await self._refuse(stream, refused)
                return
        if reading.cancelled_caught:
            self.counts["too slow"] += 1
            return
        if request.method != b"POST":
            status = 200 if request.method in (b"GET", b"HEAD") else 405
            await self._say(stream, status, _ABOUT, "text/plain", head=request.method == b"HEAD")
            return
        try:
            answer = await self._answer(body, self._address(request, stream))
        except _Refused as refused:
            await self._refuse(stream, refused)
            return
        self.counts["answered"] += 1
        await self._say(stream, 200, answer)

    async def _answer(self, body: bytes, address: str) -> bytes:
        now = anyio.current_time()
        if not self._clients.take(client_of(address), now):
            raise _Refused(429, "too many questions from you; wait a minute")
        try:
            question = read_question(body)
            about = hosts_of(question.http_request, question.tcp_connect)
        except RemoteFault as fault:
            raise _Refused(400, str(fault)) from fault
        if not self._targets.take(about, now):
            raise _Refused(429, "too many questions about this target; wait a minute")
        if self._answering >= self.bounds.at_once:
            raise _Refused(503, "busy; ask again in a few seconds")
        self._answering += 1
        try:
            return await self._measure(question, address)
        finally:
            self._answering -= 1

    async def _measure(self, question: Question, address: str) -> bytes:
        try:
            answer = await self.vantage.answer(question, self.bounds.seconds)
            return msgspec.json.encode(msgspec.structs.replace(answer, x_client=self.vantage.client(address)))
        except RemoteFault as fault:
            raise _Refused(400, str(fault)) from fault

    def _address(self, request: h11.Request, stream: ByteStream) -> str:
        place = stream.extra(SocketAttribute.remote_address, ("", 0))
        address = str(place[0])
        if self.forwarded and client_of(address) in ("127.0.0.1", client_of("::1")):
            named = [value for name, value in request.headers if name == b"x-forwarded-for"]
            if named:
                address = named[-1].decode("latin-1").rpartition(",")[2].strip()
        return address

    async def _refuse(self, stream: ByteStream, refused: _Refused) -> None:
        self.counts[f"refused {refused.status}"] += 1
        await self._say(stream, refused.status, msgspec.json.encode({"error": str(refused)}))

    async def _say(
        self, stream: ByteStream, status: int, body: bytes, content: str = "application/json", *, head: bool = False
    ) -> None:
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            f"Content-Type: {content}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        if status in (429, 503):
            lines.append(f"Retry-After: {60 if status == 429 else 5}")
        said = "\r\n".join((*lines, "", "")).encode() + (b"" if head else body)
        with anyio.move_on_after(_SEND_SECONDS):
            await stream.send(said)


async def _read(peer: h11.Connection, stream: ByteStream) -> tuple[h11.Request, bytes]:
    """One request with its body. Raises h11's ``RemoteProtocolError``, or :class:`_Refused` for one too long."""
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = peer.next_event()
        if event is h11.NEED_DATA:
            if peer.they_are_waiting_for_100_continue:
                await stream.send(peer.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            peer.receive_data(await receive_or_nothing(stream))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LONGEST_QUESTION:
                raise _Refused(413, "the question is too long")
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, bytes(body)
        else:
            raise anyio.EndOfStream
