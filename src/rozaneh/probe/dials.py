"""Single attempts, each one call of ``measure``: what an experiment is made of."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import anyio
import msgspec

from rozaneh.core import Attempt, DialFailed, Element, Failure, Op, Spec, TagValue, Target
from rozaneh.diagnosis import signatures
from rozaneh.dialers import build
from rozaneh.net import ByteStream, Deadlines, Dialer, Exchange, Network, Trace, measure
from rozaneh.net.exchange import http_get, https_get, tls_handshake
from rozaneh.net.quic import measure_quic
from rozaneh.net.trust import Trust
from rozaneh.probe.first_packets import openvpn_reset, wireguard_initiation
from rozaneh.probe.pace import Pace
from rozaneh.probe.pulse import Pulse
from rozaneh.probe.services import Endpoint

DEADLINES = Deadlines(
    resolve=4.0, connect=3.6, proxy=4.0, tls_handshake=3.6, quic_handshake=3.0, request=3.0, first_byte=4.0,
    throughput=8.0, listen_late=0.2,
)  # fmt: skip
"""Seconds for a check. The kernel repeats a SYN after 1 and 3 s, so that a lost one is no black hole."""

MOST_BODY = 65_536
"""Bytes of a page that a check reads: enough for a rate and for signatures."""

_TIMES_STARVED = 3
_UDP_TRIES = 3
_UDP_WAIT = 1.0
_ECHO_WAIT = 2.5


@dataclass(frozen=True)
class Dials:
    """Makes attempts in one network.

    Attributes:
        network: where sockets come from.
        trust: whom to believe.
        pace: how much at once.
        pulse: whether this process got to run; an attempt that timed out while it did not is made again.
        deadlines: seconds for each kind of step.
        spoken_to: addresses at which something was said in attempts that then did not count; what was said may be
            punished there since.
    """

    network: Network
    trust: Trust
    pace: Pace
    deadlines: Deadlines = DEADLINES
    pulse: Pulse = field(default_factory=Pulse)
    spoken_to: set[str] = field(default_factory=set)

    async def plain(self, endpoint: Endpoint, addresses: Sequence[str] = ()) -> Attempt:
        """Dial an endpoint as programs do, at the addresses that the system's resolver gives, or at given ones."""
        target = endpoint.target.at(*addresses) if addresses else endpoint.target
        if endpoint.kind == "quic":
            return await self._quic(target, target.host)
        if endpoint.kind == "udp":
            return await self._udp(endpoint, target)
        attempt = await self.attempt(target, self._exchange(endpoint, target, verify=not endpoint.self_signed))
        if endpoint.issuer and attempt.failure is Failure.SSL_UNKNOWN_AUTHORITY:
            return await self._of_its_own_issuer(endpoint, target) or attempt
        return attempt

    async def named(self, endpoint: Endpoint, name: str, address: str) -> Attempt:
        """Dial an address with another name: in the handshake, or in the request where nothing is encrypted."""
        target = Target(
            host=name, port=endpoint.target.port, speaks=endpoint.target.speaks, path=endpoint.target.path
        ).at(address)
        if endpoint.kind == "quic":
            return await self._quic(target, name)
        if endpoint.kind == "http":
            return await self.attempt(target, http_get(target, most_body=MOST_BODY, look=known_texts))
        if endpoint.kind == "https":
            return await self.attempt(target, https_get(target, self.trust, verify=False, most_body=MOST_BODY))
        return await self.attempt(target, tls_handshake(target, self.trust, verify=False))

    async def transfer(self, target: Target, name: str, most_body: int) -> Attempt:
        """Get the path of a target under a name: the first bytes of it, and no more where the server can do that."""
        renamed = Target(host=name, port=target.port, speaks=target.speaks, path=target.path).at(*target.addresses)
        exchange = (
            http_get(renamed, most_body=most_body, part=True)
            if target.speaks == "http"
            else https_get(renamed, self.trust, verify=False, most_body=most_body, part=True)
        )
        return await self.attempt(renamed, exchange)

    async def unverified(self, endpoint: Endpoint, address: str) -> Attempt:
        """Shake hands without checking the certificate, to see whose it is."""
        target = endpoint.target.at(address)
        return await self.attempt(target, tls_handshake(target, self.trust, verify=False))

    async def shaped(self, target: Target, payload: bytes) -> Attempt:
        """Send bytes over TCP and wait for any answer."""

        async def exchange(stream: ByteStream, trace: Trace) -> None:
            async with trace.step(Op.REQUEST, peer=target.authority) as step:
                await stream.send(payload)
                step.sent += len(payload)
            async with trace.step(Op.FIRST_BYTE, peer=target.authority, deadline=_ECHO_WAIT) as step:
                step.received += len(await stream.receive())

        return await self.attempt(target, exchange)

    async def attempt(self, target: Target, exchange: Exchange | None, way: Dialer | None = None) -> Attempt:
        """One dial, by TCP unless another way is given."""
        dialer = way or build("tcp", self.network, trust=self.trust)

        async def once() -> Attempt:
            async with await measure(dialer, target, exchange=exchange, deadlines=self.deadlines) as measured:
                pass
            return measured.attempt

        return await self._while_we_run(target, once)

    async def datagrams(self, target: Target, payload: bytes, spec: str) -> Attempt:
        """Send a datagram, up to three times, and wait for any answer. The target's addresses are known."""
        return await self._while_we_run(target, partial(self._datagrams, target, payload, spec))

    async def _while_we_run(self, target: Target, once: Callable[[], Awaitable[Attempt]]) -> Attempt:
        """Make an attempt. Where it timed out while this process did not get to run, again; then it is no evidence."""
        async with self.pace.turn(target.host, target.addresses):
            for _ in range(_TIMES_STARVED):
                began = anyio.current_time()
                attempt = await once()
                if attempt.failure is not Failure.GENERIC_TIMEOUT_ERROR:
                    return attempt
                if not self.pulse.starved(began, anyio.current_time()):
                    return attempt
                self.spoken_to.update(reached(attempt))
        return msgspec.structs.replace(attempt, failure=Failure.INTERRUPTED)

    async def _datagrams(self, target: Target, payload: bytes, spec: str) -> Attempt:
        trace, started = Trace(self.deadlines), time.time()
        failure: Failure | None = None
        try:
            await self._exchange_datagrams(target, payload, trace)
        except DialFailed as failed:
            failure = failed.failure
        return Attempt(
            target=target,
            spec=spec,
            started=started,
            took=round(trace.elapsed, 6),
            failure=failure,
            observations=trace.observations,
        )

    async def _exchange_datagrams(self, target: Target, payload: bytes, trace: Trace) -> None:
        address = target.addresses[0] if target.addresses else ""
        if not address:
            async with trace.step(Op.RESOLVE, engine="system", query=target.host) as step:
                address = (await self.network.resolve(target.host, step))[0]
        async with trace.step(Op.FIRST_BYTE, peer=f"{address}:{target.port}", deadline=_UDP_TRIES * _UDP_WAIT) as step:
            socket = await self.network.connect_udp(address, target.port)
            try:
                for _ in range(_UDP_TRIES):
                    await socket.send(payload)
                    step.sent += len(payload)
                    with anyio.move_on_after(_UDP_WAIT):
                        step.received += len(await socket.receive())
                        return
                raise DialFailed(Failure.GENERIC_TIMEOUT_ERROR, "no datagram came back")
            finally:
                await socket.aclose()

    async def _udp(self, endpoint: Endpoint, target: Target) -> Attempt:
        known = target.at(target.host) if target.is_literal else target
        return await self.datagrams(known, first_packet(endpoint), endpoint.shape)

    async def _quic(self, target: Target, name: str) -> Attempt:
        return await self._while_we_run(
            target,
            partial(
                measure_quic, self.network, target, self.trust, sni=name, deadlines=self.deadlines, most_body=MOST_BODY
            ),
        )

    async def _of_its_own_issuer(self, endpoint: Endpoint, target: Target) -> Attempt | None:
        """The same without checking the certificate, if that turns out to be by the service's own authority."""
        attempt = await self.attempt(target, self._exchange(endpoint, target, verify=False))
        shown = [str(step.tag("issuer")) for step in attempt.steps(Op.TLS)]
        return attempt if any(endpoint.issuer in issuer for issuer in shown) else None

    def _exchange(self, endpoint: Endpoint, target: Target, *, verify: bool) -> Exchange | None:
        if endpoint.kind == "https":
            return https_get(target, self.trust, verify=verify, most_body=MOST_BODY, look=known_texts)
        if endpoint.kind == "http":
            return http_get(target, most_body=MOST_BODY, look=known_texts)
        if endpoint.kind == "tls":
            return tls_handshake(target, self.trust, verify=verify)
        return None


