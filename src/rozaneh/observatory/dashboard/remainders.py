"""What counts on pages and in exports: all rows but those that would be told by subtraction.

Theory of operation. A total is shown beside its parts: an hour of a country beside the same hour of its networks, the
service of a network beside the service. Parts behind which too little stands are left out, and whoever subtracts those
that are shown from their total finds what is left over. So what is left over has to be enough to be shown itself, or
there must be nothing left over: where it is too little, it counts nowhere at all, in no total and no part, on no page
and in no export. What counts is one set of rows of which everything is made, so it does not matter which page is held
against which.

The totals and parts that are held together are those of :data:`_BY_HOUR` and :data:`_BY_DAY`. To leave rows out can
make a part too small that was not, so it is done until nothing changes. Few rows are concerned: the one volunteer
who is alone on a network, where all others of that hour are shown.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from rozaneh.observatory import schema
from rozaneh.observatory.dashboard.withhold import LEAST_SOURCES, withheld, withheld_where
from rozaneh.observatory.engine import given, named, united
from rozaneh.observatory.schema import SUMS

Ask = Callable[[ir.Table], pa.Table]
"""Gives the rows of a query."""
Here = Callable[[pa.Table], ir.Table]
"""Makes a table of the engine of some rows."""

_ATOM: Final = ("day", "hour", "asn", "subject")
GONE: Final = pa.schema([schema.CELL.field(name).remove_metadata() for name in (*_ATOM, *SUMS)])
"""The columns of what counts nowhere."""
_DAILY: Final = ("day", "asn", "subject", "source", "mechanism", *SUMS)
_BY_HOUR: Final = ((("day", "hour"), "asn"), (("day", "hour"), "subject"))
_BY_DAY: Final = ((("day",), "asn"), (("day",), "subject"), (("asn",), "subject"), (("subject",), "asn"))


class Counted(NamedTuple):
    """Rows that count: all, or those of a country that do.

    Attributes:
        cells: of the table of cells.
        countrywide: of the table of cells of all networks together.
        daily: of the table of days, as far as pages ask for it. A row without a source corrects the others.
    """

    cells: ir.Table
    countrywide: ir.Table
    daily: ir.Table


def counted(tables: Counted, country: str, ask: Ask, out: pa.Table | None = None) -> Counted:
    """The rows of a country that count.

    Args:
        tables: those of the store.
        country: two capitals.
        ask: gives the rows of a query.
        out: what :func:`left_out` gave, where it is known.
    """
    every = _every(tables, country)
    if out is None:
        return _settled(every, ask)[1]
    return _kept(every, out, ask) if out.num_rows else every


def left_out(tables: Counted, country: str, ask: Ask) -> pa.Table:
    """What does not count, by day, hour, network and subject. The arguments are those of :func:`counted`."""
    return _settled(_every(tables, country), ask)[0]


def _every(tables: Counted, country: str) -> Counted:
    cells, countrywide, daily = (rows.filter(rows.country == country) for rows in tables)
    backend = cells.get_backend()
    return Counted(*(named(backend, rows) for rows in (cells, countrywide, daily.select(*_DAILY))))


def _settled(every: Counted, ask: Ask) -> tuple[pa.Table, Counted]:
    """What has to go for nothing to be left over that is too little, and what is kept."""
    kept, out = every, _too_little(every, ask)
    more = out
    while more.num_rows:
        kept = _kept(every, out, ask)
        # Of days of which nothing was left out now everything is known.
        more = _too_little(kept, ask, pc.unique(more["day"]).to_pylist())
        out = pa.concat_tables([out, more])
    return out, kept


def _kept(every: Counted, out: pa.Table, ask: Ask) -> Counted:
    backend = every.cells.get_backend()
    return Counted(*(named(backend, table) for table in _without(every, out, ask, lambda rows: given(backend, rows))))


def _too_little(kept: Counted, ask: Ask, on: Sequence[dt.date] | None = None) -> pa.Table:
    """What is left over where that is too little, by day, hour, network and subject; each once.

    Args:
        kept: what counts.
        ask: gives the rows of a query.
        on: of all that is about single days look at these alone.
    """

    def some(rows: ir.Table) -> ir.Table:
        return rows if on is None else rows.filter(rows.day.isin(on))

    of_cells = _seen(kept.cells, kept.cells.bank, kept.cells.sources)
    wide = _seen(kept.countrywide, kept.countrywide.bank, kept.countrywide.sources)
    days = _seen(kept.daily, kept.daily.source, ibis.literal(1, "int64"))
    found = [_left_over(some(of_cells if part == "asn" else wide), whole, part, ask) for whole, part in _BY_HOUR]
    found += [_left_over(some(days) if "day" in whole else days, whole, part, ask) for whole, part in _BY_DAY]
    found.append(_hours(wide, days, ask))
    tables = [ask(_atoms(kept.cells.semi_join(few, few.columns))).cast(GONE) for few in found if few is not None]
    return _each_once(pa.concat_tables([GONE.empty_table(), *tables]))


def _seen(rows: ir.Table, ids: ir.Column, bits: ir.IntegerValue) -> ir.Table:
    """Rows with what tells whether there are two sources behind them: other ids, or two bits."""
    return rows.mutate(low=ids, high=ids, bits=bits)


def _parts(rows: ir.Table, keys: Sequence[str], **more: ir.Scalar) -> ir.Table:
    """Rows put together, as far as there are any; ``shown`` says whether that is enough to show."""
    sums = rows.group_by(list(keys)).aggregate(
        n=rows.n.sum(), low=rows.low.min(), high=rows.high.max(), bits=united(rows.bits), **more
    )
    return sums.filter(sums.n > 0).mutate(shown=_shown)


def _shown(sums: ir.Table) -> ir.BooleanColumn:
    # Two or more sources count as two, which is all that is asked.
    several = (sums.low != sums.high) | ((sums.bits & (sums.bits - 1)) != 0)
    return ~withheld_where(sums.n, ibis.ifelse(several.fill_null(ibis.literal(value=False)), LEAST_SOURCES, 1))


def _left_over(rows: ir.Table, whole: Sequence[str], part: str, ask: Ask) -> ir.Table | None:
    """The parts that are not shown, of the wholes that are shown and in which they are too little together."""
    # Nearly always there are none, which one pass over the parts finds; to join parts with parts takes three.
    parts = _parts(rows, [*whole, part])
    shown, nothing = parts.shown, ibis.null("int64")
    hidden = parts.select(
        *whole,
        n=ibis.ifelse(shown, 0, parts.n),
        low=ibis.ifelse(shown, nothing, parts.low),
        high=ibis.ifelse(shown, nothing, parts.high),
        bits=ibis.ifelse(shown, 0, parts.bits),
        beside=ibis.ifelse(shown, 1, 0),
    )
    few = ask(
        _parts(hidden, whole, beside=hidden.beside.max()).filter(~ibis._.shown, ibis._.beside == 1).select(*whole)
    )
    if not few.num_rows:
        return None
    kind = pa.schema([GONE.field(name) for name in whole])
    of_few = rows.semi_join(given(rows.get_backend(), few.cast(kind)), whole)
    return _parts(of_few, [*whole, part]).filter(~ibis._.shown).select(*whole, part)


def _hours(wide: ir.Table, days: ir.Table, ask: Ask) -> ir.Table | None:
    """The hours that are not shown, if they are too little together."""
    small = _parts(wide, ("day", "hour")).filter(~ibis._.shown)
    parts = _parts(small, ("day",))
    by_day = ask(parts.select("day", "n", shown=parts.shown.cast("int8"))).to_pylist()  # flags come as numbers anyway
    if not by_day or any(row["shown"] for row in by_day):
        return None
    # Only within a day can sources be told apart by their bits. Where no hour of a day is shown they are told by ids.
    whole = {row["day"]: row["n"] for row in ask(days.group_by("day").aggregate(n=days.n.sum())).to_pylist()}
    dark = [row["day"] for row in by_day if whole.get(row["day"]) == row["n"]]
    (ids,) = (
        ask(days.filter(days.day.isin(dark)).aggregate(low=ibis._.low.min(), high=ibis._.high.max())).to_pylist()
        if dark
        else ({"low": None, "high": None},)
    )
    several = ids["low"] != ids["high"]
    if not withheld(sum(row["n"] for row in by_day), LEAST_SOURCES if several else 1):
        return None
    return small.select("day", "hour")


def _atoms(cells: ir.Table) -> ir.Table:
    return cells.group_by(list(_ATOM)).aggregate(**{name: ibis._[name].sum() for name in SUMS})


def _each_once(atoms: pa.Table) -> pa.Table:
    once = atoms.group_by(list(_ATOM)).aggregate([(name, "max") for name in SUMS])
    return once.rename_columns([*_ATOM, *SUMS]).cast(GONE)


def _without(every: Counted, out: pa.Table, ask: Ask, here: Here) -> Counted:
    """All rows but some."""
    gone, keys = here(out), ("hour", "asn", "subject")
    cells = every.cells.anti_join(gone, keys)
    touched = gone.select("hour", "subject").distinct()
    added = cells.semi_join(touched, touched.columns).group_by("country", "day", "subject", "hour", "bank").aggregate(
        sources=lambda rows: united(rows.sources), **{name: ibis._[name].sum() for name in SUMS}
    )  # fmt: skip
    mended = ask(added).select(schema.COUNTRYWIDE_CELL.names).cast(schema.COUNTRYWIDE_CELL)
    wide = every.countrywide.select(*schema.COUNTRYWIDE_CELL.names)
    return Counted(
        cells,
        wide.anti_join(touched, touched.columns).union(here(mended)),
        _days_without(every.daily, out, here),
    )


def _days_without(daily: ir.Table, out: pa.Table, here: Here) -> ir.Table:
    """Days do not tell hours: rows that take away what is out are added, and a source counts if it surely is left."""
    keys = ["day", "asn", "subject"]
    by_day = out.group_by(keys).aggregate([(name, "sum") for name in SUMS]).rename_columns([*keys, *SUMS])
    less = here(by_day.select([*keys, "n"]).rename_columns([*keys, "less"]))
    joined = daily.left_join(less, keys)
    sure = joined.less.isnull() | (joined.n > joined.less)
    left = joined.mutate(source=ibis.ifelse(sure, joined.source, ibis.null("int64"))).select(*daily.columns)
    columns = {name: by_day[name] for name in keys} | {name: pc.negate(by_day[name]) for name in SUMS}
    taken = here(pa.table(columns)).mutate(source=ibis.null("int64"), mechanism=ibis.literal(""))
    return left.union(taken.select(*daily.columns))
