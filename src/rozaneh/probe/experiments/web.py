"""Web Connectivity, in the order of OONI's experiment of that name, version 0.5 (ooni/spec, ts-017).

The system's resolver, one over UDP and an encrypted one are asked side by side; so is a control vantage. Then every
address that any of them named is dialled: TCP, TLS, the page. Redirects are followed, ten at most; one that leads to
an address that is none of the public internet is not: a page must not make a probe knock at its owner's router. Where
the site speaks HTTP/3 it is asked over QUIC too. If the page does not come, the pairs of attempts that a check makes
are made here as well.

OONI's own verdict can be derived from what is seen (:mod:`rozaneh.ooni`); the verdict here is ours.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import anyio
import msgspec

from rozaneh.codecs.http1 import redirected
from rozaneh.core import Attempt, TargetError
from rozaneh.core.addresses import is_bogon
from rozaneh.diagnosis import Control, Evidence, Role, Tried
from rozaneh.diagnosis.readings import answers, location, status
from rozaneh.probe.experiment import Experiment, Tools
from rozaneh.probe.experiments.finding import Finding, Line, found
from rozaneh.probe.services import Endpoint
from rozaneh.words import mark

NAME = "web_connectivity"
MOST_REDIRECTS = 10
_MOST_ADDRESSES = 8
_REDIRECTS = (301, 302, 303, 307, 308)


class Hop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page on the way: its status and where it leads, or why it was not asked for or did not come."""

    url: str
    status: int = 0
    location: str = ""
    failure: str = ""
    refused: str = ""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """One address of the name: who named it, and how far a dial there came."""

    address: str
    named_by: tuple[str, ...]
    failure: str


class WebConnectivity(msgspec.Struct, frozen=True, kw_only=True):
    """The result.

    Attributes:
        lookups: the addresses that each resolver named: ``system``, ``udp``, ``encrypted``, ``control``.
        addresses: each address, and how far a dial there came.
        hops: the page and its redirects.
        quic: whether it came over HTTP/3; none where that was not tried.
        control_asked: whether a control vantage answered.
    """

    lookups: dict[str, tuple[str, ...]]
    addresses: tuple[Address, ...]
    hops: tuple[Hop, ...]
    quic: bool | None
    control_asked: bool


async def run(tools: Tools, endpoint: Endpoint) -> Finding:
    """Ask, dial, follow; explain where that fails."""
    web = _Web(tools, endpoint)
    await web.look_up()
    async with anyio.create_task_group() as group:
        group.start_soon(web.dial_every_address)
        group.start_soon(web.follow)
    hops, last = web.hops, web.last
    if hops[-1].failure and last is not None:
        experiment = Experiment(last, tools, typed_by_hand=True)
        await experiment.run()
        evidence = experiment.evidence
    else:
        await web.over_quic()
        evidence = web.evidence()
    keys = WebConnectivity(
        lookups=web.lookups,
        addresses=tuple(web.addresses),
        hops=tuple(hops),
        quic=web.quic,
        control_asked=bool(web.control),
    )
    return found(NAME, (last or endpoint).url, evidence, keys, *_said(keys))


