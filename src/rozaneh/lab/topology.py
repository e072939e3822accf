"""The world of the lab as data: networks, hosts, services, names.

A *host* is one network stack with one cable; a *network* is an autonomous system and the prefixes it announces; a
*service* is what stands at some addresses and the names that lead there. The world that ships is
``lab/world/world.toml``; a scenario may add to it, and :meth:`World.merged` puts the two together. Nothing here does
anything: the wire reads the hosts and links, the servers read the services, the censors read the networks.

In TOML::

    [network.mobile]
    asn = 197207
    country = "IR"
    prefixes = ["10.77.0.0/16", "2a01:5ec0:77::/48"]

    [host.mobile]
    zone = "home"
    addresses = ["10.77.0.1", "2a01:5ec0:77::1"]
    resolvers = ["10.202.77.53"]
    link = { delay_ms = 2.0 }

    [[service]]
    kind = "web"
    names = ["example.org", "www.example.org"]
    addresses = ["93.184.216.34", "2606:2800:220::34"]
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cache, cached_property
from importlib import resources
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated

import msgspec

from rozaneh.core import LocalFault

Option = str | int | float | bool | list[str]
"""A setting of a service, whose meaning belongs to the service's kind."""

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
_Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Milliseconds = Annotated[float, msgspec.Meta(ge=0.0, le=10_000.0)]


class Zone(StrEnum):
    """Where a host stands, which decides whom its packets meet on the way."""

    HOME = "home"
    """A customer: behind the operator and, towards the world, behind the border."""
    ISP = "isp"
    """A machine of the operator itself, such as its resolver: before the operator's censor."""
    DOMESTIC = "domestic"
    """Inside the country, outside the operator: before the border."""
    WORLD = "world"
    """Beyond the border."""

    @property
    def inside(self) -> bool:
        """Whether this is on the country's side of the border."""
        return self is not Zone.WORLD


class Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cable between a host and the middle of the internet; both directions are alike.

    Attributes:
        delay_ms: one way. The round trip between two hosts is twice the sum of both their delays.
        jitter_ms: at most this much more, drawn evenly for each packet; never reorders by itself.
        loss: the share of packets lost.
        loss_burst: mean number of packets lost in a row (1: every loss is independent).
        reorder: the share of packets that wait no queue and overtake those before them.
        rate_mbit: million bits per second, 0 for no limit.
        queue_ms: a packet that would wait longer than this for the rate is dropped.
        mtu: the longest IP packet that the cable carries, in bytes.
    """

    delay_ms: _Milliseconds = 0.0
    jitter_ms: _Milliseconds = 0.0
    loss: _Fraction = 0.0
    loss_burst: Annotated[float, msgspec.Meta(ge=1.0, le=1000.0)] = 1.0
    reorder: _Fraction = 0.0
    rate_mbit: Annotated[float, msgspec.Meta(ge=0.0, le=100_000.0)] = 0.0
    queue_ms: _Milliseconds = 2000.0
    mtu: Annotated[int, msgspec.Meta(ge=1280, le=9000)] = 1500


class Host(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One network stack.

    Attributes:
        zone: where it stands.
        addresses: all of its addresses; the first of each family is the source of what it sends.
        resolvers: what its programs have in ``resolv.conf``.
        hops: routers between the border (or, for inside hosts, the operator) and this host.
        link: its cable.
        black_hole: nothing answers here, and routers stay silent about it.
    """

    zone: Zone
    addresses: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=4096)]
    resolvers: tuple[str, ...] = ()
    hops: Annotated[int, msgspec.Meta(ge=0, le=30)] = 0
    link: Link = Link()
    black_hole: bool = False


