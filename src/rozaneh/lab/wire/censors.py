"""The censors on one customer's path, with their clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rozaneh.lab.clock import LabClock


class Judgement(Protocol):
    """What a censor does about one packet."""

    @property
    def forward(self) -> Sequence[tuple[bytes, float]]:
        """What goes on from here, each with the seconds that it is held back; nothing if the packet is dropped."""

    @property
    def inject(self) -> Sequence[tuple[bytes, str, float]]:
        """What starts here: the packet, ``client`` or ``server`` as the end that it goes to, and seconds until then."""


class Judge(Protocol):
    """The engine of one customer: :class:`rozaneh.lab.censor.engine.Engine`."""

    @property
    def places(self) -> frozenset[str]:
        """Where it wants to be asked."""

    def packet(self, raw: bytes, *, outbound: bool, place: str, now: float) -> Judgement:
        """Look at one packet."""

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
    """

    judge: Judge
    clock: LabClock
    hops: Mapping[str, int] = field(default_factory=dict)
    places: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.places = self.judge.places
