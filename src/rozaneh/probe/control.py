"""Asking control vantages, in the words of OONI's test helper (ooni/spec, ``backends/bk-003-web-connectivity.md``).

Several are asked at once, because one can be wrong or lie. A vantage that is blocked here is reached by another way,
where the caller gives one; and what a vantage said earlier stands in for it, with its age, when it cannot be reached at
all. What is no answer counts as none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import msgspec

from rozaneh.codecs.test_helper import LONGEST_ANSWER, Answer, Question, Tcp, Tls, read_answer
from rozaneh.core import Attempt, Failure, RemoteFault
from rozaneh.core.target import is_ip
from rozaneh.diagnosis import Control
from rozaneh.net import ByteStream, Dialer, Trace
from rozaneh.net.tls import start_tls
from rozaneh.probe.dials import Dials
from rozaneh.probe.posting import post
from rozaneh.probe.remembered import Remembered
from rozaneh.probe.services import Endpoint
from rozaneh.probe.vantages import ControlSite
from rozaneh.probe.whereabouts import Whereabouts

_SECONDS = 9.0
_OTHER_WAY_AFTER = 1.5
_MOST_ADDRESSES = 4
_UNKNOWN_AUTHORITY = "ssl_unknown_authority"


@dataclass(frozen=True)
class Controls:
    """The vantages of a run.

    Attributes:
        dials: how to dial.
        sites: which.
        way: another way to a vantage that does not answer directly.
        remembered: what vantages said before; what they say now is added.
        whereabouts: told where vantages see this probe.
    """

    dials: Dials
    sites: tuple[ControlSite, ...]
    way: Dialer | None = None
    remembered: Remembered = field(default_factory=Remembered)
    whereabouts: Whereabouts = field(default_factory=Whereabouts)

    async def ask(self, endpoint: Endpoint, addresses: Sequence[str]) -> tuple[Control, ...]:
        """What every vantage sees of an endpoint; those that do not answer, and never did, are left out.

        Args:
            endpoint: what the probe dials.
            addresses: addresses of it that are believed right.
        """
        if endpoint.kind in ("udp", "quic"):
            return ()
        answered: dict[str, Control] = {}

        async def one(site: ControlSite) -> None:
            answer = await self._ask(site, endpoint, addresses)
            if answer is not None:
                answered[site.name] = answer
                self.remembered.keep(endpoint, answer)

        with anyio.move_on_after(_SECONDS):
            async with anyio.create_task_group() as group:
                for site in self.sites:
                    group.start_soon(one, site)
        earlier = [self.remembered.said(endpoint, site.name) for site in self.sites if site.name not in answered]
        return (*answered.values(), *(control for control in earlier if control is not None))

    async def _ask(self, site: ControlSite, endpoint: Endpoint, addresses: Sequence[str]) -> Control | None:
        question = _question(endpoint, addresses)
        found: list[Control] = []
        async with anyio.create_task_group() as group:

            async def by(way: Dialer | None, over: anyio.Event) -> None:
                answer = await self._ask_by(way, site, question)
                if answer is not None and not found:
                    if way is None and answer.x_client is not msgspec.UNSET:
                        self.whereabouts.hear(site.name, answer.x_client.asn, answer.x_client.cc)
                    shown = "" if way is None else way.spec.redacted()
                    found.append(_understood(answer, site.name, endpoint, shown))
                    group.cancel_scope.cancel()
                over.set()

            for way in (None, self.way) if self.way is not None else (None,):
                over = anyio.Event()
                group.start_soon(by, way, over)
                with anyio.move_on_after(_OTHER_WAY_AFTER):
                    await over.wait()
        return found[0] if found else None

    async def _ask_by(self, way: Dialer | None, site: ControlSite, question: Question) -> Answer | None:
        heard = bytearray()

        async def exchange(stream: ByteStream, trace: Trace) -> None:
            secured = await start_tls(stream, trace, self.dials.trust, site.name, alpn=("http/1.1",))
            await post(secured, trace, site.target, msgspec.json.encode(question), heard, longest=LONGEST_ANSWER)

        attempt: Attempt = await self.dials.attempt(site.target, exchange, way)
        if not attempt.ok:
            return None
        try:
            return read_answer(bytes(heard))
        except RemoteFault:
            return None  # rubbish is no answer


def _question(endpoint: Endpoint, addresses: Sequence[str]) -> Question:
    target = endpoint.target
    url = str(target) if endpoint.kind in ("https", "http") else ""
    if endpoint.kind == "tls":
        url = f"https://{target.authority}/"
    places = [_place(address, target.port) for address in addresses[:_MOST_ADDRESSES]]
    if target.is_literal and not places:
        places = [target.authority]
    return Question(http_request=url, tcp_connect=places)


def _understood(answer: Answer, vantage: str, endpoint: Endpoint, way: str) -> Control:
    tls = _any(answer.tls_handshake)
    http = None
    if endpoint.kind in ("https", "http"):
        http = answer.http_request.failure is None
    failure = answer.http_request.failure
    private = endpoint.issuer or endpoint.self_signed
    if private and _only_authority(answer):
        # The vantage does not know this service's own authority: that it got a certificate is all it can say.
        tls, http, failure = True, None, None
    addresses = tuple(address for address in answer.dns.addrs or () if is_ip(address))[:16]
    return Control(
        vantage=vantage,
        addresses=addresses,
        dns=None if endpoint.target.is_literal else bool(addresses),
        tcp=_any(answer.tcp_connect),
        tls=tls if endpoint.kind in ("https", "tls") else None,
        http=http,
        quic=_any(answer.quic_handshake),
        status=max(answer.http_request.status_code, 0),
        failure=_failure(failure) if http is False else None,
        way=way,
        answer=msgspec.json.encode(msgspec.structs.replace(answer, x_client=msgspec.UNSET)).decode(),
    )


def _any(steps: dict[str, Tcp] | dict[str, Tls] | None) -> bool | None:
    return any(step.status for step in steps.values()) if steps else None


def _only_authority(answer: Answer) -> bool:
    failures = {step.failure for step in (answer.tls_handshake or {}).values() if not step.status}
    return failures == {_UNKNOWN_AUTHORITY}


def _failure(text: str | None) -> Failure | None:
    if text is None:
        return None
    return Failure(text) if text in set(Failure) else Failure.UNKNOWN_FAILURE


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
