"""Asking a control vantage, in the words of OONI's test helper (ooni/spec, ``backends/bk-003-web-connectivity.md``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio
import msgspec

from rozaneh.codecs.http1 import Body, End, Head
from rozaneh.codecs.http1 import Exchange as HttpExchange
from rozaneh.core import DialFailed, Failure, Op, RemoteFault, Target
from rozaneh.diagnosis import Control
from rozaneh.net import ByteStream, Trace
from rozaneh.net.tls import start_tls
from rozaneh.probe.dials import Dials
from rozaneh.probe.services import Endpoint
from rozaneh.probe.vantages import ControlSite

_LONGEST_ANSWER = 1 << 20
_SECONDS = 9.0
_MOST_ADDRESSES = 4
_UNKNOWN_AUTHORITY = "ssl_unknown_authority"


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    http_request: str
    http_request_headers: dict[str, list[str]]
    tcp_connect: list[str]
    x_quic_enabled: bool


class _Step(msgspec.Struct, frozen=True):
    status: bool = False
    failure: str | None = None


class _Page(msgspec.Struct, frozen=True):
    failure: str | None = None
    status_code: int = 0


class _Names(msgspec.Struct, frozen=True):
    failure: str | None = None
    addrs: list[str] | None = None


class _Answer(msgspec.Struct, frozen=True):
    """What a helper answers; keys that we do not use are passed over."""

    tcp_connect: dict[str, _Step] | None = None
    tls_handshake: dict[str, _Step] | None = None
    quic_handshake: dict[str, _Step] | None = None
    http_request: _Page = _Page()
    dns: _Names = _Names()


@dataclass(frozen=True)
class Controls:
    """The vantages of a run."""

    dials: Dials
    sites: tuple[ControlSite, ...]

    async def ask(self, endpoint: Endpoint, addresses: Sequence[str]) -> tuple[Control, ...]:
        """What every vantage sees of an endpoint; those that do not answer are left out.

        Args:
            endpoint: what the probe dials.
            addresses: addresses of it that are believed right.
        """
        if endpoint.kind in ("udp", "quic"):
            return ()
        answered: list[Control] = []

        async def one(site: ControlSite) -> None:
            answer = await self._ask(site, endpoint, addresses)
            if answer is not None:
                answered.append(answer)

        with anyio.move_on_after(_SECONDS):
            async with anyio.create_task_group() as group:
                for site in self.sites:
                    group.start_soon(one, site)
        return tuple(answered)

    async def _ask(self, site: ControlSite, endpoint: Endpoint, addresses: Sequence[str]) -> Control | None:
        target = endpoint.target
        url = str(target) if endpoint.kind in ("https", "http") else ""
        if endpoint.kind == "tls":
            url = f"https://{target.authority}/"
        places = [_place(address, target.port) for address in addresses[:_MOST_ADDRESSES]]
        if target.is_literal and not places:
            places = [target.authority]
        question = _Question(http_request=url, http_request_headers={}, tcp_connect=places, x_quic_enabled=False)
        heard = bytearray()

        async def exchange(stream: ByteStream, trace: Trace) -> None:
            secured = await start_tls(stream, trace, self.dials.trust, site.name, alpn=("http/1.1",))
            await _post(secured, trace, site.target, msgspec.json.encode(question), heard)

        attempt = await self.dials.attempt(site.target, exchange)
        if not attempt.ok:
            return None
        try:
            return _understood(msgspec.json.decode(bytes(heard), type=_Answer), site.name, endpoint)
        except msgspec.MsgspecError:
            return None


async def _post(stream: ByteStream, trace: Trace, target: Target, body: bytes, heard: bytearray) -> None:
    headers = [("Content-Type", "application/json"), ("Accept", "application/json")]
    exchange = HttpExchange("POST", target.path, target.host, headers=headers, body=body)
    async with trace.step(Op.REQUEST, peer=target.authority) as step:
        await stream.send(exchange.request)
        step.sent += len(exchange.request)
    async with trace.step(Op.FIRST_BYTE, peer=target.authority, deadline=_SECONDS) as step:
        ended = False
        while not ended:
            try:
                data = await stream.receive()
            except anyio.EndOfStream:
                data = b""
            step.received += len(data)
            try:
                events = exchange.receive(data)
            except RemoteFault as fault:
                raise DialFailed(Failure.HTTP_REQUEST_FAILED, str(fault)) from fault
            for event in events:
                if isinstance(event, Head) and event.status != 200:
                    raise DialFailed(Failure.HTTP_UNEXPECTED_STATUS_CODE, f"the vantage answers {event.status}")
                if isinstance(event, Body):
                    heard += event.data
                ended = ended or isinstance(event, End)
            if len(heard) > _LONGEST_ANSWER:
                raise DialFailed(Failure.HTTP_REQUEST_FAILED, "the vantage's answer is too long")


def _understood(answer: _Answer, vantage: str, endpoint: Endpoint) -> Control:
    tls = _any(answer.tls_handshake)
    http = None
    if endpoint.kind in ("https", "http"):
        http = answer.http_request.failure is None
    failure = answer.http_request.failure
    private = endpoint.issuer or endpoint.self_signed
    if private and _only_authority(answer):
        # The vantage does not know this service's own authority: that it got a certificate is all it can say.
        tls, http, failure = True, None, None
    return Control(
        vantage=vantage,
        addresses=tuple(answer.dns.addrs or ())[:16],
        dns=None if endpoint.target.is_literal else bool(answer.dns.addrs),
        tcp=_any(answer.tcp_connect),
        tls=tls if endpoint.kind in ("https", "tls") else None,
        http=http,
        quic=_any(answer.quic_handshake),
        status=max(answer.http_request.status_code, 0),
        failure=_failure(failure) if http is False else None,
    )


def _any(steps: dict[str, _Step] | None) -> bool | None:
    return any(step.status for step in steps.values()) if steps else None


def _only_authority(answer: _Answer) -> bool:
    failures = {step.failure for step in (answer.tls_handshake or {}).values() if not step.status}
    return failures == {_UNKNOWN_AUTHORITY}


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    return Failure(text) if text in set(Failure) else Failure.UNKNOWN_FAILURE


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
