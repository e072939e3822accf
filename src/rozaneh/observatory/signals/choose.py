"""Which columns of a table are the time and the series, and the series themselves."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, tzinfo
from pathlib import Path

import numpy as np

from rozaneh.core import LocalFault
from rozaneh.observatory.signals.moments import instant, looks_like_time, zone_of
from rozaneh.observatory.signals.signal import Reading, Signal
from rozaneh.observatory.signals.table import Table, read_table
from rozaneh.words import later

_MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "--", ".", "?"}
_KEYS = frozenset(
    [
        "country",
        "country_code",
        "cc",
        "probe_cc",
        "asn",
        "probe_asn",
        "network",
        "region",
        "entity",
        "entitycode",
        "datasource",
        "series",
        "transport",
        "node",
        "fingerprint",
        "source",
        "service",
        "metric",
        "signal",
    ]
)
_COUNTRIES = {"country", "country_code", "cc", "probe_cc"}
_NETWORKS = {"asn", "probe_asn", "network"}
_NO_SERIES = _KEYS.union(
    [
        "lower",
        "upper",
        "frac",
        "id",
        "index",
        "line",
        "step",
        "coverage",
        "num_instances",
        "year",
        "month",
        "day",
        "hour",
        "lat",
        "lon",
        "latitude",
        "longitude",
        "weekday",
    ]
)
_LOOKED_AT = 400
_MOSTLY = 0.8
_SERIES = 500
_COUNTRY = re.compile(r"[A-Za-z]{2}")


def read_signals(
    path: Path, columns: Sequence[str] = (), *, time: str | None = None, country: str | None = None
) -> Reading:
    """The series of a file.

    Args:
        path: CSV or JSON.
        columns: names of the columns of numbers; all that look so, if none is given.
        time: name of the column of times; guessed if none is given.
        country: of the series, where the file does not tell.

    Raises:
        LocalFault: there is no such column, or nothing to read in it; one line that names the place.
    """
    return choose(read_table(path), path.name, columns, time=time, country=country)


def choose(
    table: Table, place: str, columns: Sequence[str] = (), *, time: str | None = None, country: str | None = None
) -> Reading:
    """The series of a table; as :func:`read_signals`.

    Raises:
        LocalFault: as there.
    """
    at = _time_column(table, place, time)
    zone, zone_name = zone_of(table.header[at])
    numbers = [_column(table, place, name) for name in columns] or _guess(table, at)
    if not numbers:
        raise LocalFault(later("{place}: no column of numbers; there are {table}", place=place, table=_names(table)))
    keys = _keys(table, at, numbers, every=_repeats(table, at, zone))
    reading = Reading(
        time=table.header[at],
        columns=tuple(table.header[number] for number in numbers),
        guessed=not columns,
        zone=zone_name,
        rejected=list(table.rejected),
        set_aside=table.set_aside,
    )
    _gather(table, place, reading, (at, zone), numbers, keys, country)
    return reading


def _gather(  # noqa: PLR0917 - what was chosen
    table: Table,
    place: str,
    reading: Reading,
    when: tuple[int, tzinfo],
    numbers: Sequence[int],
    keys: Sequence[int],
    country: str | None,
) -> None:
    at, zone = when
    found: dict[tuple[tuple[str, ...], int], dict[float, float]] = {}
    for line, row in zip(table.lines, table.rows, strict=True):
        moment = instant(row[at], zone)
        if moment is None:
            reading.reject(line, f"column {table.header[at]!r}: no time: {str(row[at])[:60]!r}")
            continue
        key = tuple(str(row[number] or "").strip()[:100] for number in keys)
        for number in numbers:
            value = _value(row[number])
            if value is None:
                reading.reject(line, f"column {table.header[number]!r}: no number: {str(row[number])[:60]!r}")
                continue
            series = found.setdefault((key, number), {})
            if len(found) > _SERIES:
                raise LocalFault(
                    later(
                        "{place}:{line!s}: more than {series} series; name fewer columns",
                        place=place,
                        line=line,
                        series=_SERIES,
                    )
                )
            _keep(reading, series, moment, value)
    names = [table.header[number] for number in keys]
    for (key, number), series in sorted(found.items()):
        made = _signal(table.header[number], dict(zip(names, key, strict=True)), series, country)
        if made is not None and _usable(made, place, named=not reading.guessed):
            reading.signals.append(made)
    if not reading.signals:
        first = reading.rejected[0] if reading.rejected else None
        if first is None:
            raise LocalFault(later("{place}: no series with a level above nought", place=place))
        raise LocalFault(f"{place}:{first.line}: {first.reason}")


def _keep(reading: Reading, series: dict[float, float], moment: float, value: float) -> None:
    """Keep a value; of two for one time the larger, whatever their order."""
    old = series.get(moment)
    if old is None or math.isnan(old):
        series[moment] = value
    elif not math.isnan(value) and value != old:
        reading.doubled += 1
        series[moment] = max(old, value)


def _signal(column: str, key: dict[str, str], series: dict[float, float], country: str | None) -> Signal | None:
    if not series:
        return None
    where = country or next((v for k, v in key.items() if k.lower() in _COUNTRIES and _COUNTRY.fullmatch(v)), "ZZ")
    network = next((v for k, v in key.items() if k.lower() in _NETWORKS and v), "")
    network = f"AS{network}" if network.isdigit() else network.upper()
    rest = [v for k, v in key.items() if v and k.lower() not in _COUNTRIES | _NETWORKS]
    times = np.array(sorted(series))
    return Signal(
        name=" ".join(rest) if rest and column == "value" else " ".join([column, *rest]),
        country=where.upper(),
        network=network,
        times=times,
        values=np.array([series[moment] for moment in times.tolist()]),
    )


def _usable(signal: Signal, place: str, *, named: bool) -> bool:
    """Whether a fall towards nought can be seen in it: it is not negative, and not nought all the time."""
    seen = signal.values[~np.isnan(signal.values)]
    usual = float(np.median(np.abs(seen))) if len(seen) else 0.0
    negative = len(seen) and (seen < -0.05 * max(float(np.quantile(np.abs(seen), 0.9)), 1e-12)).mean() > 0.01
    if negative and named:
        raise LocalFault(
            later(
                "{place}: column {name!r} goes below nought; a fall needs a level above it",
                place=place,
                name=signal.name,
            )
        )
    np.maximum(signal.values, 0.0, out=signal.values)
    return not negative and (usual > 0 or (len(seen) > 0 and float(np.max(seen)) > 0))


def _value(cell: object) -> float | None:
    """A number; NaN where the cell is empty; none where it is neither."""
    if cell is None:
        return math.nan
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        try:
            return float(cell) if abs(cell) < 1e300 else None
        except OverflowError:
            return None
    if not isinstance(cell, str) or len(cell) > 60:
        return None
    text = cell.strip()
    if text.lower() in _MISSING:
        return math.nan
    try:
        value = float(text.removesuffix("%").replace(",", ""))
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None


def _column(table: Table, place: str, name: str) -> int:
    wanted = name.strip()
    if wanted in table.header:
        return table.header.index(wanted)
    alike = [i for i, header in enumerate(table.header) if header.lower() == wanted.lower()]
    if len(alike) == 1:
        return alike[0]
    raise LocalFault(
        later("{place}: no column {wanted!r}; there are {table}", place=place, wanted=wanted, table=_names(table))
    )


def _names(table: Table) -> str:
    return ", ".join(repr(name) for name in table.header[:20])


def _sample(table: Table) -> list[Sequence[object]]:
    step = max(1, len(table.rows) // _LOOKED_AT)
    return table.rows[::step]


def _time_column(table: Table, place: str, name: str | None) -> int:
    if name is not None:
        return _column(table, place, name)
    rows = _sample(table)

    def share(number: int) -> float:
        return sum(instant(row[number], UTC) is not None for row in rows) / len(rows)

    named = [number for number, header in enumerate(table.header) if looks_like_time(header)]
    others = [number for number in range(len(table.header)) if number not in named]
    for number in named:
        if share(number) >= 0.5:
            return number
    for number in others:
        texts = all(isinstance(row[number], str) and not str(row[number]).replace(".", "").isdigit() for row in rows)
        if texts and share(number) >= _MOSTLY:
            return number
    raise LocalFault(
        later(
            "{place}:{lines!s}: no column of times, as 2022-09-21T15:50; there are {table}",
            place=place,
            lines=table.lines[0],
            table=_names(table),
        )
    )


def _guess(table: Table, at: int) -> list[int]:
    rows = _sample(table)
    found = []
    for number, header in enumerate(table.header):
        if number == at or header.lower() in _NO_SERIES or looks_like_time(header.split("(")[0]):
            continue
        values = [_value(row[number]) for row in rows]
        good = [value for value in values if value is not None and not math.isnan(value)]
        bad = sum(value is None for value in values)
        if good and len(good) >= _MOSTLY * (len(good) + bad):
            found.append(number)
    return found


def _repeats(table: Table, at: int, zone: tzinfo) -> bool:
    """Whether times come more than once, as they do where a file holds several places below each other."""
    seen = [instant(row[at], zone) for row in table.rows[:_LOOKED_AT]]
    return len(set(seen)) < _MOSTLY * len(seen)


def _keys(table: Table, at: int, numbers: Sequence[int], *, every: bool) -> list[int]:
    """Columns that say what a row is about: the place, and where times come more than once every other one too."""
    wanted = _KEYS if every else _COUNTRIES | _NETWORKS
    return [
        number
        for number, header in enumerate(table.header)
        if number != at and number not in numbers and header.lower() in wanted
    ]
