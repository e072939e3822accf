"""Which subjects are domestic, and which speak one protocol; from the catalogue of services."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
import numpy as np

from rozaneh.observatory.catalogue import catalogue
from rozaneh.observatory.events.claims import Claim, together
from rozaneh.observatory.events.counts import Counts, as_float
from rozaneh.observatory.events.states import posterior
from rozaneh.observatory.subjects import QUIC, is_domestic

DOMESTIC = 5
"""Measurements of domestic subjects from which it is told whether they work."""

_PHASE = 12  # hours
_EACH = 2.0  # nats that one measurement says
_RARE = (0.005, 0.005)  # chances of an hour that it changes

PROTOCOLS: dict[str, frozenset[str]] = {
    "encrypted-dns": frozenset({"google-dns", "cloudflare-dns", "quad9-dns", "adguard-dns"}),
    "tor": frozenset({"tor", "tor-bridges"}),
    "vpn": frozenset({"wireguard", "openvpn", "proton-vpn", "psiphon"}),
}
"""Services that have nothing in common but their protocol."""

THEMSELVES = frozenset({"tor", "openvpn", "wireguard"})
"""Services that are a protocol: any of its servers would do, so that one of them tells."""


class GroupSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the rule; what they mean stands beside them in ``rules.toml``."""

    services_least: int
    hours_apart: int


def domestic_subjects(country: str) -> Callable[[str], bool]:
    """Whether a subject stands in the country: by the catalogue, which knows Iran's, or by its top-level domain."""
    known = {service.id for service in catalogue()["domestic"]} if country == "IR" else set()
    return lambda subject: subject in known or is_domestic(subject, country)


def at_home_phases(counts: Counts, rows: np.ndarray, first: int, last: int) -> list[tuple[int, int]]:
    """The parts of a cut in which what is at home keeps working, or keeps not working; one where nobody can tell."""
    if not len(rows) or last - first < 2 * _PHASE:
        return [(first, last)]
    n = as_float(counts.n[rows, first:last]).sum(0)
    k = as_float(counts.kinds["failed"][rows, first:last]).sum(0)
    says = np.where(n > 0, (2 * k - n) * _EACH, 0.0)
    odds, _ = posterior(says[None], *_RARE)
    down = odds[:, 0] > 1
    edges = [0, *(np.flatnonzero(np.diff(down.astype(np.int8))) + 1).tolist(), last - first]
    ends = [edge for before, edge in pairwise(edges) if edge - before >= _PHASE]
    return [(first + a, first + b) for a, b in pairwise([0, *ends[:-1], last - first])]


def as_protocols(claims: Sequence[Claim], settings: GroupSettings) -> list[Claim]:
    """Blocks of services that speak one protocol and began together become one blocked protocol."""
    left = list(claims)
    made: list[Claim] = []
    for name in [*PROTOCOLS, QUIC]:
        while (group := _group(left, name, settings)) is not None:
            left = [claim for claim in left if claim not in group]
            whole = together(group)
            made.append(msgspec.structs.replace(whole, kind="protocol_block", rule="protocol-groups"))
    return left + made


def _speaks(name: str, service: str) -> bool:
    return service.startswith(QUIC) if name == QUIC else service in PROTOCOLS[name]


def _group(claims: Sequence[Claim], name: str, settings: GroupSettings) -> list[Claim] | None:
    blocks = sorted(
        (c for c in claims if c.kind == "block" and all(_speaks(name, service) for service in c.services)),
        key=lambda claim: (claim.start, claim.services, claim.networks),
    )
    for first in blocks:
        near = [c for c in blocks if 0 <= c.start - first.start <= settings.hours_apart and c.before == first.before]
        services = {service for claim in near for service in claim.services}
        if len(services) >= settings.services_least or services & THEMSELVES:
            return near
    return None
