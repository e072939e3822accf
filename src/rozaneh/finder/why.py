"""Why a destination is reached as it is: what was tried, what was seen, and on what the choice rests."""

from collections.abc import Iterable
from datetime import date

import msgspec

from rozaneh.core import Attempt
from rozaneh.finder.hosts import Known
from rozaneh.finder.knowledge import Knowledge
from rozaneh.finder.table import UPSTREAM, UPSTREAM_LIKE, Row
from rozaneh.finder.ways import Way

__all__ = ["Evidence", "TriedWay", "Why", "explain"]


class TriedWay(msgspec.Struct, frozen=True, kw_only=True):
    """One way that was tried.

    Attributes:
        way: how, without secrets.
        failure: how it failed; empty when it worked. ``interrupted`` says that another way was sooner.
        step: the step at which it failed.
        started: seconds since the epoch.
        seconds: how long it took.
        suggests: the obstacles that this suggests, with weights.
    """

    way: str
    failure: str = ""
    step: str = ""
    started: float
    seconds: float
    suggests: dict[str, float] = {}


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """On what the choice of a way rests.

    Attributes:
        level: how it is known that it gets past the obstacle: ``works``, ``mixed``, ``reasoned``.
        place: in which country that was seen.
        seen: when.
        expired: whether that is too old to count for more than a guess.
        source: where it is documented.
        worked_here: how often it worked on this network around this hour, faded with age.
        failed_here: how often it did not.
    """

    level: str
    place: str
    seen: date
    expired: bool
    source: str
    worked_here: float
    failed_here: float


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one destination in this session.

    Attributes:
        host: the host.
        port: the port.
        obstacle: what is in the way of the direct connection; empty where nothing is, as far as was seen.
        way: how it is reached, without secrets; empty where no way is known.
        refused: whether the last search found no way, and another one would not be begun yet.
        refusal: why the last search found none, where that was so: the mechanism that seems to be in the way, or what
            forbids what is left.
        needs_upstream: whether only a server abroad could help then, and there is none.
        verified_again_in: seconds until the obstacle is looked at anew; 0 where none is known.
        evidence: on what the choice rests; none for the direct way.
        tried: what was tried, oldest first.
    """

    host: str
    port: int
    obstacle: str
    way: str
    refused: bool
    refusal: str = ""
    needs_upstream: bool = False
    verified_again_in: float = 0.0
    evidence: Evidence | None = None
    tried: tuple[TriedWay, ...]


def explain(knowledge: Knowledge, host: str, now: float) -> tuple[Why, ...]:
    """What is known of a host, for each of its ports.

    Args:
        knowledge: of the finder.
        host: its name or address.
        now: seconds of the event loop's clock.
    """
    return tuple(_of_port(knowledge, host, port, known, now) for port, known in knowledge.hosts.ports_of(host))


def _of_port(knowledge: Knowledge, host: str, port: int, known: Known, now: float) -> Why:
    blocked = known.blocked(now)
    refused = known.refused(now)
    obstacle = blocked or (refused.obstacle if refused is not None else "")
    way = known.way if blocked else None
    works = next((attempt.spec for attempt in reversed(known.tried) if attempt.ok), "")
    return Why(
        host=host,
        port=port,
        obstacle=obstacle,
        way=way.shown if way is not None else "" if blocked or known.refusal is not None else works,
        refused=refused is not None,
        refusal=known.refusal.obstacle if known.refusal is not None else "",
        needs_upstream=known.refusal is not None and known.refusal.needs_upstream,
        verified_again_in=round(max(known.until - now, 0.0), 1) if blocked else 0.0,
        evidence=_evidence(knowledge, obstacle, way) if way is not None else None,
        tried=tuple(_tried(knowledge, known.tried)),
    )


def _tried(knowledge: Knowledge, attempts: Iterable[Attempt]) -> Iterable[TriedWay]:
    for attempt in sorted(attempts, key=lambda each: each.started):
        failed = attempt.last_failed()
        failure = attempt.failure.value if attempt.failure is not None else ""
        teaches = bool(failure) and failure != "interrupted"
        yield TriedWay(
            way=attempt.spec,
            failure=failure,
            step=failed.op.value if failed is not None and teaches else "",
            started=round(attempt.started, 3),
            seconds=round(attempt.took, 3),
            suggests={name: round(weight, 2) for name, weight in knowledge.suspicions(attempt).items()}
            if teaches
            else {},
        )


def _evidence(knowledge: Knowledge, obstacle: str, way: Way) -> Evidence | None:
    row = _row(knowledge, obstacle, way)
    if row is None:
        return None
    good, bad = knowledge.seen(obstacle, way.key)
    return Evidence(
        level=row.level(knowledge.today).value,
        place=row.place,
        seen=row.seen,
        expired=knowledge.today > row.expires,
        source=row.source,
        worked_here=round(good, 2),
        failed_here=round(bad, 2),
    )


def _row(knowledge: Knowledge, obstacle: str, way: Way) -> Row | None:
    uses = (f"{UPSTREAM_LIKE}{way.kind}}}", UPSTREAM) if way.private else (way.key,)
    rows = knowledge.table.rows(obstacle)
    return next((row for use in uses for row in rows if row.use == use), None)
