"""Facts about the whole network, from canaries that have nothing to do with the target."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from rozaneh.core import Failure, Op
from rozaneh.diagnosis import readings
from rozaneh.diagnosis.evidence import Canary, Zone
from rozaneh.diagnosis.readings import reading

NETWORK_FACTS = (
    "network.domestic.alive",
    "network.domestic.dead",
    "network.foreign.alive",
    "network.foreign.dead",
    "network.names.dead",
    "network.foreign_names.dead",
    "network.unreachable",
    "network.redirected",
    "network.certificates.wrong",
    "network.certificates.dated",
)

_DOMESTIC_LEAST = 2
_FOREIGN_LEAST = 3


def network_facts(canaries: Sequence[Canary]) -> Iterator[str]:
    """What the canaries show together.

    Domestic life takes two canaries in two networks. Foreign death takes three literal addresses in three networks, all
    without a single answer, so that neither a forged name nor one cut cable looks like it.
    """
    tried = [canary for canary in canaries if canary.attempt.failure != Failure.INTERRUPTED]
    over_tls = [canary for canary in tried if canary.attempt.target.speaks != "http"]
    domestic = [canary for canary in over_tls if canary.zone is Zone.DOMESTIC]
    foreign = [canary for canary in over_tls if canary.zone is Zone.FOREIGN]
    literal = [canary for canary in foreign if _literal(canary)]
    if len(_networks([canary for canary in domestic if canary.attempt.ok])) >= _DOMESTIC_LEAST:
        yield "network.domestic.alive"
    if len(_networks(domestic)) >= _DOMESTIC_LEAST and not any(map(_alive, domestic)):
        yield "network.domestic.dead"
    if any(map(_alive, foreign)):
        yield "network.foreign.alive"
    elif len(_networks(literal)) >= _FOREIGN_LEAST:
        yield "network.foreign.dead"
    yield from _name_facts(domestic, foreign, literal)
    if tried and all(reading(canary.attempt).endswith(".unreachable") for canary in literal or tried):
        yield "network.unreachable"
    yield from _certificate_facts(tried)
    if _redirected(tried):
        yield "network.redirected"


def _name_facts(domestic: list[Canary], foreign: list[Canary], literal: list[Canary]) -> Iterator[str]:
    names = [canary for canary in (*domestic, *foreign) if not _literal(canary)]
    abroad = [canary for canary in names if canary.zone is Zone.FOREIGN]
    if not any(map(_alive, literal)):
        return
    if len(names) >= _DOMESTIC_LEAST and not any(map(_resolved, names)):
        yield "network.names.dead"
    elif len(abroad) >= _DOMESTIC_LEAST and not any(map(_resolved, abroad)):
        yield "network.foreign_names.dead"


def _certificate_facts(tried: list[Canary]) -> Iterator[str]:
    shook = [canary for canary in tried if readings.tls_answered(canary.attempt)]
    wrong = [canary for canary in shook if reading(canary.attempt) == "tls.certificate"]
    if len(_networks(wrong)) >= _FOREIGN_LEAST and len(wrong) == len(shook):
        dated = all(canary.attempt.failure is Failure.SSL_INVALID_CERTIFICATE for canary in wrong)
        yield "network.certificates.dated" if dated else "network.certificates.wrong"


def _redirected(tried: list[Canary]) -> bool:
    """Plain requests to unrelated hosts are all answered with the way to one third host: a login page."""
    plain = [canary for canary in tried if canary.attempt.target.speaks == "http" and readings.status(canary.attempt)]
    hosts = {_host(readings.location(canary.attempt)) for canary in plain}
    return (
        len(plain) >= _DOMESTIC_LEAST
        and len(hosts) == 1
        and hosts.isdisjoint({None, *(c.attempt.target.host for c in plain)})
    )


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # whoever answers may write there what they like
        return None


def _networks(canaries: list[Canary]) -> set[str]:
    return {canary.network for canary in canaries}


def _alive(canary: Canary) -> bool:
    # A plain answer may be anybody's: what a captive portal says is no life abroad.
    return canary.attempt.target.speaks != "http" and readings.tls_answered(canary.attempt)


def _literal(canary: Canary) -> bool:
    return not any(True for _ in canary.attempt.steps(Op.RESOLVE))


def _resolved(canary: Canary) -> bool:
    return any(step.failure is None for step in canary.attempt.steps(Op.RESOLVE))
