"""QUIC and IPv6: whether these carriers get through where the older ones do."""

from collections.abc import Awaitable, Callable

import anyio

from rozaneh.core import Attempt, Target
from rozaneh.diagnosis import Evidence, Mechanism, Outcome, Role, Tried, Verdict, Who, judge
from rozaneh.net.exchange import tls_handshake
from rozaneh.probe.experiment import Experiment, Tools
from rozaneh.probe.experiments.finding import Finding, Line, Trial, Trials, found
from rozaneh.probe.experiments.plan import Try, evidence_of, pair, within
from rozaneh.probe.services import Endpoint
from rozaneh.words import mark

_SECONDS = 25.0


async def quic(tools: Tools, endpoint: Endpoint) -> Finding:
    """The target over HTTP/3 and over TCP, and hosts that are known to speak both.

    Where every host that speaks QUIC is silent over it and answers over TCP, the carrier is stopped; where those answer
    and the target does not, it is about the target.
    """
    over_udp = _over_quic(endpoint)
    experiment = Experiment(over_udp, tools)
    known = [Endpoint(id="known", url=f"https://{host}/") for host in tools.vantages.quic]
    tries = [Try("target", "tcp", _plain(tools, endpoint))]
    for each in known:
        host = each.target.host
        tries += [Try("known", f"{host} tcp", _plain(tools, each))]
        tries += [Try("known", f"{host} quic", _plain(tools, _over_quic(each)))]
    async with anyio.create_task_group() as group:
        group.start_soon(experiment.run)
        trials, attempts = await within(_SECONDS, [tries])
    evidence = experiment.evidence
    works = any(tried.attempt.ok for tried in evidence.tried if tried.role is Role.SYSTEM)
    shaped = [attempt for key, attempt in attempts.items() if key.startswith("known") and key.endswith("quic")]
    neutral = [attempt for key, attempt in attempts.items() if key.startswith("known") and key.endswith("tcp")]
    if not works and shaped and not any(attempt.ok for attempt in shaped):
        evidence = evidence_of(tools, endpoint, pair(shaped, neutral))
    own = [Trial.of("target", f"quic {tried.role}", tried.attempt) for tried in experiment.evidence.tried]
    keys = Trials(trials=(*own, *trials.trials), untried=trials.untried)
    said = mark("{name} answers over QUIC.") if works else mark("{name} does not answer over QUIC.")
    up = sum(attempt.ok for attempt in shaped)
    return found(
        "quic",
        over_udp.url,
        evidence,
        keys,
        Line(said, {"name": endpoint.target.host}),
        Line(mark("Of {all} hosts that are known to speak QUIC, {up} answer over it."), {"all": len(shaped), "up": up}),
    )


def _over_quic(endpoint: Endpoint) -> Endpoint:
    target = endpoint.target
    return Endpoint(id="quic", url=f"quic://{target.authority}{target.path}", addresses=endpoint.addresses)


def _plain(tools: Tools, endpoint: Endpoint) -> Callable[[], Awaitable[Attempt]]:
    async def make() -> Attempt:
        return await tools.dials.plain(endpoint)

    return make


async def ipv6(tools: Tools, endpoint: Endpoint) -> Finding:
    """Well-known places over both families, by literal addresses, in several networks.

    Many lines have no IPv6, or a broken one, without anybody's intent: from one line alone nothing more is concluded
    than that it works or does not.
    """
    tries = [
        Try("ipv6" if ":" in address else "ipv4", f"{name} {address}", _shake(tools, name, address))
        for name, addresses in tools.vantages.both_families.items()
        for address in addresses
    ]
    trials, attempts = await within(_SECONDS, [tries])
    works = {family: any(t.ok for t in trials.trials if t.group == family) for family in ("ipv4", "ipv6")}
    evidence = Evidence(
        tried=tuple(Tried(Role.SYSTEM, attempt) for key, attempt in attempts.items() if key.startswith("ipv6")),
        canaries=tuple(tools.canaries.seen),
        kind="tls",
    )
    verdict = judge(evidence)
    if verdict.verdict is Outcome.BLOCKED:
        verdict = Verdict(verdict=Outcome.CANNOT_TELL, mechanism=Mechanism.UNKNOWN, who=Who.UNKNOWN)
    said = {
        (True, True): mark("Both IPv4 and IPv6 reach places abroad."),
        (True, False): mark(
            "IPv4 reaches places abroad, IPv6 does not. Many lines have none: that alone is no blocking."
        ),
        (False, True): mark("IPv6 reaches places abroad, IPv4 does not."),
        (False, False): mark("Neither IPv4 nor IPv6 reaches any of the places abroad that were tried."),
    }[works["ipv4"], works["ipv6"]]
    return Finding(
        experiment="ipv6", target=endpoint.url, verdict=verdict, evidence=evidence, keys=trials, said=(Line(said),)
    )


def _shake(tools: Tools, name: str, address: str) -> Callable[[], Awaitable[Attempt]]:
    target = Target(host=name, port=443, speaks="https").at(address)

    async def shake() -> Attempt:
        return await tools.dials.attempt(target, tls_handshake(target, tools.dials.trust))

    return shake