class _Web:
    def __init__(self, tools: Tools, endpoint: Endpoint) -> None:
        self.tools = tools
        self.endpoint = endpoint
        self.last: Endpoint | None = endpoint
        self.lookups: dict[str, tuple[str, ...]] = {}
        self.addresses: list[Address] = []
        self.hops: list[Hop] = []
        self.quic: bool | None = None
        self.control: tuple[Control, ...] = ()
        self._tried: list[Tried] = []
        self._page: Attempt | None = None

    async def look_up(self) -> None:
        """Three resolvers side by side, then the control with what they said."""
        host, tools = self.endpoint.target.host, self.tools
        if self.endpoint.target.is_literal:
            self.lookups["literal"] = (host,)
        else:
            async with anyio.create_task_group() as group:
                group.start_soon(self._system)
                group.start_soon(self._datagrams)
                group.start_soon(self._encrypted)
        known = tuple(dict.fromkeys(a for named in self.lookups.values() for a in named if not is_bogon(a)))
        self.control = await tools.controls.ask(self.endpoint, known[:_MOST_ADDRESSES])
        self.lookups["control"] = tuple(dict.fromkeys(a for each in self.control for a in each.addresses))

    async def _system(self) -> None:
        self._page = await self.tools.dials.plain(self.endpoint)
        self._tried.append(Tried(Role.SYSTEM, self._page))
        self.lookups["system"] = answers(self._page)

    async def _datagrams(self) -> None:
        for resolver in self.tools.vantages.plain_resolvers[:1]:
            attempt = await self.tools.lookups.by(f"dnsudp:{resolver}", self.endpoint.target.host)
            self.lookups["udp"] = answers(attempt)

    async def _encrypted(self) -> None:
        self.lookups["encrypted"] = (await self.tools.lookups.of(self.endpoint.target.host)).addresses

    async def dial_every_address(self) -> None:
        """TCP, TLS and the page at each address that anybody named, public ones alone."""
        named: dict[str, list[str]] = {}
        for who, addresses in self.lookups.items():
            for address in addresses:
                named.setdefault(address, []).append(who)
        public = [address for address in named if not is_bogon(address)][:_MOST_ADDRESSES]
        ended: dict[str, Attempt] = {}

        async def one(address: str) -> None:
            ended[address] = await self.tools.dials.plain(self.endpoint, (address,))

        async with anyio.create_task_group() as group:
            for address in public:
                group.start_soon(one, address)
        for address, by in named.items():
            attempt = ended.get(address)
            failure = "dns_bogon_error" if attempt is None else attempt.failure.value if attempt.failure else ""
            self.addresses.append(Address(address=address, named_by=tuple(by), failure=failure))
            if attempt is not None and set(by) & {"encrypted", "control", "literal"}:
                self._tried.append(Tried(Role.TRUSTED, attempt))

    async def follow(self) -> None:
        """The page and its redirects."""
        endpoint = self.endpoint
        attempt = self._page or await self.tools.dials.plain(endpoint)
        if self._page is None:
            self._tried.append(Tried(Role.SYSTEM, attempt))
        for _ in range(MOST_REDIRECTS + 1):
            where = location(attempt) if status(attempt) in _REDIRECTS else ""
            failure = attempt.failure.value if attempt.failure else ""
            self.hops.append(Hop(url=endpoint.url, status=status(attempt), location=where, failure=failure))
            self.last = endpoint
            if failure or not where:
                return
            following, refused = next_endpoint(endpoint, where, [hop.url for hop in self.hops])
            if following is None:
                self.hops.append(Hop(url=where, refused=refused))
                return
            endpoint = following
            attempt = await self.tools.dials.plain(endpoint)
        self.hops.append(Hop(url=endpoint.url, refused="too many redirects"))

    async def over_quic(self) -> None:
        """Once over HTTP/3, where the site is one of TLS."""
        if self.endpoint.kind != "https":
            return
        target = self.endpoint.target
        known = tuple(a.address for a in self.addresses if not a.failure)[:1]
        over = Endpoint(id="quic", url=f"quic://{target.authority}{target.path}", addresses=known)
        attempt = await self.tools.dials.plain(over)
        self.quic = attempt.ok

    def evidence(self) -> Evidence:
        """What was seen of the page itself."""
        return Evidence(
            tried=tuple(self._tried),
            trusted_answers=self.lookups.get("encrypted", ()) or self.endpoint.addresses,
            control=self.control,
            canaries=tuple(self.tools.canaries.seen),
            kind=self.endpoint.kind,
        )


def next_endpoint(now: Endpoint, where: str, before: Sequence[str]) -> tuple[Endpoint | None, str]:
    """The page that a redirect leads to, or why it is not asked for.

    A name is checked again when it has been resolved: the dialer passes over addresses that are none of the public
    internet.
    """
    try:
        url = redirected(now.url, where)
        if urlsplit(url).scheme not in ("http", "https"):
            return None, "not http or https"
        following = Endpoint(id="hop", url=url.partition("#")[0])
        target = following.target
    except (TargetError, ValueError):
        return None, "no address of a page"
    if target.is_literal and is_bogon(target.host):
        return None, "an address that is none of the public internet"
    if following.url in before:
        return None, "a page that was seen before"
    return following, ""


def _said(keys: WebConnectivity) -> tuple[Line, ...]:
    last = keys.hops[-1]
    lines = [
        Line(
            mark("{good} of {all} addresses of the name give the page; {hops} redirects were followed."),
            {
                "good": sum(not each.failure for each in keys.addresses), "all": len(keys.addresses),
                "hops": sum(bool(hop.location) for hop in keys.hops),
            },
        )
    ]  # fmt: skip
    if last.refused:
        lines.append(Line(mark("A redirect to {url} was not followed."), {"url": last.url}))
    if not keys.control_asked:
        lines.append(Line(mark("No control elsewhere answered, so that less can be told.")))
    return tuple(lines)
