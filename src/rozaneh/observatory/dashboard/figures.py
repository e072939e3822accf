"""What pages and exports show, as plain structs: few rows, asked of the tables of cells and days through Ibis.

Whatever leaves this module is fit to be published: cells behind which too little stands are left out, and counts are
rounded, so that a total minus its parts does not give away what was left out.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import ibis.expr.types as ir
import msgspec
import numpy as np
import pyarrow as pa

from rozaneh.observatory.cells import ALL
from rozaneh.observatory.dashboard.withhold import withheld

_STEP = 5
_MANY = 50
_STEPS = (2, 3, 5, *(digit * 10**power for power in range(1, 9) for digit in (1, 2, 5)))
_REMEMBERED = 64
_MOMENT = dt.timedelta(microseconds=1)
_MIDNIGHT = dt.time()
_SUMS = ("n", "failing", "blocked", "throttled", "refused")


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
        first: its first hour of which something may be shown.
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
    """The figures of one state of a store. What was asked lately is remembered: both languages ask the same.

    Whatever is not about single hours is asked of the table of days, and is about whole days, UTC.

    Args:
        cells: the table of cells.
        days: the table of days.
    """

    def __init__(self, cells: ir.Table, days: ir.Table) -> None:
        self._cells = cells
        self._daily = days
        self._known: dict[tuple[object, ...], Any] = {}

    def countries(self) -> list[Country]:
        """The countries about which enough is known, the best known first."""
        return self._once(("countries",), self._countries)

    def networks(self, country: str) -> dict[int, Tally]:
        """The networks of a country about which enough is known."""

        def ask() -> dict[int, Tally]:
            rows = _rows(_counted(self._daily.filter(self._daily.country == country), ["asn"]))
            return {row["asn"]: tally for row, tally in _published(rows)}

        return self._once(("networks", country), ask)

    def hours(self, part: Part) -> dict[dt.datetime, Tally]:
        """Each hour."""

        def ask() -> dict[dt.datetime, Tally]:
            span, cells = part.span, _of(self._cells, part)
            if not part.asns:
                cells = cells.filter(cells.asn == ALL)
            # Whole days are chosen by their files; comparing every hour as well costs a third more.
            if span.start.astimezone(dt.UTC).time() != _MIDNIGHT:
                cells = cells.filter(cells.hour >= _of_store(span.start))
            if span.end.astimezone(dt.UTC).time() != _MIDNIGHT:
                cells = cells.filter(cells.hour < _of_store(span.end))
            by_bank = cells.group_by(["hour", "bank"]).aggregate(
                **{name: cells[name].sum() for name in _SUMS}, sources=cells.sources.bit_or()
            )
            return {row["hour"]: tally for row, tally in _published(_united(_asked(by_bank)))}

        return self._once(("hours", part), ask)

    def days(self, part: Part) -> dict[dt.date, Tally]:
        """Each day (UTC) that the hours touch."""

        def ask() -> dict[dt.date, Tally]:
            rows = _rows(_counted(_of(self._daily, part), ["day"]))
            return {row["day"]: tally for row, tally in _published(rows)}

        return self._once(("days", part), ask)

    def subjects(self, part: Part) -> dict[str, Tally]:
        """The services, and host names that belong to none."""

        def ask() -> dict[str, Tally]:
            rows = _rows(_counted(_of(self._daily, part), ["subject"]))
            return {row["subject"]: tally for row, tally in _published(rows)}

        return self._once(("subjects", part), ask)

    def matrix(self, part: Part) -> dict[tuple[str, int], Tally]:
        """Each service on each network, with the most frequent mechanism."""

        def ask() -> dict[tuple[str, int], Tally]:
            found = _with_mechanism(_of(self._daily, part), ["subject", "asn"])
            return {(row["subject"], row["asn"]): tally for row, tally in found}

        return self._once(("matrix", part), ask)

    def _countries(self) -> list[Country]:
        days: dict[str, list[dt.date]] = {}
        for row, _ in _published(_rows(_counted(self._daily, ["country", "day"]))):
            days.setdefault(row["country"], []).append(row["day"])
        found = []
        for row, tally in _published(_rows(_counted(self._daily, ["country"]))):
            # The very first and last hour may be one volunteer's: those of which something may be shown count.
            if shown := days.get(row["country"]):
                first, last = self._edge(row["country"], min(shown), 0), self._edge(row["country"], max(shown), -1)
                found.append(Country(code=row["country"], tally=tally, first=first, last=last))
        return sorted(found, key=lambda country: (-country.tally.n, country.code))

    def _edge(self, code: str, day: dt.date, place: int) -> dt.datetime:
        """The first or last hour of a day of which something may be shown; of the day itself where there is none."""
        midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
        hours = sorted(self.hours(Part(code, Span(midnight, midnight + dt.timedelta(days=1)))))
        return hours[place] if hours else midnight + dt.timedelta(hours=23 if place else 0)

    def _once(self, key: tuple[object, ...], ask: Callable[[], _Answer]) -> _Answer:
        if key not in self._known:
            while len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = ask()
        found: _Answer = self._known[key]
        return found


def _of(table: ir.Table, part: Part) -> ir.Table:
    """What a part is about, of the days that it touches."""
    span = part.span
    found = table.filter(
        table.country == part.country,
        table.day >= _of_store(span.start).date(),
        table.day <= _of_store(span.end - _MOMENT).date(),
    )
    if part.asns:
        found = found.filter(found.asn.isin(part.asns))
    return found.filter(found.subject.isin(part.subjects)) if part.subjects else found


def _counted(part: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Sums, and the exact number of sources: a distinct count is an estimate on some engines."""
    of_source = part.group_by([*keys, "source"]).aggregate(**{name: part[name].sum() for name in _SUMS})
    sums = {name: of_source[name].sum() for name in _SUMS}
    return of_source.group_by(keys).aggregate(**sums, sources=of_source.count())


