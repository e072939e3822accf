"""All that was seen while one target was dialled in one way."""

from collections.abc import Iterator

import msgspec

from rozaneh.core.failure import Failure
from rozaneh.core.observation import Observation, Op
from rozaneh.core.target import Target


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One dial, with everything it saw.

    Attributes:
        target: what was dialled.
        spec: the way, as redacted text.
        started: seconds since the epoch (UTC) when the attempt began.
        took: seconds until it ended or, while the stream is still open, until this value was taken.
        failure: the failure that ended it, or none. ``interrupted`` is evidence of nothing.
        observations: the steps in the order in which they began; ``Observation.parent`` indexes into this list.
    """

    target: Target
    spec: str
    started: float
    took: float
    failure: Failure | None = None
    observations: tuple[Observation, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the dial, and the exchange after it if there was one, succeeded."""
        return self.failure is None

    def steps(self, op: Op) -> Iterator[Observation]:
        """The steps of one kind, in order."""
        return (step for step in self.observations if step.op is op)

    def within(self, op: Op) -> Iterator[Observation]:
        """The steps of one kind, and those that served them, in order."""
        inside: set[int] = set()
        for index, step in enumerate(self.observations):
            if step.op is op or step.parent in inside:
                inside.add(index)
                yield step

    def last_failed(self) -> Observation | None:
        """The step that ended the attempt: the last that failed other than by being interrupted."""
        failed = [s for s in self.observations if s.failure not in (None, Failure.INTERRUPTED)]
        return failed[-1] if failed else None
