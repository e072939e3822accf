"""What pages and exports show, as plain structs: few rows, asked of the tables of cells and days through Ibis.

Whatever leaves this module is fit to be published: cells behind which too little stands are left out, counts are
rounded (:mod:`rozaneh.observatory.dashboard.tallies`), and what could be told as a total minus its parts is counted
nowhere (:mod:`rozaneh.observatory.dashboard.remainders`).
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import ibis.expr.types as ir
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rozaneh.observatory import schema
from rozaneh.observatory.dashboard.remainders import Counted, counted
from rozaneh.observatory.dashboard.tallies import Tally, published
from rozaneh.observatory.dashboard.withhold import withheld, withheld_of_each
from rozaneh.observatory.engine import asked, united
from rozaneh.observatory.schema import SUMS

_REMEMBERED = 64
_MOMENT = dt.timedelta(microseconds=1)
_DAY = dt.timedelta(days=1)
_BY_BANK = pa.schema([schema.CELL.field(name) for name in ("hour", "bank", *SUMS, "sources")])


_Answer = TypeVar("_Answer")


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
        out: gives what does not count of a country, where that is known.
    """

    def __init__(
        self,
        cells: ir.Table,
        countrywide: ir.Table,
        daily: ir.Table,
        out: Callable[[str], pa.Table | None] = lambda _: None,
    ) -> None:
        self._tables = Counted(cells, countrywide, daily)
        self._out = out
        self._counted: dict[str, Counted] = {}
        self._known: dict[tuple[object, ...], Any] = {}

    def countries(self) -> list[Country]:
        """The countries about which enough is known, the best known first. Their totals are those of the hours."""
        return self._once(("countries",), self._countries)

    def measured(self) -> bool:
        """Whether anything was measured, also where it is too little to show."""
        *_, daily = self._tables
        return self._once(("measured",), lambda: bool(daily.limit(1).count().to_pyarrow().as_py()))

    def networks(self, country: str) -> dict[int, Tally]:
        """The networks of a country about which enough is known."""

        def ask() -> dict[int, Tally]:
            rows = _rows(_counted(self._of(country).daily, ["asn"]))
            return {row["asn"]: tally for row, tally in published(rows)}

        return self._once(("networks", country), ask)

    def hours(self, part: Part) -> dict[dt.datetime, Tally]:
        """Each hour."""
        rows, _ = self._shown(part)
        hour = _hour(rows)
        start, end = (np.datetime64(_of_store(moment), "us") for moment in (part.span.start, part.span.end))
        within = (hour >= start) & (hour < end)
        found = _united(hour[within], rows.filter(pa.array(within)))
        return {hour.replace(tzinfo=dt.UTC): tally for hour, tally in found.items()}

    def days(self, part: Part) -> dict[dt.date, Tally]:
        """Each day (UTC) that the hours touch. Hours that are not shown count where they are enough together."""
        rows, beside = self._shown(part)
        if beside is not None:
            # A day of all there is, by its hours; then that of the part, and what lies between the two.
            inside = np.repeat([True, False], [rows.num_rows, beside.num_rows])
            rows = pa.concat_tables([rows, beside])
            counts = _counts_by_day(rows)
            rows, inside = rows.filter(pa.array(counts)), inside[counts]
            inside[inside] = _counts_by_day(rows.filter(pa.array(inside)))
            outside = rows.filter(pa.array(~inside))
            few = _day(outside)[~_enough(_day(outside), outside)]
            rows = rows.filter(pa.array(inside | np.isin(_day(rows), few)))
        else:
            rows = rows.filter(pa.array(_counts_by_day(rows)))
        return _united(_day(rows), rows)

    def subjects(self, country: str, span: Span | None = None) -> dict[str, Tally]:
        """The services, and host names that belong to none; of all days where no span is given."""

        def ask() -> dict[str, Tally]:
            rows = _rows(_counted(_within(self._of(country).daily, span), ["subject"]))
            return {row["subject"]: tally for row, tally in published(rows)}

        return self._once(("subjects", country, span), ask)

    def matrix(self, country: str, since: dt.datetime | None = None) -> dict[tuple[str, int], Tally]:
        """Each service on each network, with the most frequent mechanism.

        Args:
            country: two capitals.
            since: count from that day on; where too little lies before it, which the difference would tell, all counts.
        """

        def ask() -> dict[tuple[str, int], Tally]:
            keys, daily = ["subject", "asn"], self._of(country).daily
            if since is None:
                return {(row["subject"], row["asn"]): tally for row, tally in _with_mechanism(daily, keys)}
            day = _of_store(since).date()
            found = {
                (row["subject"], row["asn"]): t for row, t in _with_mechanism(daily.filter(daily.day >= day), keys)
            }
            before = _rows(_counted(daily.filter(daily.day < day), keys))
            few = {
                (row["subject"], row["asn"]) for row in before if row["n"] > 0 and withheld(row["n"], row["sources"])
            }
            whole = self.matrix(country) if few else {}
            return {key: whole.get(key, tally) if key in few else tally for key, tally in found.items()}

        return self._once(("matrix", country, since), ask)

    def _of(self, country: str) -> Counted:
        """The rows of a country that count."""
        if country not in self._counted:
            self._counted[country] = counted(self._tables, country, asked, self._out(country))
        return self._counted[country]

    def _shown(self, part: Part) -> tuple[pa.Table, pa.Table | None]:
        """The hours of a part, and what lies beside it on other pages, which counts with it where it is too little.

        Beside some networks lie the same services on other ones; beside several services the other ones.
        """
        if not part.asns and len(part.subjects) < 2:
            # What is beside one service is others that are shown, or what is enough together: see the remainders.
            return self._by_bank(part), None

        def ask() -> tuple[pa.Table, pa.Table]:
            if part.asns:
                rows = self._by_bank(part)
                beside = _minus(self._by_bank(msgspec.structs.replace(part, asns=())), rows)
            else:
                rows, beside = self._both(part)
            enough = _enough(_hour(beside), beside)
            few = beside.filter(pa.array(~enough))
            return pa.concat_tables([rows, few]), beside.filter(pa.array(enough))

        return self._once(("shown", part), ask)

    def _both(self, part: Part) -> tuple[pa.Table, pa.Table]:
        """The hours of some services on all networks, and those of all other services."""
        wide = _of_whole_days(part)
        cells = _within(self._of(part.country).countrywide, wide.span)
        inside = cells.subject.isin(part.subjects).cast("int8")  # flags come as numbers from some engines
        rows = asked(_of_banks(cells.mutate(inside=inside), ["hour", "inside"]))
        named, others = (rows.filter(pc.equal(rows["inside"], flag)).drop("inside").cast(_BY_BANK) for flag in (1, 0))
        return named, others

    def _by_bank(self, part: Part) -> pa.Table:
        """Hours and days come of the same cells, of all days that the hours touch."""
        wide = _of_whole_days(part)

        def ask() -> pa.Table:
            of = self._of(part.country)
            cells = _within(of.cells if part.asns else of.countrywide, wide.span)
            if part.asns:
                cells = cells.filter(cells.asn.isin(part.asns))
            if part.subjects:
                cells = cells.filter(cells.subject.isin(part.subjects))
            return asked(_of_banks(cells, ["hour"])).cast(_BY_BANK)

        return self._once(("hours", wide), ask)

    def _countries(self) -> list[Country]:
        *_, daily = self._tables
        found = [
            self._country(code) for code in sorted(asked(daily.select("country").distinct())["country"].to_pylist())
        ]
        return sorted((one for one in found if one is not None), key=lambda one: (-one.tally.n, one.code))

    def _country(self, code: str) -> Country | None:
        """A country with the sums of its hours, as far as they are shown. None are those of one volunteer."""
        of = self._of(code)
        rows = asked(_of_banks(of.countrywide, ["hour"])).cast(_BY_BANK)
        rows = rows.filter(pa.array(_enough(_hour(rows), rows)))
        if not rows.num_rows:
            return None
        (sources,) = _rows(of.daily.aggregate(sources=of.daily.source.nunique()))
        sums = {name: pc.sum(rows[name]).as_py() for name in SUMS}
        (tally,) = (tally for _, tally in published([{**sums, **sources}]))
        edges = (pc.min(rows["hour"]).as_py(), pc.max(rows["hour"]).as_py())
        first, last = (hour.replace(tzinfo=dt.UTC) for hour in edges)
        return Country(code=code, tally=tally, first=first, last=last)

    def _once(self, key: tuple[object, ...], ask: Callable[[], _Answer]) -> _Answer:
        if key not in self._known:
            while len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = ask()
        found: _Answer = self._known[key]
        return found


