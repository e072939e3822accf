"""What still gets through: names, addresses, ports, protocols, packet sizes, in order of usefulness, within a budget.

On a network run on an allowlist the question is not what is blocked but what is not. The order is that of what helps
most to get further: anything abroad by name; by address; encrypted lookups; ports; what may be spoken on them; UDP
and its sizes. Each group runs side by side and costs a few kilobytes; what the budget does not suffice for is named
as untried.
"""

import os
from collections.abc import Awaitable, Callable

from rozaneh.core import Attempt, Target
from rozaneh.diagnosis import Evidence, Role, Tried, Zone
from rozaneh.net.exchange import http_get, tls_handshake
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments.finding import Finding, Line, Trials, found
from rozaneh.probe.experiments.kinds import kinds_of_traffic
from rozaneh.probe.experiments.plan import Try, client_hello, sends, within
from rozaneh.probe.services import Endpoint
from rozaneh.words import mark

NAME = "what-works"
BUDGET_SECONDS = 25.0
_TCP_PORTS = (443, 80, 53, 22, 8443)
_UDP_PORT = 51820
_UDP_SIZES = (64, 400, 1200, 1452)

_GROUPS = {
    "name": mark("places by their name"),
    "address": mark("places abroad by their address"),
    "plain": mark("places abroad without encryption"),
    "lookup": mark("ways to look names up"),
    "quic": mark("QUIC (HTTP/3)"),
    "port": mark("ports"),
    "protocol": mark("kinds of traffic"),
    "udp size": mark("sizes of UDP packets, in bytes"),
}
"""What a person calls each group."""


async def run(tools: Tools, endpoint: Endpoint, *, seconds: float = BUDGET_SECONDS) -> Finding:
    """Go through the groups, the most useful first."""
    trials, attempts = await within(
        seconds, [_names(tools), _addresses(tools), _lookups(tools), _quic(tools), *_echo(tools)]
    )
    first = [attempt for key, attempt in attempts.items() if key.startswith(("name ", "address "))]
    best = next((attempt for attempt in first if attempt.ok), next(iter(first), None))
    evidence = Evidence(
        tried=(Tried(Role.SYSTEM, best),) if best else (), canaries=tuple(tools.canaries.seen), kind="tls"
    )
    return found(NAME, endpoint.url, evidence, trials, *_said(trials))


def _names(tools: Tools) -> list[Try]:
    """Hosts by name over TLS, domestic ones too."""
    sites = [site for site in tools.vantages.canary if not site.plain and not site.address]
    return [Try("name", site.name, _shake(tools, site.target)) for site in sites]


def _addresses(tools: Tools) -> list[Try]:
    """Hosts abroad at literal addresses, over TLS and in the clear."""
    sites = [site for site in tools.vantages.canary if site.address and site.zone is Zone.FOREIGN]
    return [
        Try("plain" if site.plain else "address", f"{site.name} {site.address}", _shake(tools, site.target))
        for site in sites
    ]


def _lookups(tools: Tools) -> list[Try]:
    """Resolvers abroad by every carrier."""
    host = tools.vantages.neutral
    specs = [*tools.vantages.resolvers]
    for address in tools.vantages.plain_resolvers:
        specs += [f"dnsudp:{address}", f"dnstcp:{address}"]
    return [Try("lookup", spec, _ask(tools, spec, host)) for spec in specs]


def _quic(tools: Tools) -> list[Try]:
    host = Endpoint(id="quic", url=f"quic://{tools.vantages.neutral}/")

    async def make() -> Attempt:
        return await tools.dials.plain(host)

    return [Try("quic", tools.vantages.neutral, make)]


def _echo(tools: Tools) -> list[list[Try]]:
    """Ports, protocols and sizes, where there is a server abroad that answers anything."""
    echo = tools.vantages.echo
    if not echo:
        return []
    hello = client_hello(tools.vantages.neutral)
    ports = [Try("port", str(port), _send(tools, Target(host=echo, port=port).at(echo), hello)) for port in _TCP_PORTS]
    spoken = [
        Try("protocol", kind, _send(tools, Target(host=echo, port=443).at(echo), payload))
        for kind, payload in kinds_of_traffic(tools.vantages.neutral)
    ]
    sizes = [Try("udp size", str(size), _datagram(tools, echo, size)) for size in _UDP_SIZES]
    return [ports, spoken, sizes]


def _shake(tools: Tools, target: Target) -> Callable[[], Awaitable[Attempt]]:
    async def make() -> Attempt:
        exchange = (
            http_get(target, most_body=4096) if target.speaks == "http" else tls_handshake(target, tools.dials.trust)
        )
        return await tools.dials.attempt(target, exchange)

    return make


def _ask(tools: Tools, spec: str, host: str) -> Callable[[], Awaitable[Attempt]]:
    async def make() -> Attempt:
        return await tools.lookups.answered(spec, host)

    return make


def _send(tools: Tools, target: Target, payload: bytes) -> Callable[[], Awaitable[Attempt]]:
    async def make() -> Attempt:
        return await tools.dials.attempt(target, sends(target, payload))

    return make


def _datagram(tools: Tools, echo: str, size: int) -> Callable[[], Awaitable[Attempt]]:
    async def make() -> Attempt:
        return await tools.dials.datagrams(Target(host=echo, port=_UDP_PORT).at(echo), os.urandom(size), "udp")

    return make


def _said(trials: Trials) -> tuple[Line, ...]:
    works = [trial for trial in trials.trials if trial.ok]
    groups = dict.fromkeys(trial.group for trial in trials.trials)
    lines = [Line(mark("{works} of {all} kinds of access work."), {"works": len(works), "all": len(trials.trials)})]
    for group in groups:
        spoken = {"group": _GROUPS[group]}
        good = ", ".join(trial.name for trial in works if trial.group == group)
        bad = ", ".join(trial.name for trial in trials.trials if trial.group == group and not trial.ok)
        if good and bad:
            lines.append(
                Line(
                    mark("{group}: these work: {good}; these do not: {bad}."),
                    {"good": good, "bad": bad},
                    spoken,
                )
            )
        elif good:
            lines.append(Line(mark("{group}: all work: {good}."), {"good": good}, spoken))
        else:
            lines.append(Line(mark("{group}: none works: {bad}."), {"bad": bad}, spoken))
    if trials.untried:
        lines.append(Line(mark("Not tried, for want of time: {untried}."), {"untried": ", ".join(trials.untried)}))
    return tuple(lines)
