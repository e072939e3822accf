"""Lines: rate, jitter, loss and reordering of the cable between a host and the middle of the internet."""

from random import Random

from rozaneh.lab.topology import Link


class Dice:
    """All that is drawn by chance for one customer in one direction.

    Everybody has their own, seeded by name: a run repeats exactly, and what one customer sends never changes what
    another loses.
    """

    def __init__(self, seed: int, name: str, direction: str) -> None:
        self.random = Random(f"{seed} {name} {direction}").random
        self.bursting: set[int] = set()
        """The lines, by identity, on which this customer is in a burst of losses."""
        self.latest: dict[tuple[int, int], float] = {}
        """For each path with jitter, when its last packet arrives."""


class Line:
    """The state of one cable in one direction."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.delay = link.delay_ms / 1000
        self.plain = not (link.jitter_ms or link.loss or link.reorder or link.rate_mbit)
        """Whether it does nothing but delay."""
        self._jitter = link.jitter_ms / 1000
        self._queue = link.queue_ms / 1000
        self._seconds_per_byte = 8 / (link.rate_mbit * 1e6) if link.rate_mbit else 0.0
        self._free_at = 0.0
        # Gilbert's model: a burst ends with 1/burst per packet, and begins often enough for the long-run share of loss.
        self._end_burst = 1 / link.loss_burst
        self._begin_burst = (
            1.0 if link.loss >= 1 else min(1.0, self._end_burst * link.loss / (1 - link.loss)) if link.loss else 0.0
        )
        if link.loss >= 1:
            self._end_burst = 0.0

    def lag(self, now: float, size: int, dice: Dice) -> float | None:
        """Seconds that a packet takes beyond the line's delay, or none if it is lost.

        Args:
            now: monotonic seconds.
            size: of the packet, in bytes.
            dice: of the customer whose packet it is.
        """
        if self._begin_burst and self._loses(dice):
            return None
        if self.link.reorder and dice.random() < self.link.reorder:
            # An overtaking packet arrives before others that left up to one delay earlier.
            return -self.delay * dice.random()
        waited = 0.0
        if self._seconds_per_byte:
            starts = max(self._free_at, now)
            if starts - now > self._queue:
                return None
            self._free_at = starts + size * self._seconds_per_byte
            waited = self._free_at - now
        return waited + (self._jitter * dice.random() if self._jitter else 0.0)

    def _loses(self, dice: Dice) -> bool:
        key = id(self)
        if self.link.loss_burst == 1.0:
            return dice.random() < self.link.loss
        bursting = key in dice.bursting
        bursting = dice.random() >= self._end_burst if bursting else dice.random() < self._begin_burst
        (dice.bursting.add if bursting else dice.bursting.discard)(key)
        return bursting
