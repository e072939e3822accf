"""The lab's addresses as addresses of the loopback interface, and back."""

import secrets
import socket
from ipaddress import IPv4Address

from rozaneh.core import LocalFault
from rozaneh.lab.world.sockets import Origin, bound, connected, unbound

_SHIFT = 20_000
_PRIVILEGED = 1024
_FIRST_NET = 16
_NETS = 200
_MOST = 65_000
_CLAIM_PORT = 19_999


class LoopbackAddresses:
    """One /16 of 127.0.0.0/8 for one lab: addresses are handed out in the order in which they are first asked for.

    Ports below 1024 are moved up by 20,000, so that no privilege is needed. A socket on its first address claims the
    whole for as long as the lab lives, so that no other lab of this machine takes it; the system ends a claim with its
    holder.

    Args:
        net: a certain one, without a claim.

    Raises:
        LocalFault: all are taken.
    """

    def __init__(self, net: int | None = None) -> None:
        self._claim = None if net else _claimed()
        base = self._claim.getsockname()[0] if self._claim else f"127.{net}.0.1"
        self._base = int(IPv4Address(base)) - 1
        self._loop: dict[str, str] = {}
        self._real: dict[str, str] = {}

    def of(self, address: str) -> str:
        """The loopback address that stands for an address of the lab.

        Raises:
            LocalFault: there are no more.
        """
        found = self._loop.get(address)
        if found is None:
            if len(self._loop) >= _MOST:
                raise LocalFault("the loopback tier of the lab has no more addresses")
            found = str(IPv4Address(self._base + 2 + len(self._loop)))
            self._loop[address] = found
            self._real[found] = address
        return found

    def close(self) -> None:
        """Let another lab have it."""
        if self._claim is not None:
            self._claim.close()

    def behind(self, loopback: str) -> str:
        """The address of the lab that a loopback address stands for, or itself."""
        return self._real.get(loopback, loopback)


def _claimed() -> socket.socket:
    for net in secrets.SystemRandom().sample(range(_FIRST_NET, _FIRST_NET + _NETS), _NETS):
        claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            claim.bind((f"127.{net}.0.1", _CLAIM_PORT))
        except OSError:
            claim.close()
        else:
            return claim
    raise LocalFault("every network of the loopback tier is taken by another lab")


def moved(port: int) -> int:
    """The port that stands for a port of the lab."""
    return port + _SHIFT if port < _PRIVILEGED else port


class LoopbackSockets:
    """Sockets of the world's servers on loopback addresses; see :class:`rozaneh.lab.world.sockets.HostSockets`.

    Args:
        addresses: which stand for which.
        sources: the address from which each host dials.
    """

    def __init__(self, addresses: LoopbackAddresses, sources: dict[str, str]) -> None:
        self._addresses = addresses
        self._sources = sources

    def listener(self, host: str, address: str, port: int) -> socket.socket:
        """See :class:`~rozaneh.lab.world.sockets.HostSockets`."""
        del host
        return bound(unbound("127.0.0.1", socket.SOCK_STREAM), self._addresses.of(address), moved(port))

    def datagrams(self, host: str, address: str, port: int) -> socket.socket:
        """See :class:`~rozaneh.lab.world.sockets.HostSockets`."""
        del host
        return bound(unbound("127.0.0.1", socket.SOCK_DGRAM), self._addresses.of(address), moved(port))

    async def connect(self, host: str, address: str, port: int) -> socket.socket:
        """See :class:`~rozaneh.lab.world.sockets.HostSockets`."""
        made = sourced(socket.SOCK_STREAM, self._addresses.of(self._sources[host]))
        return await connected(made, self._addresses.of(address), moved(port))

    async def connect_datagrams(self, host: str, address: str, port: int) -> socket.socket:
        """See :class:`~rozaneh.lab.world.sockets.HostSockets`."""
        made = sourced(socket.SOCK_DGRAM, self._addresses.of(self._sources[host]))
        return await connected(made, self._addresses.of(address), moved(port))

    def origin(self, name: Origin) -> str:
        """See :class:`~rozaneh.lab.world.sockets.HostSockets`."""
        return self._addresses.behind(name[0])


_IP_BIND_ADDRESS_NO_PORT = 24


def sourced(kind: socket.SocketKind, source: str) -> socket.socket:
    """A new socket that sends from a loopback address, on a port chosen when it connects."""
    made = unbound("127.0.0.1", kind)
    try:
        made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        made.bind((source, 0))
    except OSError:
        made.close()
        raise
    return made