def reached(attempt: Attempt) -> tuple[str, ...]:
    """The addresses to which a TCP connection came about."""
    return tuple(host_of(step.peer) for step in attempt.steps(Op.CONNECT) if step.failure is None)


def host_of(peer: str) -> str:
    """The address of a peer."""
    return peer.rpartition(":")[0].strip("[]")


def known_texts(body: bytes) -> dict[str, TagValue]:
    """The signatures in a body, however deep they stand; of the body itself the head alone is kept."""
    found = signatures().in_body(body)
    return {"signatures": found} if found else {}


def first_packet(endpoint: Endpoint) -> bytes:
    """The datagram with which a client of an endpoint begins."""
    return wireguard_initiation(endpoint.public_key) if endpoint.shape == "wireguard" else openvpn_reset()


@dataclass(frozen=True)
class LookupOnly:
    """Reaches the resolver and nothing else: below a resolving dialer it makes a lookup without a dial."""

    inner: Dialer
    resolver: str

    @property
    def spec(self) -> Spec:
        """The way to the resolver."""
        return self.inner.spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial the resolver; for any other target, stop: its addresses stand in the trace by now."""
        if target.host == self.resolver:
            return await self.inner.dial(target, trace)
        raise DialFailed(Failure.INTERRUPTED, "looked up, as was asked")


def element_of(text: str) -> Element:
    """The one element of a resolver's spec."""
    return Spec.parse(text).elements[0]