class Autonomous(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A network in the sense of routing: who owns which prefixes, and where.

    Attributes:
        asn: number of the autonomous system.
        prefixes: the blocks of addresses it announces.
        title: whose it is, in words.
        country: two letters; ``IR`` is inside.
    """

    asn: Annotated[int, msgspec.Meta(ge=1, le=4_294_967_295)]
    prefixes: tuple[str, ...]
    title: str = ""
    country: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}$")] = "ZZ"


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands at some addresses.

    Attributes:
        kind: which server; the kinds are those of :mod:`rozaneh.lab.world`.
        addresses: where; each belongs to a host.
        names: the names that resolve to all of ``addresses``.
        ports: instead of the kind's own.
        options: settings of the kind.
    """

    kind: str
    addresses: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    names: tuple[str, ...] = ()
    ports: tuple[Annotated[int, msgspec.Meta(ge=1, le=65535)], ...] = ()
    options: dict[str, Option] = {}


class World(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """All of it. A scenario's ``world`` table has this same form and may leave out everything.

    Attributes:
        network: autonomous systems by a short name; rules and ``--on`` use the name.
        host: hosts by name. The hosts of the zone ``home`` are where clients get their addresses.
        service: what is served.
        names: further names, for addresses where nothing or something else stands.
        sets: named sets of addresses and prefixes that rules match on.
        zone: the time zone of the country, for schedules.
    """

    network: dict[Name, Autonomous] = {}
    host: dict[Name, Host] = {}
    service: tuple[Service, ...] = ()
    names: dict[str, tuple[str, ...]] = {}
    sets: dict[str, tuple[str, ...]] = {}
    zone: str = "Asia/Tehran"

    def merged(self, addition: "World") -> "World":
        """This world with another's parts added; where both name the same thing the addition's wins.

        Raises:
            LocalFault: the sum is not a world, see :meth:`checked`.
        """
        if addition == World():
            return self
        return World(
            network={**self.network, **addition.network},
            host={**self.host, **addition.host},
            service=(*self.service, *addition.service),
            names={**self.names, **addition.names},
            sets={**self.sets, **addition.sets},
            zone=addition.zone if addition.zone != World().zone else self.zone,
        ).checked()

    def checked(self) -> "World":
        """Itself, if every address parses, belongs to one host alone, and every service stands on a host.

        Raises:
            LocalFault: naming the first place that is wrong.
        """
        for name, network in self.network.items():
            _each(_prefix, network.prefixes, f"$.network.{name}.prefixes")
        for name, host in self.host.items():
            _each(_address, host.addresses, f"$.host.{name}.addresses")
            _each(_address, host.resolvers, f"$.host.{name}.resolvers")
        owners = self._checked_owners()
        for index, service in enumerate(self.service):
            for text in service.addresses:
                if _address(text, f"$.service[{index}].addresses") not in owners:
                    raise LocalFault(f"{text} belongs to no host - at $.service[{index}].addresses")
        for name, addresses in self.names.items():
            _each(_address, addresses, f"$.names.{name}")
        for name, members in self.sets.items():
            _each(_prefix, members, f"$.sets.{name}")
        return self

    @cached_property
    def addresses_of(self) -> Mapping[str, tuple[str, ...]]:
        """Every name with all its addresses, in the order of the file."""
        found: dict[str, list[str]] = {}
        for service in self.service:
            for name in service.names:
                known = found.setdefault(name.lower(), [])
                known.extend(address for address in service.addresses if address not in known)
        found.update({name.lower(): list(addresses) for name, addresses in self.names.items()})
        return {name: tuple(addresses) for name, addresses in found.items()}

    def network_of(self, address: str) -> str | None:
        """The name of the network whose longest prefix holds an address, or none."""
        wanted = ip_address(address)
        best: tuple[int, str] | None = None
        for length, prefix, name in self._prefixes:
            if wanted in prefix and (best is None or length > best[0]):
                best = length, name
        return best[1] if best else None

    def host_of(self, address: str) -> str | None:
        """The name of the host that has an address, or none."""
        return self._owners.get(ip_address(address))

    def _checked_owners(self) -> dict["Address", str]:
        owners: dict[Address, str] = {}
        for name, host in self.host.items():
            for text in host.addresses:
                other = owners.setdefault(ip_address(text), name)
                if other != name:
                    raise LocalFault(f"{text} stands on two hosts, {other} and {name} - at $.host.{name}.addresses")
        return owners

    @cached_property
    def _prefixes(self) -> list[tuple[int, IPv4Network | IPv6Network, str]]:
        return [
            (prefix.prefixlen, prefix, name)
            for name, network in self.network.items()
            for prefix in map(ip_network, network.prefixes)
        ]

    @cached_property
    def _owners(self) -> dict["Address", str]:
        return {ip_address(text): name for name, host in self.host.items() for text in host.addresses}


Address = IPv4Address | IPv6Address


def parse_world(text: str | bytes, place: str) -> World:
    """A world from TOML.

    Args:
        text: the file's content.
        place: its name, for errors.

    Raises:
        LocalFault: one line that names the place and what was expected there.
    """
    try:
        return msgspec.toml.decode(text, type=World).checked()
    except msgspec.DecodeError as error:
        raise LocalFault(f"{place}: {error}") from error
    except LocalFault as error:
        raise LocalFault(f"{place}: {error}") from error


@cache
def default_world() -> World:
    """The world that ships with the lab, read once: every scenario is checked against it."""
    file = resources.files("rozaneh.lab.world").joinpath("world.toml")
    return parse_world(file.read_bytes(), "world.toml")


def _each(check: Callable[[str, str], object], texts: Iterable[str], place: str) -> None:
    for text in texts:
        check(text, place)


def _address(text: str, place: str) -> Address:
    try:
        return ip_address(text)
    except ValueError:
        raise LocalFault(f"Expected an IP address, got {text!r} - at {place}") from None


def _prefix(text: str, place: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise LocalFault(f"Expected an address or prefix, got {text!r} - at {place}") from None
