"""What pages and exports show, as plain structs: few rows, asked of the table of hours through Ibis.

Whatever leaves this module is fit to be published: cells behind which too little stands are left out, and counts are
rounded, so that a total minus its parts does not give away what was left out.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import ibis.expr.types as ir
import msgspec

from rozaneh.observatory.dashboard.withhold import withheld
from rozaneh.observatory.events.gate import mechanism_of
from rozaneh.observatory.schema import COUNTS

_STEP = 5
_MANY = 50
_STEPS = (2, 3, 5, *(digit * 10**power for power in range(1, 9) for digit in (1, 2, 5)))
_REMEMBERED = 64
_FAILING = ("blocked", "throttled", "outage", "domestic_only", "failed")


_Answer = TypeVar("_Answer")


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many verdicts there are of each kind. Counts are rounded to fives; shares of few are shares of such counts.

    Attributes:
        n: verdicts, about.
        sources: independent sources that they come from, at least.
        failing: share that does not get through, for a reason that lies on the path.
        blocked: share that a rule calls blocked.
        throttled: share that is slowed down.
        refused: share that the service itself turns away.
        mechanism: the most frequent mechanism of what does not get through; empty where everything does.
    """

    n: int
    sources: int
    failing: float
    blocked: float
    throttled: float
    refused: float
    mechanism: str = ""


class Country(msgspec.Struct, frozen=True, kw_only=True):
    """A country of the store.

    Attributes:
        code: two capitals.
        tally: all its verdicts.
        first: its first hour.
        last: its last.
    """

    code: str
    tally: Tally
    first: dt.datetime
    last: dt.datetime


class Span(msgspec.Struct, frozen=True):
    """Hours from ``start``, before ``end``; UTC."""

    start: dt.datetime
    end: dt.datetime


class Part(msgspec.Struct, frozen=True):
    """What is asked about: a country, or some of its networks and services (all where none is named), in some hours."""

    country: str
    span: Span
    asns: tuple[int, ...] = ()
    subjects: tuple[str, ...] = ()


class Figures:
    """The figures of one state of a table of hours. What was asked lately is remembered: both languages ask the same.

    Args:
        hourly: the table of hours.
    """

    def __init__(self, hourly: ir.Table) -> None:
        self._hourly = hourly
        self._known: dict[tuple[object, ...], Any] = {}

    def countries(self) -> list[Country]:
        """The countries about which enough is known, the best known first."""
        return self._once(("countries",), self._countries)

    def networks(self, country: str) -> dict[int, Tally]:
        """The networks of a country about which enough is known."""

        def ask() -> dict[int, Tally]:
            rows = _rows(_counted(self._hourly.filter(self._hourly.country == country), ["asn"]))
            return {row["asn"]: tally for row, tally in _published(rows)}

        return self._once(("networks", country), ask)

    def hours(self, part: Part) -> dict[dt.datetime, Tally]:
        """Each hour."""

        def ask() -> dict[dt.datetime, Tally]:
            return {row["hour"]: tally for row, tally in _published(_rows(_counted(self._of(part), ["hour"])))}

        return self._once(("hours", part), ask)

    def days(self, part: Part) -> dict[dt.date, Tally]:
        """Each day (UTC)."""

        def ask() -> dict[dt.date, Tally]:
            return {row["day"]: tally for row, tally in _published(_rows(_counted(self._of(part), ["day"])))}

        return self._once(("days", part), ask)

    def subjects(self, part: Part) -> dict[str, Tally]:
        """The services, and host names that belong to none."""

        def ask() -> dict[str, Tally]:
            return {row["subject"]: tally for row, tally in _published(_rows(_counted(self._of(part), ["subject"])))}

        return self._once(("subjects", part), ask)

    def matrix(self, part: Part) -> dict[tuple[str, int], Tally]:
        """Each service on each network, with the most frequent mechanism."""

        def ask() -> dict[tuple[str, int], Tally]:
            found = _with_mechanism(self._of(part), ["subject", "asn"])
            return {(row["subject"], row["asn"]): tally for row, tally in found}

        return self._once(("matrix", part), ask)

    def _countries(self) -> list[Country]:
        hourly = self._hourly
        ends = hourly.group_by("country").aggregate(first=hourly.hour.min(), last=hourly.hour.max())
        spans = {row["country"]: row for row in _rows(ends)}
        found = [
            Country(code=code, tally=tally, first=spans[code]["first"], last=spans[code]["last"])
            for code, tally in (
                (row["country"], tally) for row, tally in _published(_rows(_counted(hourly, ["country"])))
            )
        ]
        return sorted(found, key=lambda country: (-country.tally.n, country.code))

    def _of(self, part: Part) -> ir.Table:
        hourly, span = self._hourly, part.span
        found = hourly.filter(
            hourly.country == part.country,
            hourly.day >= span.start.date(),
            hourly.day <= span.end.date(),
            hourly.hour >= _of_store(span.start),
            hourly.hour < _of_store(span.end),
        )
        if part.asns:
            found = found.filter(found.asn.isin(part.asns))
        return found.filter(found.subject.isin(part.subjects)) if part.subjects else found

    def _once(self, key: tuple[object, ...], ask: Callable[[], _Answer]) -> _Answer:
        if key not in self._known:
            while len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = ask()
        found: _Answer = self._known[key]
        return found


