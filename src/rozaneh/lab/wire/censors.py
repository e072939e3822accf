"""The censors on one customer's path, with their clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rozaneh.lab.clock import LabClock


class ProbeRequest(Protocol):
    """A server that a censor wants to be probed: :class:`rozaneh.lab.censor.actions.ProbeRequest`."""

    @property
    def token(self) -> int:
        """Handed back with the results."""

    @property
    def kind(self) -> str:
        """What to do there."""

    @property
    def address(self) -> str:
        """Where."""

    @property
    def port(self) -> int:
        """At which TCP port."""

    @property
    def payload(self) -> bytes:
        """What to send."""

    @property
    def delay(self) -> float:
        """Seconds to wait first."""


class Judgement(Protocol):
    """What a censor does about one packet."""

    @property
    def forward(self) -> Sequence[tuple[bytes, float]]:
        """What goes on from here, each with the seconds that it is held back; nothing if the packet is dropped."""

    @property
    def inject(self) -> Sequence[tuple[bytes, str, float]]:
        """What starts here: the packet, ``client`` or ``server`` as the end that it goes to, and seconds until then."""

    @property
    def events(self) -> Sequence[ProbeRequest]:
        """Servers that are to be probed."""


class Judge(Protocol):
    """The engine of one customer: :class:`rozaneh.lab.censor.engine.Engine`."""

    @property
    def places(self) -> frozenset[str]:
        """Where it wants to be asked."""

    def packet(self, raw: bytes, *, outbound: bool, place: str, now: float) -> Judgement:
        """Look at one packet."""

    @property
    def next_due(self) -> float:
        """When it will do something without a packet; infinite if never."""

    def tick(self, now: float) -> Sequence[tuple[str, Judgement]]:
        """What it does without a packet, with the place at which it does so."""

    def probe_result(self, token: int, results: frozenset[str], now: float) -> None:
        """Take what a probe has found."""

    @property
    def counters(self) -> Mapping[str, int]:
        """What it has counted."""


@dataclass(eq=False, kw_only=True)
class Censors:
    """The engine of one customer and what belongs to it.

    Attributes:
        judge: the engine.
        clock: what it takes for the time of day.
        hops: after which router each place stands, where that is not the usual.
        waits: whether they ever do something without a packet, so that somebody must ask when.
    """

    judge: Judge
    clock: LabClock
    hops: Mapping[str, int] = field(default_factory=dict)
    waits: bool = False
    places: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.places = self.judge.places
