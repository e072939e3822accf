"""HTTP/3 as a measurement: QUIC handshake, request and answer in datagrams of a network.

aioquic does the protocol without input or output of its own; here are the datagrams, the timers and the steps.
"""

import ssl
import time
from collections.abc import Callable

import anyio
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted

from rozaneh.codecs.http1 import Head
from rozaneh.core import Attempt, DialFailed, Failure, Op, Target
from rozaneh.net.api import Datagrams, Network, Report
from rozaneh.net.exchange import HEADERS, MOST_BODY, host_header
from rozaneh.net.resolve import resolve_target
from rozaneh.net.response import Response
from rozaneh.net.trace import Deadlines, Step, Trace
from rozaneh.net.trust import Trust

SPEC = "h3"
"""How such an attempt names its way; it is no dialer, because nothing else can be carried over it."""

_CRYPTO_ERROR = range(0x100, 0x200)  # RFC 9001 section 4.8: 0x100 plus the number of a TLS alert
# aioquic tells these two apart by their words alone.
_NO_VERSION = "Could not find a common protocol version"
_IDLE = "Idle timeout"


async def measure_quic(
    network: Network,
    target: Target,
    trust: Trust,
    *,
    sni: str | None = None,
    verify: bool = True,
    deadlines: Deadlines | None = None,
    report: Report | None = None,
    most_body: int = MOST_BODY,
    answered: Callable[[Response], None] | None = None,
) -> Attempt:
    """Get the target's path over HTTP/3, and return what happened.

    Args:
        network: where the datagrams go.
        target: what to reach; without addresses its host is resolved by the system's resolver.
        trust: whom to believe.
        sni: the name to ask for and to verify; the target's host when not given.
        verify: whether to check the certificate.
        deadlines: seconds for each kind of step.
        report: called once with the attempt, also when it is interrupted.
        most_body: bytes of body to read at most.
        answered: called once with the answer, where a whole one came.
    """
    trace = Trace(deadlines)
    started = time.time()
    failure: Failure | None = Failure.INTERRUPTED
    try:
        known = await resolve_target(network, target, trace)
        configuration = _configuration(trust, sni or target.host, verify=verify)
        response = await _measure(network, known, configuration, trace, most_body)
        if answered is not None:
            answered(response)
        failure = None
    except DialFailed as failed:
        failure = failed.failure
    finally:
        attempt = Attempt(
            target=target,
            spec=SPEC,
            started=started,
            took=round(trace.elapsed, 6),
            failure=failure,
            observations=trace.observations,
        )
        if report is not None:
            report(attempt)
    return attempt


def _configuration(trust: Trust, server_name: str, *, verify: bool) -> QuicConfiguration:
    configuration = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=server_name)
    configuration.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    configuration.cafile, configuration.capath = trust.locations()
    return configuration


async def _measure(
    network: Network, target: Target, configuration: QuicConfiguration, trace: Trace, most_body: int
) -> Response:
    address = target.addresses[0]
    peer = target.at().authority if target.is_literal else Target(host=address, port=target.port).authority
    connection = None
    try:
        name = configuration.server_name or ""
        verified = configuration.verify_mode == ssl.CERT_REQUIRED
        async with trace.step(Op.QUIC, peer=peer, sni=name, verified=False) as step:
            connection = _Connection(await network.connect_udp(address, target.port), configuration, step)
            await connection.run_until(lambda: connection.alpn is not None)
            step.tag(alpn=connection.alpn or "", verified=verified)
        return await _get(connection, target, trace, peer, most_body)
    finally:
        if connection is not None:
            with anyio.CancelScope(shield=True), anyio.move_on_after(trace.deadlines.close):
                await connection.aclose()


async def _get(connection: "_Connection", target: Target, trace: Trace, peer: str, most_body: int) -> Response:
    async with trace.step(Op.REQUEST, peer=peer) as step:
        connection.step = step
        await connection.request(target)
    async with trace.step(Op.FIRST_BYTE, peer=peer) as step:
        connection.step = step
        await connection.run_until(lambda: bool(connection.events))
    async with trace.step(Op.THROUGHPUT, peer=peer) as step:
        connection.step = step
        response = Response(most_body, anyio.current_time)
        try:
            while not _take(connection.events, response):
                await connection.run_until(lambda: bool(connection.events))
        finally:
            step.tag(**response.tags())
    return response


