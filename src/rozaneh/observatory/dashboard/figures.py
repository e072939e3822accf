"""What pages and exports show, as plain structs: few rows, asked of the tables of cells and days through Ibis.

Whatever leaves this module is fit to be published: cells behind which too little stands are left out, and counts are
rounded, so that a total minus its parts does not give away what was left out.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import ibis
import ibis.expr.types as ir
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rozaneh.observatory.dashboard.withhold import withheld, withheld_where

_STEP = 5
_MANY = 50
_STEPS = (2, 3, 5, *(digit * 10**power for power in range(1, 9) for digit in (1, 2, 5)))
_REMEMBERED = 64
_MOMENT = dt.timedelta(microseconds=1)
_DAY = dt.timedelta(days=1)
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

    Whatever is not about single hours is about whole days, UTC.

    Args:
        cells: the table of cells.
        countrywide: the table of cells of all networks together.
        daily: the table of days.
    """

    def __init__(self, cells: ir.Table, countrywide: ir.Table, daily: ir.Table) -> None:
        self._cells = cells
        self._countrywide = countrywide
        self._daily = daily
        self._known: dict[tuple[object, ...], Any] = {}

    def countries(self) -> list[Country]:
        """The countries about which enough is known, the best known first."""
        return self._once(("countries",), self._countries)

    def measured(self) -> bool:
        """Whether anything was measured, also where it is too little to show."""
        return self._once(("measured",), lambda: bool(self._daily.limit(1).count().to_pyarrow().as_py()))

    def networks(self, country: str) -> dict[int, Tally]:
        """The networks of a country about which enough is known."""

        def ask() -> dict[int, Tally]:
            rows = _rows(_counted(self._daily.filter(self._daily.country == country), ["asn"]))
            return {row["asn"]: tally for row, tally in _published(rows)}

        return self._once(("networks", country), ask)

    def hours(self, part: Part) -> dict[dt.datetime, Tally]:
        """Each hour."""
        by_bank = self._by_bank(part)
        hour = by_bank["hour"].to_numpy()
        start, end = (np.datetime64(_of_store(moment), "us") for moment in (part.span.start, part.span.end))
        within = (hour >= start) & (hour < end)
        found = _united(hour[within], by_bank.filter(pa.array(within)))
        return {hour.replace(tzinfo=dt.UTC): tally for hour, tally in found.items()}

    def days(self, part: Part) -> dict[dt.date, Tally]:
        """Each day (UTC) that the hours touch."""
        by_bank = self._by_bank(part)
        return _united(by_bank["hour"].to_numpy().astype("datetime64[D]"), by_bank)

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

    def _by_bank(self, part: Part) -> pa.Table:
        """Hours and days come of the same cells, of all days that the hours touch."""
        first = _of_store(part.span.start).date()
        last = _of_store(part.span.end - _MOMENT).date() + _DAY
        midnights = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (first, last))
        wide = msgspec.structs.replace(part, span=Span(*midnights))

        def ask() -> pa.Table:
            cells = _of(self._cells if part.asns else self._countrywide, wide)
            return _asked(_of_banks(cells, ["hour"]))

        return self._once(("hours", wide), ask)

    def _countries(self) -> list[Country]:
        by_day = _counted(self._daily, ["country", "day"])
        shown = ibis.ifelse(withheld_where(by_day.n, by_day.sources), ibis.null("date"), by_day.day)
        days = by_day.mutate(shown=shown).group_by("country")
        rows = _rows(
            days.aggregate(
                **{name: by_day[name].sum() for name in _SUMS}, first=ibis._.shown.min(), last=ibis._.shown.max()
            )
        )
        sources = (
            self._daily.select("country", "source").distinct().group_by("country").aggregate(sources=ibis._.count())
        )
        behind = {row["country"]: row["sources"] for row in _rows(sources)}
        known = [
            (row, tally)
            for row, tally in _published([{**row, "sources": behind[row["country"]]} for row in rows])
            if row["first"] is not None
        ]
        edges = self._edges({row["country"]: (row["first"], row["last"]) for row, _ in known})
        found = [
            Country(code=code, tally=tally, first=edges[code][0], last=edges[code][1])
            for code, tally in ((row["country"], tally) for row, tally in known)
        ]
        return sorted(found, key=lambda country: (-country.tally.n, country.code))

    def _edges(self, of: Mapping[str, tuple[dt.date, dt.date]]) -> dict[str, tuple[dt.datetime, dt.datetime]]:
        """For each country the first and the last hour of which something may be shown, by the days of which it may.

        The very first and last hour may be one volunteer's.
        """
        days = {day for both in of.values() for day in both}
        cells = self._countrywide
        some = _asked(
            _of_banks(cells.filter(cells.country.isin(list(of)), cells.day.isin(list(days))), ["country", "hour"])
        )
        edges = {}
        for code, (first, last) in of.items():
            here = some.filter(pc.equal(some["country"], code))
            hours = [hour.replace(tzinfo=dt.UTC) for hour in _united(here["hour"].to_numpy(), here)]
            on = [[hour for hour in hours if hour.date() == day] for day in (first, last)]
            begin, end = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (first, last))
            edges[code] = min(on[0], default=begin), max(on[1], default=end + _DAY - dt.timedelta(hours=1))
        return edges

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


def _of_banks(cells: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Sums, and the sources behind them as bits."""
    sums = {name: cells[name].sum() for name in _SUMS}
    return cells.group_by([*keys, "bank"]).aggregate(**sums, sources=cells.sources.bit_or())


def _united(moments: np.ndarray, by_bank: pa.Table) -> dict[Any, Tally]:
    """What may be shown of each moment, of rows that each say a bank: their bits become a number of sources.

    Args:
        moments: of each row.
        by_bank: the rows.
    """
    if not by_bank.num_rows:
        return {}
    bank = by_bank["bank"].to_numpy()
    order = np.lexsort((bank, moments))
    moments, bank = moments[order], bank[order]
    begins = np.append(True, moments[1:] != moments[:-1])
    of_bank = np.flatnonzero(begins | np.append(True, bank[1:] != bank[:-1]))
    bits = np.bitwise_count(np.bitwise_or.reduceat(by_bank["sources"].to_numpy()[order], of_bank))
    starts = np.flatnonzero(begins)
    columns = {name: np.add.reduceat(by_bank[name].to_numpy()[order], starts).tolist() for name in _SUMS}
    columns["sources"] = np.add.reduceat(bits.astype(np.int64), np.searchsorted(of_bank, starts)).tolist()
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    keyed = [{"moment": moment, **row} for moment, row in zip(moments[starts].tolist(), rows, strict=True)]
    return {row["moment"]: tally for row, tally in _published(keyed)}


def _with_mechanism(part: ir.Table, keys: Sequence[str]) -> Iterator[tuple[Mapping[str, Any], Tally]]:
    troubled = part.filter(part.mechanism != "")
    by = troubled.group_by([*keys, "mechanism"]).aggregate(troubled=(troubled.failing + troubled.refused).sum())
    worst: dict[tuple[Any, ...], tuple[int, str]] = {}
    for row in _rows(by):
        key = tuple(row[name] for name in keys)
        worst[key] = max(worst.get(key, (0, "")), (int(row["troubled"]), row["mechanism"]))
    for row, tally in _published(_rows(_counted(part, keys))):
        yield row, msgspec.structs.replace(tally, mechanism=worst.get(tuple(row[name] for name in keys), (0, ""))[1])


def _published(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Tally]]:
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