def _united(by_bank: pa.Table) -> list[Mapping[str, Any]]:
    """The hours of banks, whose bits become a number of sources."""
    hours, place = np.unique(by_bank["hour"].to_numpy(), return_inverse=True)
    bits = np.bitwise_count(by_bank["sources"].to_numpy())
    columns = {
        name: np.bincount(place, values, len(hours)).astype(np.int64).tolist()
        for name, values in (("sources", bits), *((name, by_bank[name].to_numpy()) for name in _SUMS))
    }
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [{"hour": hour.replace(tzinfo=dt.UTC), **row} for hour, row in zip(hours.tolist(), rows, strict=True)]


def _with_mechanism(part: ir.Table, keys: Sequence[str]) -> Iterator[tuple[Mapping[str, Any], Tally]]:
    troubled = part.filter(part.mechanism != "")
    by = troubled.group_by([*keys, "mechanism"]).aggregate(troubled=(troubled.failing + troubled.refused).sum())
    worst: dict[tuple[Any, ...], tuple[int, str]] = {}
    for row in _rows(by):
        key = tuple(row[name] for name in keys)
        worst[key] = max(worst.get(key, (0, "")), (int(row["troubled"]), row["mechanism"]))
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
                n=fives(n),
                sources=at_least(int(row["sources"])),
                failing=_share(int(row["failing"]), n),
                blocked=_share(int(row["blocked"]), n),
                throttled=_share(int(row["throttled"]), n),
                refused=_share(int(row["refused"]), n),
            ),
        )


def at_least(sources: int) -> int:
    """How many sources there are at least, in steps: one more of them must not show."""
    return max((step for step in _STEPS if step <= sources), default=0)


def fives(n: int) -> int:
    """A count, rounded to fives."""
    return max(_STEP * round(n / _STEP), _STEP)


def _share(count: int, n: int) -> float:
    """A share; of few, one of numbers rounded to fives: a total minus its parts must not tell the rest."""
    return count / n if n >= _MANY else min(_STEP * round(count / _STEP) / fives(n), 1.0)


def _of_store(moment: dt.datetime) -> dt.datetime:
    """A moment as the store writes it: UTC, without saying so."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def _asked(query: ir.Table) -> pa.Table:
    """The answer of an engine."""
    return query.to_pyarrow()


def _rows(table: ir.Table) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = _asked(table).to_pylist()
    return [
        {name: value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value for name, value in row.items()}
        for row in rows
    ]
