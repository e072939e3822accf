"""The attempts of one role, seen together: what they agree on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rozaneh.core import Attempt
from rozaneh.diagnosis import readings
from rozaneh.diagnosis.readings import MANNERS, STAGES, reading

_PLAIN = ("tried", "ok", "failed", "unsteady", "repeated", "residual", "connected", "answered", "verified")


@dataclass(frozen=True)
class View:
    """Attempts that can be compared with each other.

    Where they ended differently, the one that came furthest decides: a censor that punishes an address for a while lets
    the first attempt come as far as the name, and the second not even connect.
    """

    name: str
    attempts: Sequence[Attempt]
    issuer: str = ""

    def facts(self) -> Iterator[str]:
        """The facts of this view, each with the view's name in front."""
        return (f"{self.name}.{fact}" for fact in self._facts())

    @property
    def ok(self) -> bool:
        """Whether at least one attempt worked."""
        return any(attempt.ok for attempt in self.attempts)

    def _facts(self) -> Iterator[str]:
        if not self.attempts:
            return
        yield "tried"
        ended = [reading(attempt) for attempt in self.attempts]
        failed = [text for text in ended if text != "ok"]
        if self.ok:
            yield "ok"
            if failed:
                yield "unsteady"
        else:
            yield "failed"
            yield from self._failure(ended)
        if any(map(readings.connected, self.attempts)):
            yield "connected"
        if any(map(readings.tls_answered, self.attempts)):
            yield "answered"
        if any(readings.verified(attempt, self.issuer) for attempt in self.attempts):
            yield "verified"

    def _failure(self, ended: list[str]) -> Iterator[str]:
        furthest = max(ended, key=_rank)
        yield furthest
        residual = "connect.silence" in ended and furthest != "connect.silence"
        if ended.count(furthest) > 1 or residual:
            yield "repeated"
        if residual:
            yield "residual"


def _rank(text: str) -> tuple[int, bool]:
    stage, _, manner = text.partition(".")
    # A reset is an act; silence may be loss.
    return STAGES.index(stage), manner == "reset"


def view_facts(name: str) -> Iterator[str]:
    """Every fact that a view of this name can give."""
    yield from (f"{name}.{fact}" for fact in _PLAIN)
    yield from (f"{name}.{stage}.{manner}" for stage in STAGES for manner in MANNERS)
