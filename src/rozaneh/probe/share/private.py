"""What of a user must not leave: addresses above all, and the names of the machine, its user and its network."""

import getpass
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from rozaneh.core import LocalFault
from rozaneh.core.addresses import carried, is_bogon
from rozaneh.net.own import own_addresses
from rozaneh.words import later

_INTERFACES = Path("/sys/class/net")
_ROUTES = Path("/proc/net/route")
_SHORTEST_NAME = 4
_SAYS_NOTHING = frozenset(
    ("admin", "administrator", "android", "debian", "desktop", "fedora", "guest", "home", "kali", "laptop", "linux",
     "localhost", "mobile", "nobody", "root", "router", "server", "ubuntu", "user", "wifi", "windows")
)  # fmt: skip
"""Names that many machines and users have. They identify nobody, and are words of many pages."""

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\Z", re.IGNORECASE)
_NO_MAC = "00:00:00:00:00:00"
_SMALLEST_LOCAL_NETWORK = 16


class Unknown(LocalFault):
    """What would have to be removed is not known, so nothing may be shared."""


@dataclass(frozen=True)
class Private:
    """What must not leave.

    Attributes:
        addresses: of this machine, and those under which it is seen from outside.
        networks: the local networks that it is connected to; addresses in them are those of its surroundings.
        names: of the machine, its user, its wireless network.
        hardware: MAC addresses, of this machine and its gateway.
    """

    addresses: frozenset[IPv4Address | IPv6Address]
    networks: frozenset[IPv4Network | IPv6Network] = frozenset()
    names: frozenset[str] = frozenset()
    hardware: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        addresses: Iterable[str],
        *,
        outside: Iterable[str] = (),
        networks: Iterable[str] = (),
        names: Iterable[str] = (),
        hardware: Iterable[str] = (),
        again: bool = False,
    ) -> "Private":
        """Make one from texts. Loopback addresses and names that say nothing are left out.

        Args:
            addresses: of this machine.
            outside: the addresses under which others see it.
            networks: that it is directly connected to.
            names: of the machine, its user, its wireless network.
            hardware: MAC addresses.
            again: for a second look at what was scrubbed before: then an address that is not known is no reason to
                refuse.

        Raises:
            Unknown: of a kind of address that this machine uses, none is known under which others see it.
        """
        own = {ip for ip in map(ip_address, addresses) if not (ip.is_loopback or ip.is_unspecified or ip.is_link_local)}
        seen = set(map(ip_address, outside))
        known = {ip.version for ip in seen} | {ip.version for ip in own if not is_bogon(str(ip))}
        if not again and (not known or 4 in {ip.version for ip in own} - known):
            raise Unknown(
                later(
                    "the address under which this machine is seen on the internet is not known, so it "
                    "cannot be removed from what would be shared: nothing is kept. Say it with --my-address"
                )
            )
        links = {ip for ip in map(ip_address, addresses) if ip.is_link_local}
        parsed = frozenset(own | seen | links)
        told = frozenset(name.casefold() for name in names if _tells(name))
        macs = frozenset(mac.lower() for mac in hardware if _MAC.match(mac) and mac != _NO_MAC)
        return cls(parsed, frozenset(map(ip_network, networks)), told, macs)

    def owns(self, ip: IPv4Address | IPv6Address) -> bool:
        """Whether an address is one of these, in its /64, in a local network, or carries one of these."""
        if ip in self.addresses or any(ip in network for network in self.networks):
            return True
        if isinstance(ip, IPv4Address):
            return any(isinstance(own, IPv4Address) and _subnet(own) == ip for own in self.addresses)
        if any(self.owns(inner) for inner in carried(ip)):
            return True
        return any(
            isinstance(own, IPv6Address) and not own.is_link_local and int(own) >> 64 == int(ip) >> 64
            for own in self.addresses
        )


def _subnet(ip: IPv4Address) -> IPv4Address:
    """The /24 of an address, as a resolver tells it to others (EDNS client subnet, RFC 7871)."""
    return IPv4Address(int(ip) & 0xFFFF_FF00)


def _tells(name: str) -> bool:
    return len(name) >= _SHORTEST_NAME and name.casefold() not in _SAYS_NOTHING


def this_machine(seen_from_outside: Iterable[str], *, again: bool = False) -> Private:
    """What must not leave this machine.

    Args:
        seen_from_outside: the addresses under which it is seen on the internet; its own are found here.
        again: see :meth:`Private.of`.

    Raises:
        Unknown: no such address is known.
        LocalFault: this system does not show its addresses.
    """
    own = own_addresses()
    host = socket.gethostname()
    routes = _ROUTES.read_text() if _ROUTES.exists() else ""
    return Private.of(
        own,
        outside=seen_from_outside,
        networks=local_networks(routes),
        names=(host, host.partition(".")[0], _user()),
        hardware=_hardware(),
        again=again,
    )


def local_networks(routes: str) -> list[str]:
    """The private networks that this machine is directly connected to, from ``/proc/net/route``.

    Large ones are left out: forged answers point into them, and such an address is evidence.
    """
    found = []
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[2] != "00000000" or fields[1] == "00000000":
            continue
        try:
            base, mask = (IPv4Address(bytes.fromhex(fields[index])[::-1]) for index in (1, 7))
            network = ip_network(f"{base}/{mask}")
        except ValueError:
            continue
        if network.is_private and network.prefixlen > _SMALLEST_LOCAL_NETWORK:
            found.append(str(network))
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _hardware() -> list[str]:
    found = []
    for file in _INTERFACES.glob("*/address") if _INTERFACES.exists() else ():
        try:
            found.append(file.read_text().strip())
        except (OSError, UnicodeDecodeError):
            continue
    neighbours = Path("/proc/net/arp")
    rows = neighbours.read_text().splitlines()[1:] if neighbours.exists() else []
    return [*found, *(row.split()[3] for row in rows if len(row.split()) > 3)]
