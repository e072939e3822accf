"""Observations are judged in pieces and counted by day: the same as in one piece, whatever comes late or dies."""

import datetime as dt
import random
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rozaneh.core import LocalFault
from rozaneh.observatory import judging, schema
from rozaneh.observatory.cells import cells, countrywide
from rozaneh.observatory.dashboard.figures import Figures, Part, Span
from rozaneh.observatory.days import daily
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.store import Change, Partition, Store, files
from tests.observatory.made import reset, web, write
from tests.observatory.stored import NOW, rows

FIRST = dt.date(2022, 9, 21)


def lines(day: int, number: int, first: int = 0) -> list[dict[str, Any]]:
    """Measurements of one day: half of them on one network, the others on six; a ninth is blocked."""
    made = []
    for i in range(first, first + number):
        asn = f"AS{1 if i % 2 else i % 12 + 2}"
        began = f"2022-09-{21 + day} {i % 3:02}:00:00"
        one = reset(i) if i % 9 == 0 else web(i)
        made.append({**one, "probe_asn": asn, "measurement_start_time": began, "measurement_uid": f"{day}-{i}",
                     "software_version": f"3.{i // 12 % 2}.0"})  # fmt: skip
    return made


def table(place: Path, name: str) -> list[dict[str, Any]]:
    return sorted(rows(place, name), key=lambda row: [str(value) for value in row.values()])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days, judged in one piece."""
    place = tmp_path_factory.mktemp("judging")
    given = [write(place / f"{day}.jsonl.gz", lines(day, 60)) for day in range(2)]
    with Store(place / "store") as store:
        ingest(given, store, NOW)
        assert judging.judge_stale(store) == 120
    return place


def test_a_day_in_pieces_is_judged_as_in_one(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[judging._Piece] = []
    cut = judging._pieces

    def noted(paths: list[Path]) -> list[judging._Piece]:
        pieces.extend(cut(paths))
        return cut(paths)

    monkeypatch.setattr(judging, "_ROWS", 45)
    monkeypatch.setattr(judging, "_pieces", noted)
    with Store(tmp_path / "store") as store:
        ingest([whole / "0.jsonl.gz", whole / "1.jsonl.gz"], store, NOW)
        assert judging.judge_stale(store) == 120
    assert {piece.buckets for piece in pieces} == {1, 2}, "networks together, and one network in buckets"
    assert len(pieces) == 8
    for name in (schema.VERDICTS, schema.HOURLY, schema.DAILY):
        assert table(tmp_path / "store", name) == table(whole / "store", name) != []


def test_days_hold_what_hours_hold(whole: Path) -> None:
    hours = pa.concat_tables([pq.read_table(path, partitioning=None) for path in files(whole / "store", schema.HOURLY)])
    (path,) = files(whole / "store", schema.DAILY)
    days = pq.read_table(path, partitioning=None)
    assert path.parent.name == "month=2022-09"
    assert sum(days["n"].to_pylist()) == sum(hours["n"].to_pylist()) == 120
    assert sum(days["blocked"].to_pylist()) == sum(hours["blocked"].to_pylist()) > 0
    assert {row["mechanism"] != "" for row in days.to_pylist() if row["failing"]} == {True}
    narrow = pa.concat_tables([pq.read_table(path, partitioning=None) for path in files(whole / "store", schema.CELLS)])
    (path,) = files(whole / "store", schema.COUNTRYWIDE)
    together = ibis.memtable(pq.read_table(path, partitioning=None))
    kept = Figures(ibis.memtable(narrow), together, ibis.memtable(days))
    counted = Figures(ibis.memtable(narrow), together, daily(ibis.memtable(hours)))
    begin = dt.datetime.combine(FIRST, dt.time(), dt.UTC)
    part = Part("IR", Span(begin, begin + dt.timedelta(days=2)))
    assert kept.countries() == counted.countries()
    assert kept.days(part) == counted.days(part) != {}
    assert kept.matrix("IR") == counted.matrix("IR") != {}
    # Days and hours agree where both are shown.
    assert sum(tally.n for tally in kept.days(part).values()) == sum(tally.n for tally in kept.hours(part).values())


def test_cells_tell_how_many_sources_stand_behind_an_hour(whole: Path) -> None:
    """More sources than a bank holds, in a later piece, whichever networks and services are asked for."""
    rng = random.Random(3)
    base = pq.read_table(files(whole / "store", schema.HOURLY)[0], partitioning=None).to_pylist()[0]
    rows = [
        {**base, "asn": rng.randrange(3), "subject": rng.choice("abc"), "source": rng.randrange(150),
         "hour": base["hour"].replace(hour=rng.randrange(4)), "n": 3, "ok": 2, "blocked": 1, "failed": 0}
        for _ in range(2_000)
    ]  # fmt: skip
    narrow = cells(pa.Table.from_pylist(rows, schema=schema.HOUR), piece=2)
    assert len({row["bank"] for row in narrow.to_pylist()}) == 3
    together = ibis.memtable(countrywide(narrow))
    figures = Figures(ibis.memtable(narrow), together, ibis.memtable(schema.DAY.empty_table()))
    begin = dt.datetime.combine(FIRST, dt.time(), dt.UTC)
    for asns, subjects in (((), ()), ((1,), ()), ((0, 2), ("a", "c")), ((1,), ("b",))):
        found = figures.hours(Part("IR", Span(begin, begin + dt.timedelta(days=1)), asns, subjects))
        for hour, tally in found.items():
            behind = [
                row
                for row in rows
                if row["hour"] == hour.replace(tzinfo=None)
                and (not asns or row["asn"] in asns)
                and (not subjects or row["subject"] in subjects)
            ]
            sources = len({row["source"] for row in behind})
            assert tally.sources == max(step for step in (2, 3, 5, 10, 20, 50, 100) if step <= sources)
            assert tally.n == 5 * round(3 * len(behind) / 5)
        assert len(found) == 4


def test_a_month_is_counted_again_where_late_uploads_fall(whole: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        ingest([whole / "0.jsonl.gz", whole / "1.jsonl.gz"], store, NOW)
        judging.judge_stale(store)
        months = (schema.DAILY, schema.COUNTRYWIDE)
        before = {name: table(store.place, name) for name in months}
        ingest([write(tmp_path / "late.jsonl.gz", lines(1, 9, 60))], store, NOW)
        assert judging.judge_stale(store) == 69
        after = {name: table(store.place, name) for name in months}
    for name in months:
        assert len(files(tmp_path / "store", name)) == 1
        first, earlier = ([row for row in each[name] if row["day"] == FIRST] for each in (after, before))
        assert first == earlier != []
        assert sum(row["n"] for row in after[name]) == 129


def test_days_that_a_dead_writer_left_uncounted_are_counted_next_time(whole: Path, tmp_path: Path) -> None:
    class Died(BaseException):
        pass

    def dies(_: Store) -> None:
        raise Died

    with Store(tmp_path / "store") as store, pytest.MonkeyPatch.context() as patched:
        patched.setattr(judging, "count_days", dies)
        ingest([whole / "0.jsonl.gz"], store, NOW)
        with pytest.raises(Died):
            judging.judge_stale(store)
    with Store(tmp_path / "store") as store:
        assert store.stale() == []
        assert store.uncounted() == [Partition("IR", FIRST)]
        assert judging.judge_stale(store) == 0
        assert store.uncounted() == []
        assert sum(row["n"] for row in table(store.place, schema.DAILY)) == 60
        # A day whose hours go away leaves the days as well.
        gone = [path for name in (schema.HOURLY, schema.CELLS) for path in files(store.place, name)]
        store.commit(Change(drop=gone, fresh=[Partition("IR", FIRST)]))
        judging.judge_stale(store)
        assert files(store.place, schema.DAILY) == files(store.place, schema.COUNTRYWIDE) == []


def test_a_store_of_another_version_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "observations").mkdir()
    with pytest.raises(LocalFault, match="ingest the files into a new one"):
        Store(tmp_path)
