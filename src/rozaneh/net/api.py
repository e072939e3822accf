"""The interfaces between the parts that open sockets and the parts that use them."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from anyio.abc import ByteStream, Listener

from rozaneh.core import Attempt, Spec, Target

if TYPE_CHECKING:
    from rozaneh.net.trace import Step, Trace

__all__ = ["ByteStream", "Datagrams", "Dialer", "Exchange", "Listener", "Network", "Report"]


class Datagrams(Protocol):
    """A connected UDP socket: it hears only its peer."""

    async def send(self, data: bytes) -> None:
        """Send one datagram. Raises ``OSError`` as the system call does."""

    async def receive(self) -> bytes:
        """Wait for one datagram, at most 65,535 bytes. Raises ``OSError`` when an ICMP error came back."""

    async def aclose(self) -> None:
        """Close the socket."""


class Network(Protocol):
    """Where sockets come from. Errors are ``OSError`` with the number that the system call gave."""

    async def connect_tcp(self, address: str, port: int) -> ByteStream:
        """Open a TCP connection to an IP address; never resolves a name. No deadline of its own."""

    async def connect_udp(self, address: str, port: int) -> Datagrams:
        """Open a UDP socket that talks to one IP address and port alone."""

    async def listen_tcp(self, address: str, port: int) -> Listener[ByteStream]:
        """Listen on an address of this host; port 0 takes a free one."""

    async def resolve(self, host: str, step: "Step | None" = None, *, listen_late: float = 0.0) -> list[str]:
        """Ask the resolver that this host's programs use, as ``getaddrinfo`` does.

        Args:
            host: the name.
            step: where to tag what is learnt on the way (``resolver``, ``rcode``, ``late_answers`` ...), also when the
                lookup fails or is interrupted.
            listen_late: seconds to go on listening for further answers, where the resolver is asked directly.

        Raises:
            DialFailed: with the ``dns_*`` failure that the resolver gave.
        """


class Dialer(Protocol):
    """A way to reach a target. A strategy is a dialer that takes a dialer."""

    @property
    def spec(self) -> Spec:
        """The stack, from this dialer down to its leaf, as text that builds it again."""

    async def dial(self, target: Target, trace: "Trace") -> ByteStream:
        """Open a stream to the target, recording each step in the trace.

        Raises:
            DialFailed: and nothing else, whatever the network does.
        """


Exchange = Callable[[ByteStream, "Trace"], Awaitable[None]]
"""What to do with an open stream as part of the measurement, for instance a request. It raises only ``DialFailed``."""

Report = Callable[[Attempt], None]
"""Where an attempt goes when it has ended: once for each, winners and losers alike. The sink decides what is kept."""
