"""How much may be tried that is not proven here. Pure.

Every unproven dial shows the network that somebody is looking for a way, and costs bytes that people pay for. So a
network is asked only so many questions in an hour; what is known to work there is dialled as often as people want.
"""

__all__ = ["Budget"]

_AN_HOUR = 3600.0


class Budget:
    """A bucket of unproven dials that fills again. Times are seconds of a monotonic clock.

    Args:
        most: dials in any hour: half of them at once, and the other half as the hour goes by. Measured by
            ``python -m benchmarks exploration``.
    """

    def __init__(self, most: int = 150) -> None:
        self._most = most / 2
        self._left = self._most
        self._at: float | None = None

    def left(self, now: float) -> int:
        """Dials that may be made now."""
        self._fill(now)
        return int(self._left)

    def spend(self, now: float, cost: float = 1.0) -> None:
        """One was made.

        Args:
            now: when.
            cost: what it weighs; about a kilobyte is one.
        """
        self._fill(now)
        self._left = max(0.0, self._left - cost)

    def _fill(self, now: float) -> None:
        passed = max(now - self._at, 0.0) if self._at is not None else 0.0
        self._left = min(self._most, self._left + passed * self._most / _AN_HOUR)
        self._at = now
