"""When this line is usually cut, from the hours in which it was. Pure.

A cut that comes every evening at the same hour can be prepared for. One evening is no rule: an hour counts as *usual*
when it was cut on at least three of the last ten days and on most of those that say anything, and lately too. What is
expected is never more than that; whoever shows it says so.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import msgspec

__all__ = ["Curfew", "Hour", "expected"]

_DAYS = 10
_LEAST = 3
_MOST_OF = 2 / 3
_LATELY = 3
_LONGEST = 18


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """What one hour of one day showed of the line abroad.

    Attributes:
        day: the local date.
        hour: 0 to 23, local.
        open: how often something abroad answered.
        cut: how often nothing did, while that was looked for.
    """

    day: date
    hour: int
    open: int = 0
    cut: int = 0

    @property
    def was_cut(self) -> bool:
        """Whether the cut took most of it."""
        return self.cut > self.open


class Curfew(msgspec.Struct, frozen=True, kw_only=True):
    """A cut that is usual at an hour.

    Attributes:
        start: when it begins next, or began if it is on.
        end: when it usually ends.
        days: on how many of the last ten days it was seen.
        of: how many of them said anything of these hours.
    """

    start: datetime
    end: datetime
    days: int
    of: int


def expected(hours: Iterable[Hour], now: datetime) -> Curfew | None:
    """The usual cut that is on at a moment, or the next one; none where none is usual.

    Args:
        hours: of one network; others would say nothing about it.
        now: aware of the user's zone, whose hours are meant.
    """
    recent = _together(each for each in hours if timedelta(0) <= now.date() - each.day <= timedelta(days=_DAYS))
    usual = {hour for hour in range(24) if _is_usual([each for each in recent if each.hour == hour], now.date())}
    known = {each.hour for each in recent}
    # An hour in between of which nothing is known is taken to be as those around it.
    usual |= {hour for hour in range(24) if hour not in known and {(hour - 1) % 24, (hour + 1) % 24} <= usual}
    if not usual or len(usual) > _LONGEST:  # a line that is cut at every hour has no hour, and the run no end
        return None
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    start = next(this_hour + timedelta(hours=n) for n in range(25) if (now.hour + n) % 24 in usual)
    while (start - timedelta(hours=1)).hour in usual:
        if start > this_hour:  # the next one has not begun yet, so it begins where its run does
            break
        start -= timedelta(hours=1)
    end = start
    while end.hour in usual:
        end += timedelta(hours=1)
    of_it = [each for each in recent if each.hour == start.hour]
    return Curfew(start=start, end=end, days=sum(each.was_cut for each in of_it), of=len(of_it))


def _together(hours: Iterable[Hour]) -> list[Hour]:
    """One value for each hour of a day, whoever saw it."""
    found: dict[tuple[date, int], Hour] = {}
    for each in hours:
        known = found.get((each.day, each.hour))
        seen = (each.open + known.open, each.cut + known.cut) if known is not None else (each.open, each.cut)
        found[each.day, each.hour] = Hour(day=each.day, hour=each.hour, open=seen[0], cut=seen[1])
    return list(found.values())


def _is_usual(same_hour: list[Hour], today: date) -> bool:
    cut = [each for each in same_hour if each.was_cut]
    lately = sorted(same_hour, key=lambda each: each.day)[-_LATELY:]
    return (
        len(cut) >= _LEAST
        and len(cut) >= _MOST_OF * len(same_hour)
        and any(each.was_cut for each in lately)
        and today - max(each.day for each in cut) <= timedelta(days=_DAYS // 2)
    )
