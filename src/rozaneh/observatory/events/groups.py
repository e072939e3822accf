"""Which subjects are domestic, and which speak one protocol; from the catalogue of services."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files

import msgspec

from rozaneh.observatory.events.claims import Claim, together
from rozaneh.observatory.subjects import is_domestic

DOMESTIC = 5
"""Measurements of domestic subjects from which it is told whether they work."""

QUIC = "quic."
"""What stands before a service that is measured over QUIC."""

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


class _Service(msgspec.Struct, frozen=True):
    id: str


class _File(msgspec.Struct, frozen=True):
    service: tuple[_Service, ...] = ()


@cache
def _of_catalogue() -> frozenset[str]:
    data = (files("rozaneh") / "probe" / "catalogue" / "domestic.toml").read_bytes()
    return frozenset(service.id for service in msgspec.toml.decode(data, type=_File).service)


def domestic_subjects(country: str) -> Callable[[str], bool]:
    """Whether a subject stands in the country: by the catalogue, which knows Iran's, or by its top-level domain."""
    known = _of_catalogue() if country == "IR" else frozenset()
    return lambda subject: subject in known or is_domestic(subject, country)


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