def _of_whole_days(part: Part) -> Part:
    first = _of_store(part.span.start).date()
    last = _of_store(part.span.end - _MOMENT).date() + _DAY
    midnights = (dt.datetime.combine(day, dt.time(), dt.UTC) for day in (first, last))
    return msgspec.structs.replace(part, span=Span(*midnights))


def _within(table: ir.Table, span: Span | None) -> ir.Table:
    """The days that a span touches; all without."""
    if span is None:
        return table
    return table.filter(table.day >= _of_store(span.start).date(), table.day <= _of_store(span.end - _MOMENT).date())


def _counted(part: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Sums, and the exact number of sources: a distinct count is an estimate on some engines."""
    of_source = part.group_by([*keys, "source"]).aggregate(**{name: part[name].sum() for name in SUMS})
    sums = {name: of_source[name].sum() for name in SUMS}
    return of_source.group_by(keys).aggregate(**sums, sources=of_source.source.count())


def _of_banks(cells: ir.Table, keys: Sequence[str]) -> ir.Table:
    """Sums, and the sources behind them as bits."""
    sums = {name: cells[name].sum() for name in SUMS}
    banks = cells.group_by([*keys, "bank"]).aggregate(**sums, sources=united(cells.sources))
    return banks.select(*keys, "bank", *SUMS, "sources")


def _hour(rows: pa.Table) -> np.ndarray:
    hours: np.ndarray = rows["hour"].to_numpy()
    return hours


def _day(rows: pa.Table) -> np.ndarray:
    return _hour(rows).astype("datetime64[D]")


def _minus(rows: pa.Table, some: pa.Table) -> pa.Table:
    """Rows of hours and banks without some that are in them, of networks that the rest has no part in."""
    both = rows.join(some, ["hour", "bank"], right_suffix="_of_some")
    columns = {name: both[name] for name in ("hour", "bank")}
    columns |= {name: pc.subtract(both[name], pc.fill_null(both[f"{name}_of_some"], 0)) for name in SUMS}
    others = pc.bit_wise_not(pc.fill_null(both["sources_of_some"], 0))
    left = pa.table({**columns, "sources": pc.bit_wise_and(both["sources"], others)}).cast(_BY_BANK)
    return left.filter(pc.greater(left["n"], 0))


def _together(moments: np.ndarray, by_bank: pa.Table) -> dict[str, np.ndarray]:
    """Each moment with its sums, of rows that each say a bank: their bits become a number of sources.

    Args:
        moments: of each row.
        by_bank: the rows; at least one.
    """
    bank = by_bank["bank"].to_numpy()
    order = np.lexsort((bank, moments))
    moments, bank = moments[order], bank[order]
    begins = np.append(True, moments[1:] != moments[:-1])
    of_bank = np.flatnonzero(begins | np.append(True, bank[1:] != bank[:-1]))
    bits = np.bitwise_count(np.bitwise_or.reduceat(by_bank["sources"].to_numpy()[order], of_bank))
    starts = np.flatnonzero(begins)
    found = {name: np.add.reduceat(by_bank[name].to_numpy()[order], starts) for name in SUMS}
    found["sources"] = np.add.reduceat(bits.astype(np.int64), np.searchsorted(of_bank, starts))
    return {"moment": moments[starts], **found}


def _united(moments: np.ndarray, by_bank: pa.Table) -> dict[Any, Tally]:
    """What may be shown of each moment."""
    if not by_bank.num_rows:
        return {}
    columns = {name: column.tolist() for name, column in _together(moments, by_bank).items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {row["moment"]: tally for row, tally in published(rows)}


def _enough(moments: np.ndarray, by_bank: pa.Table) -> np.ndarray:
    """Of each row, whether there is enough to show in all rows of its moment together."""
    if not by_bank.num_rows:
        return np.zeros(0, bool)
    found = _together(moments, by_bank)
    shown = ~withheld_of_each(found["n"], found["sources"])
    mask: np.ndarray = shown[np.searchsorted(found["moment"], moments)]
    return mask


def _counts_by_day(rows: pa.Table) -> np.ndarray:
    """Of each row, whether it counts for its day: in an hour that is shown, or enough with the day's other ones."""
    counts = _enough(_hour(rows), rows)
    dark = rows.filter(pa.array(~counts))
    counts[~counts] = _enough(_day(dark), dark)
    return counts


def _with_mechanism(part: ir.Table, keys: Sequence[str]) -> Iterator[tuple[Mapping[str, Any], Tally]]:
    troubled = part.filter(part.mechanism != "", part.source.notnull())
    of_source = troubled.group_by([*keys, "mechanism", "source"]).aggregate(
        troubled=(troubled.failing + troubled.refused).sum()
    )
    by = of_source.group_by([*keys, "mechanism"]).aggregate(
        troubled=of_source.troubled.sum(), sources=of_source.count()
    )
    worst: dict[tuple[Any, ...], tuple[int, str]] = {}
    for row in _rows(by):
        if not withheld(int(row["troubled"]), int(row["sources"])):
            key = tuple(row[name] for name in keys)
            worst[key] = max(worst.get(key, (0, "")), (int(row["troubled"]), row["mechanism"]))
    for row, tally in published(_rows(_counted(part, keys))):
        yield row, msgspec.structs.replace(tally, mechanism=worst.get(tuple(row[name] for name in keys), (0, ""))[1])


def _of_store(moment: dt.datetime) -> dt.datetime:
    """A moment as the store writes it: UTC, without saying so."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)


def _rows(table: ir.Table) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = asked(table).to_pylist()
    return rows
