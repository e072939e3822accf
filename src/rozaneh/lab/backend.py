"""What carries a lab: namespaces and a wire (tiers T1 and T2), or loopback addresses (tier T0)."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec

from rozaneh.lab.clock import LabClock
from rozaneh.lab.topology import Link, Service
from rozaneh.net.api import Network

if TYPE_CHECKING:
    from rozaneh.lab.scenario import Scenario


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A tier that does not work here.

    Attributes:
        tier: ``T1`` or ``T2``.
        call: the system call that was refused.
        errno: its error number.
    """

    tier: str
    call: str
    errno: int


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """What a lab runs on.

    Attributes:
        name: ``T0``, ``T1`` or ``T2``.
        reason: why this one, in one line.
        refused: those that were tried before it.
    """

    name: str
    reason: str
    refused: tuple[Refused, ...] = ()

    @property
    def packets(self) -> bool:
        """Whether it has real packets; without them only what happens to whole connections can be shown."""
        return self.name != "T0"


class Backend(Protocol):
    """A lab that runs. Calls block for a moment only and may come from any thread."""

    @property
    def ca_file(self) -> Path:
        """The certificate authority of the lab's sites, as PEM; there once the servers are ready."""

    @property
    def tier(self) -> Tier:
        """What this is."""

    def wait_ready(self, seconds: float) -> None:
        """Wait until all servers listen. Raises ``LocalFault`` if they do not."""

    def serve(self, services: Sequence[Service]) -> None:
        """Put more services on hosts that exist. Raises ``LocalFault`` for one that cannot stand there."""

    def add_client(self, name: str, home: str, addresses: Sequence[str], *, alone: bool, seed: int) -> None:
        """A customer of a home network; ``alone`` with a network stack of its own, so that programs can run there."""

    def remove_client(self, name: str) -> None:
        """Take a customer away."""

    def load(self, name: str, network: str, scenario: "Scenario | None", seed: int, clock: LabClock) -> None:
        """Put a scenario's censors on the path of a customer or host, with an empty memory."""

    def turn_clock(self, name: str, clock: LabClock) -> None:
        """Tell the censors on somebody's path what their clock shows now."""

    def network(self, host: str, addresses: Sequence[str], resolvers: Sequence[str]) -> Network:
        """Dial, listen and resolve from a host or customer, bound to these addresses."""

    def popen(
        self, host: str, argv: Sequence[str], resolvers: Sequence[str], environment: Mapping[str, str], **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a program on a host or customer."""

    def set_link(self, name: str, link: Link) -> None:
        """Lay another cable to a host or customer."""

    def capture(self, file: IO[bytes] | None) -> None:
        """Write what customers send and get as a pcap, or stop."""

    def counters(self) -> dict[str, int]:
        """What wire and censors have counted."""

    def close(self) -> None:
        """End everything; harmless when it has ended."""
