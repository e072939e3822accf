"""The lab world as censors know it: which network an address belongs to, what names resolve to, where routers stand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network

from rozaneh.core import LocalFault
from rozaneh.lab.topology import World, Zone

_MOST_REMEMBERED = 8192


@dataclass(slots=True)
class AddressSet:
    """Addresses and blocks, for one question: is this address in it?"""

    _exact: frozenset[bytes]
    _blocks: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "AddressSet":
        """From texts of addresses and blocks."""
        exact, blocks = set(), []
        for text in texts:
            block = ip_network(text, strict=False)
            if block.num_addresses == 1:
                exact.add(block.network_address.packed)
            else:
                blocks.append((block.max_prefixlen // 8, int(block.network_address), int(block.netmask)))
        return cls(frozenset(exact), tuple(blocks))

    def __contains__(self, address: bytes) -> bool:
        if address in self._exact:
            return True
        if not self._blocks:
            return False
        number, size = int.from_bytes(address, "big"), len(address)
        return any(size == width and number & mask == first for width, first, mask in self._blocks)


@dataclass(slots=True)
class WorldView:
    """What every censor of one lab shares; built once per world.

    Attributes:
        world: the world, a scenario's additions included.
    """

    world: World
    _networks: dict[bytes, tuple[str, str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, world: World) -> "WorldView":
        """The view of a world."""
        return cls(world)

    def place_of(self, address: bytes) -> tuple[str, str, int]:
        """Network name, zone and AS number of an address; empty texts and 0 where nobody owns it."""
        known = self._networks.get(address)
        if known is None:
            if len(self._networks) >= _MOST_REMEMBERED:
                self._networks.clear()
            known = self._networks[address] = self._look_up(address)
        return known

    def _look_up(self, address: bytes) -> tuple[str, str, int]:
        text = str(ip_address(address))
        network = self.world.network_of(text) or ""
        owner = self.world.host_of(text)
        zone = self.world.host[owner].zone.value if owner else ""
        home = self.world.host.get(network)
        if not zone and home is not None and home.zone is Zone.HOME:
            zone = Zone.HOME.value
        asn = self.world.network[network].asn if network else 0
        return network, zone or ("world" if network == "" else self._zone_of_network(network)), asn

    def _zone_of_network(self, network: str) -> str:
        return Zone.DOMESTIC.value if self.world.network[network].country == "IR" else Zone.WORLD.value

    def addresses(self, texts: Iterable[str], sets: Mapping[str, tuple[str, ...]]) -> AddressSet:
        """Addresses, blocks, host names and ``@sets`` as one set.

        Raises:
            LocalFault: a name or set that does not exist.
        """
        return AddressSet.of(self._expanded(texts, sets, 0))

    def _expanded(self, texts: Iterable[str], sets: Mapping[str, tuple[str, ...]], depth: int) -> Iterable[str]:
        for text in texts:
            if text.startswith("@"):
                members = sets.get(text[1:], self.world.sets.get(text[1:]))
                if members is None or depth > 8:
                    raise LocalFault(f"no set {text[1:]!r} in this scenario")
                yield from self._expanded(members, sets, depth + 1)
            elif is_address(text):
                yield text
            else:
                known = self.resolve(text)
                # A set may hold names for SNI rules that stand nowhere in the lab; they add no address.
                if not known and depth == 0:
                    raise LocalFault(f"{text!r} has no address in the lab world")
                yield from known

    def resolve(self, name: str) -> tuple[str, ...]:
        """The addresses of a host name or of a host of the world; empty if there is none."""
        known = self.world.addresses_of.get(name.lower())
        if known is not None:
            return known
        host = self.world.host.get(name)
        return host.addresses if host is not None else ()

    def round_trip(self, address: bytes) -> float:
        """Seconds from the middle of the internet to a host and back, by its cable."""
        owner = self.world.host_of(str(ip_address(address)))
        return 2 * self.world.host[owner].link.delay_ms / 1000 if owner else 0.04


@cache
def is_address(text: str) -> bool:
    """Whether a text is an address or a block, rather than a name."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def hop_address(hop: int, version: int) -> bytes:
    """The address of router ``hop``, counted from a home: 10.202.N.1 and 2a01:5ec0:202:N::1, as the wire has them."""
    if version == 4:
        return bytes((10, 202, hop & 255, 1))
    return ip_address(f"2a01:5ec0:202:{hop:x}::1").packed