def _counted(part: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Sums, and the exact number of sources: a distinct count is an estimate on some engines."""
    sums = part.group_by(keys).aggregate(**{name: part[name].sum() for name in COUNTS})
    pairs = part.select(*keys, "source").distinct()
    sources = pairs.group_by(keys).aggregate(sources=pairs.count())
    return sums.join(sources, list(keys))


def _with_mechanism(part: ir.Table, keys: Sequence[str]) -> Iterator[tuple[Mapping[str, Any], Tally]]:
    troubled = part.mutate(troubled=sum((part[name] for name in (*_FAILING[1:], "refused")), part.blocked))
    by = troubled.group_by([*keys, "mechanism", "reading"]).aggregate(troubled=troubled.troubled.sum())
    seen: dict[tuple[Any, ...], Counter[str]] = {}
    for row in _rows(by):
        if row["troubled"]:
            of = seen.setdefault(tuple(row[name] for name in keys), Counter())
            of[mechanism_of(row["mechanism"], row["reading"])] += row["troubled"]
    worst = {key: max((number, how) for how, number in of.items()) for key, of in seen.items()}
    for row, tally in _published(_rows(_counted(part, keys))):
        yield row, msgspec.structs.replace(tally, mechanism=worst.get(tuple(row[name] for name in keys), (0, ""))[1])


def _published(rows: list[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Tally]]:
    for row in rows:
        n = int(row["n"])
        if withheld(n, int(row["sources"])):
            continue
        yield (
            row,
            Tally(
                n=_fives(n),
                sources=max(step for step in _STEPS if step <= int(row["sources"])),
                failing=_share(sum(int(row[name]) for name in _FAILING), n),
                blocked=_share(int(row["blocked"]), n),
                throttled=_share(int(row["throttled"]), n),
                refused=_share(int(row["refused"]), n),
            ),
        )


def _fives(n: int) -> int:
    return max(_STEP * round(n / _STEP), _STEP)


def _share(count: int, n: int) -> float:
    """A share; of few, one of numbers rounded to fives: a total minus its parts must not tell the rest."""
    return count / n if n >= _MANY else min(_STEP * round(count / _STEP) / _fives(n), 1.0)


def _of_store(moment: dt.datetime) -> dt.datetime:
    """A moment as the store writes it: UTC, without saying so."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def _rows(table: ir.Table) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = table.to_pyarrow().to_pylist()
    return [
        {name: value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value for name, value in row.items()}
        for row in rows
    ]
