"""Ten million observations: judging them, and what each kind of page takes to answer from them.

A day of measurements is ingested as always; its table is then copied by the database over days and networks, each copy
with keys, times and networks of its own, because reading five million measurements takes half an hour; copies compress
better than measurements do. All of it is judged once, and a million measurements of it again. Pages are asked of a
freshly opened site, so that nothing is remembered from one to the next, after a first one that loads the libraries.
Queries are timed with their translation for the engine, apart from making the page. Needs half a gigabyte of disk, for
as long as it runs; where ``ROZANEH_SCALE_STORE`` names a directory, the store stays there, and what is in it already is
not made or judged again (``python -m benchmarks.observatory_scale make``), which leaves less than a minute to measure.
"""

import datetime as dt
import json
import os
import sys
import tempfile
import time
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb

from rozaneh.observatory import engine, schema
from rozaneh.observatory.dashboard import figures
from rozaneh.observatory.dashboard.foreseen import foresee
from rozaneh.observatory.dashboard.opening import open_site
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_stale
from rozaneh.observatory.store import Change, Partition, Store, files, partitions_of
from rozaneh.observatory.verdicts import hourly
from tests.observatory.made import reset, web

COMMAND = "python -m benchmarks observatory_scale"
DAYS, NETWORKS, MEASUREMENTS = 100, 10, 5_000
_SITES = 60
_MILLION = 1_000_000 // (NETWORKS * MEASUREMENTS)
"""Days that have a million measurements."""
_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_FIRST = dt.date(2022, 9, 21)
_PAGES = {
    "the first page": "en/index.html",
    "a country": "fa/IR/index.html",
    "a month": "en/IR/2022-10.html",
    "a network": "en/IR/AS44244.html",
    "a service": "en/IR/service/site7.example.html",
    "hours as CSV": "data/IR/hours.csv",
    "services as JSON": "data/IR/services.json",
}

Row = dict[str, object]


def main() -> list[Row]:
    kept = os.environ.get("ROZANEH_SCALE_STORE")
    with nullcontext(kept) if kept else tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "store"
        observations = _made(place)
        paths = files(place, schema.OBSERVATIONS)
        rows = [
            _row("observations", observations, "rows", ">= 10000000"),
            _row("observations on disk", sum(path.stat().st_size for path in paths) / observations, "bytes/row", ""),
        ]
        with Store(place) as store:
            again = partitions_of(place, schema.OBSERVATIONS)[:_MILLION]
            store.commit(Change(stale=again))
            began = time.perf_counter()
            verdicts = judge_stale(store)
            took = time.perf_counter() - began
        rows.append(_row("judge a million measurements again", took / verdicts * 1e6, "s", "< 10"))
        began = time.perf_counter()
        foresee(place)
        rows.append(_row("what may not be shown, found once after that", time.perf_counter() - began, "s", ""))
        hours = files(place, schema.HOURLY)
        rows.append(_row("hours on disk", sum(path.stat().st_size for path in hours) / 1e6, "MB", ""))
        open_site(place, interactive=True).page("en/method.html")
        for name, path in _PAGES.items():
            rows += _page(place, name, path)
        return [*rows, _same(place, hours[:_MILLION])]