def _take(events: list[H3Event], response: Response) -> bool:
    """Feed what has come of the answer, and say whether there is enough of it."""
    ended = False
    while events:
        event = events.pop(0)
        if isinstance(event, HeadersReceived) and response.head is None:
            response.head = _head(event)
        elif isinstance(event, DataReceived):
            response.add(event.data)
        ended = ended or bool(getattr(event, "stream_ended", False))
    return ended or response.enough


def _head(event: HeadersReceived) -> Head:
    fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
    status = dict(fields).get(":status", "")
    if not (status.isascii() and status.isdigit() and len(status) == 3):
        raise DialFailed(Failure.HTTP_REQUEST_FAILED, "the answer has no status")
    return Head(status=int(status), headers=fields)


class _Connection:
    """A QUIC connection between its protocol core and the datagrams."""

    def __init__(self, datagrams: Datagrams, configuration: QuicConfiguration, step: Step) -> None:
        self.step = step
        self.alpn: str | None = None
        self.events: list[H3Event] = []
        self._datagrams = datagrams
        self._quic = QuicConnection(configuration=configuration)
        self._quic.connect(_PEER, now=anyio.current_time())
        self._http: H3Connection | None = None

    async def request(self, target: Target) -> None:
        """Send the request for the target's path."""
        self._http = H3Connection(self._quic)
        head = [(":method", "GET"), (":scheme", "https"), (":authority", host_header(target)), (":path", target.path)]
        fields = [(name.lower().encode(), value.encode()) for name, value in (*head, *HEADERS)]
        self._http.send_headers(self._quic.get_next_available_stream_id(), fields, end_stream=True)
        await self._flush()

    async def run_until(self, reached: Callable[[], bool]) -> None:
        """Exchange datagrams until something is so.

        Raises:
            DialFailed: the connection ended before.
            OSError: an ICMP error came back.
        """
        while not reached():
            await self._flush()
            timer = self._quic.get_timer()
            data = b""
            with anyio.move_on_after(None if timer is None else timer - anyio.current_time()):
                data = await self._datagrams.receive()
            now = anyio.current_time()
            if data:
                self.step.received += len(data)
                self._quic.receive_datagram(data, _PEER, now=now)
            else:
                self._quic.handle_timer(now=now)
            self._digest()

    async def _flush(self) -> None:
        for data, _ in self._quic.datagrams_to_send(now=anyio.current_time()):
            await self._datagrams.send(data)
            self.step.sent += len(data)

    def _digest(self) -> None:
        while (event := self._quic.next_event()) is not None:
            if isinstance(event, HandshakeCompleted):
                self.alpn = event.alpn_protocol or ""
            if isinstance(event, ConnectionTerminated):
                raise DialFailed(_failure_of(event), event.reason_phrase[:200])
            if self._http is not None:
                self.events += self._http.handle_event(event)

    async def aclose(self) -> None:
        """Say goodbye, and close the socket."""
        try:
            self._quic.close()
            await self._flush()
        except OSError:
            pass  # nobody there to say goodbye to
        finally:
            await self._datagrams.aclose()


_PEER = ("peer", 0)  # the socket is connected: aioquic only needs to see that all datagrams are of one peer


def _failure_of(end: ConnectionTerminated) -> Failure:
    reason = end.reason_phrase
    if reason == _NO_VERSION:
        return Failure.QUIC_INCOMPATIBLE_VERSION
    if reason == _IDLE:
        return Failure.GENERIC_TIMEOUT_ERROR
    if end.error_code not in _CRYPTO_ERROR:
        return Failure.CONNECTION_RESET
    if reason.startswith("hostname"):
        return Failure.SSL_INVALID_HOSTNAME
    if "unable to get" in reason or "self-signed" in reason or "self signed" in reason:
        return Failure.SSL_UNKNOWN_AUTHORITY
    return Failure.SSL_INVALID_CERTIFICATE if "certificate" in reason.lower() else Failure.SSL_FAILED_HANDSHAKE
