"""The one door through which a helper dials: public addresses and a few ports, and nothing of this machine."""

import errno
from collections.abc import Collection
from ipaddress import ip_address

from anyio.abc import ByteStream, Listener

from rozaneh.core import DialFailed, Failure
from rozaneh.core.addresses import is_public
from rozaneh.net import Datagrams, Network, Step

PORTS = frozenset((53, 80, 443, 853))
"""The ports that are dialled for strangers unless the operator adds some."""


class GuardedNetwork:
    """A network that refuses every place a stranger has no business with.

    It judges what is really about to be connected to, so it makes no difference how an address was come by: from a
    question, from a resolver that answers something else the second time, or from a redirect.

    Args:
        inner: where sockets come from.
        own: this machine's own addresses; public ones are refused as well, because services that listen on this
            machine may trust it.
        ports: the ports that may be dialled.
    """

    def __init__(self, inner: Network, own: Collection[str] = (), ports: Collection[int] = PORTS) -> None:
        self._inner = inner
        self._own = frozenset(map(ip_address, own))
        self._ports = frozenset(ports)

    def allows(self, address: str, port: int) -> bool:
        """Whether a place may be dialled. A text that is no IP address may not."""
        try:
            return port in self._ports and ip_address(address) not in self._own and is_public(address)
        except ValueError:
            return False

    async def connect_tcp(self, address: str, port: int) -> ByteStream:
        """As the network below. Raises ``OSError`` EACCES for a place that is refused."""
        self._check(address, port)
        return await self._inner.connect_tcp(address, port)

    async def connect_udp(self, address: str, port: int) -> Datagrams:
        """As the network below. Raises ``OSError`` EACCES for a place that is refused."""
        self._check(address, port)
        return await self._inner.connect_udp(address, port)

    async def listen_tcp(self, address: str, port: int) -> Listener[ByteStream]:
        """Nothing listens on behalf of strangers. Raises ``OSError`` EACCES."""
        raise PermissionError(errno.EACCES, f"a helper does not listen on {address}:{port} for others")

    async def resolve(self, host: str, step: Step | None = None, *, listen_late: float = 0.0) -> list[str]:
        """As the network below; one answer that is not public refuses them all.

        A name with a private address among its answers is a name of this machine's own surroundings, or a trap.

        Raises:
            DialFailed: ``dns_bogon_error`` for such answers, and for names without a dot, which only a local resolver
                knows.
        """
        if "." not in host.rstrip("."):
            raise DialFailed(Failure.DNS_BOGON_ERROR, "not a name of the public internet")
        found = await self._inner.resolve(host, step, listen_late=listen_late)
        if not found or not all(self._is_public(address) for address in found):
            raise DialFailed(Failure.DNS_BOGON_ERROR, f"{host} has addresses that are not public")
        return found

    def _is_public(self, address: str) -> bool:
        try:
            return ip_address(address) not in self._own and is_public(address)
        except ValueError:
            return False

    def _check(self, address: str, port: int) -> None:
        if not self.allows(address, port):
            raise PermissionError(errno.EACCES, "a helper does not dial there")