def _made(place: Path) -> int:
    given = place.parent / "base.parquet"
    if not given.exists():
        _base(place).rename(given)
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    for day in range(DAYS):
        there = Partition("IR", _FIRST + dt.timedelta(days=day)).inside(place / schema.OBSERVATIONS)
        if any(there.glob("*.parquet")):
            continue
        there.mkdir(parents=True, exist_ok=True)
        fresh = place.parent / "copied.parquet"
        connection.execute(
            f"""COPY (SELECT t.* REPLACE ((hash(measurement, i, {day}) >> 1)::BIGINT AS measurement,
                    measurement_uid || '-{day}-' || i AS measurement_uid, day + {day} AS day,
                    time + INTERVAL {day} DAY AS time, asn + 10 * i AS asn, (hash(source, i) >> 1)::BIGINT AS source)
                FROM read_parquet('{given}', hive_partitioning = false) t, range({NETWORKS}) r(i)
                ORDER BY asn, domain, time, measurement, target, dial)
                TO '{fresh}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"""  # noqa: S608 - ours
        )
        fresh.rename(there / "copied.parquet")
    with Store(place) as store:
        done = {*partitions_of(place, schema.VERDICTS)} - {*store.stale()}
        store.commit(Change(stale=[day for day in partitions_of(place, schema.OBSERVATIONS) if day not in done]))
        judge_stale(store)
    return DAYS * NETWORKS * 2 * MEASUREMENTS


def _base(place: Path) -> Path:
    """One network-day of measurements, ingested."""
    lines = place.parent / "day.jsonl"
    with lines.open("wb") as file:
        for number in range(MEASUREMENTS):
            made = (reset if number % 9 == 0 else web)(number * 17)
            made |= {"input": f"https://site{number % _SITES}.example/", "probe_asn": f"AS{44244 + number % 7}"}
            made["software_version"] = f"3.{number % 5}.0"  # sources that differ, without which nothing is shown
            file.write(json.dumps(made).encode() + b"\n")
    with Store(place) as store:
        assert ingest([lines], store, _NOW).kept == MEASUREMENTS
    (base,) = files(place, schema.OBSERVATIONS)
    return base


def _page(place: Path, name: str, path: str) -> list[Row]:
    asked: list[float] = []
    answer = vars(figures)["asked"]

    def timed(table: Any) -> Any:
        began = time.perf_counter()
        found = answer(table)
        asked.append(time.perf_counter() - began)
        return found

    site = open_site(place, interactive=True)
    with patch.object(figures, "asked", timed):
        began = time.perf_counter()
        page = site.page(path)
        took = time.perf_counter() - began
    assert page is not None, path
    said = f"{name}: its {len(asked)} queries"
    return [_row(said, sum(asked), "s", "< 0.5"), _row(f"{name}: all of it", took, "s", "")]


def _same(place: Path, hours: list[Path]) -> Row:
    """Whether other engines count a million the same; ClickHouse in this process, where it is installed."""
    name = "hours of a million that ClickHouse counts in another way than DuckDB"
    if not find_spec("chdb"):
        return _row(name, "needs make scale", "", "")
    there = engine.clickhouse("clickhouse://chdb")
    days = [path.parent.name for path in hours]
    verdicts = f"{place}/{schema.VERDICTS}/country=IR/{{{','.join(days)}}}/*.parquet"
    there.con.command(f"CREATE VIEW {schema.VERDICTS} AS SELECT * FROM file('{verdicts}', Parquet)")  # noqa: S608 - ours
    told = engine.fetch(there, hourly(engine.expression(schema.VERDICTS)), schema.HOUR)
    here = duckdb.connect()
    here.register("told", told)
    columns = ", ".join(schema.HOUR.names)
    different = here.execute(
        f"""SELECT count(*) FROM (SELECT {columns} FROM told EXCEPT ALL
            SELECT {columns} FROM read_parquet($1, hive_partitioning = false))""",  # noqa: S608 - constant names
        [[str(path) for path in hours]],
    ).fetchone()
    assert different is not None
    assert sum(told["n"].to_pylist()) == len(days) * NETWORKS * MEASUREMENTS
    return _row(name, int(different[0]), "rows", "== 0")


def _row(name: str, value: object, unit: str, target: str) -> Row:
    return {"name": f"10 million: {name}", "value": value, "unit": unit, "target": target, "command": COMMAND}


if __name__ == "__main__":
    assert sys.argv[1:] == ["make"], f"{COMMAND}, or make"
    print(_made(Path(os.environ["ROZANEH_SCALE_STORE"]) / "store"))
