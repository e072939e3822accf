"""Files into observations: each measurement is kept once, in its place, and is judged as it was where it was made."""

import datetime as dt
import random
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from rozaneh import ooni
from rozaneh.core import Target
from rozaneh.diagnosis import judge
from rozaneh.observatory import compaction, schema
from rozaneh.observatory.judging import judge_all, judge_stale
from rozaneh.observatory.store import Partition, Store, files, partitions_of
from tests.observatory.evidence import evidence
from tests.observatory.made import reset, web, write
from tests.observatory.stored import into, rows


def test_a_dial_becomes_a_row_with_its_control_and_the_classic_result(tmp_path: Path) -> None:
    summary = into(tmp_path / "store", write(tmp_path / "a.jsonl.gz", [web()]))
    assert (summary.kept, summary.rows) == (1, 2)
    first, second = rows(tmp_path / "store")
    assert first["ip"] == "151.101.1.5"
    assert (first["role"], first["failure"], first["status"], first["title"]) == ("system", None, 200, "A site")
    assert (first["asn"], first["country"], first["network_type"]) == (44244, "IR", "mobile")
    assert (first["classic_blocking"], first["classic_accessible"]) == ("false", True)
    assert (first["control_works"], first["control_tls"], first["control_status"]) == (True, True, 200)
    assert first["received"] == dt.datetime(2022, 9, 21, 12)  # noqa: DTZ001 - as in the store
    # The page was asked for at the first address only, so the second shows nothing.
    assert (second["failure"], second["verified"]) == ("interrupted", True)


def test_oonis_result_is_worked_out_where_the_measurement_has_none(tmp_path: Path) -> None:
    bare = [web(1), reset(2), {**web(3), "test_name": "signal"}]
    for one in bare:
        for key in ("blocking", "accessible", "dns_consistency"):
            del one["test_keys"][key]
        for records in ("tcp_connect", "tls_handshakes", "requests"):
            for record in one["test_keys"][records]:
                record["tags"] = ["depth=0", "fetch_body=true"]
    into(tmp_path / "store", write(tmp_path / "a.jsonl", [*bare, reset(4)]))
    found = {
        row["line"]: (row["classic_blocking"], row["classic_accessible"], row["classic_computed"])
        for row in rows(tmp_path / "store")
    }
    assert found == {
        1: ("false", True, True), 2: ("http-failure", False, True),
        3: (None, None, False), 4: ("http-failure", False, False),
    }  # fmt: skip


def test_rows_lie_by_country_and_day_and_are_sorted(tmp_path: Path) -> None:
    lines = [web(i, probe_cc=cc, probe_asn=f"AS{9 - i}") for i, cc in enumerate(("IR", "DE", "IR", "??"))]
    into(tmp_path / "store", write(tmp_path / "a.jsonl", lines))
    day = dt.date(2022, 9, 21)
    assert partitions_of(tmp_path / "store", schema.OBSERVATIONS) == [Partition(c, day) for c in ("DE", "IR", "ZZ")]
    here = [row["asn"] for path in files(tmp_path / "store", "observations", [Partition("IR", day)])
            for row in pq.read_table(path, partitioning=None).to_pylist()]  # fmt: skip
    assert here == [7, 7, 9, 9]


def test_a_measurement_that_comes_twice_is_kept_once(tmp_path: Path) -> None:
    without = {**web(5), "measurement_uid": None}
    write(tmp_path / "a.jsonl", [web(1), web(2), web(1), without, without])
    write(tmp_path / "b.jsonl.gz", [web(2), web(3), without])
    first = into(tmp_path / "store", tmp_path / "a.jsonl")
    assert (first.kept, first.doubled) == (3, 2)
    second = into(tmp_path / "store", tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz")
    assert (second.kept, second.doubled, second.skipped) == (1, 2, 1)
    assert len(rows(tmp_path / "store")) == 8


def test_the_same_tables_come_of_any_order(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.jsonl.gz", [web(i), reset(i + 100)]) for i in range(4)]
    for name, order in (("one", paths), ("two", paths[::-1])):
        for path in order:
            into(tmp_path / name, path)
        with Store(tmp_path / name) as store:
            judge_stale(store)
    for table in (schema.VERDICTS, schema.HOURLY):
        assert rows(tmp_path / "one", table) == rows(tmp_path / "two", table) != []


def test_judging_again_replaces(tmp_path: Path) -> None:
    into(tmp_path / "store", write(tmp_path / "a.jsonl", [web(1), reset(2)]))
    with Store(tmp_path / "store") as store:
        assert judge_stale(store) == 2
        assert judge_stale(store) == 0
        assert judge_all(store) == 2
    assert Counter(row["verdict"] for row in rows(tmp_path / "store", schema.VERDICTS)) == {"ok": 1, "blocked": 1}
    assert sum(row["n"] for row in rows(tmp_path / "store", schema.HOURLY)) == 2


def test_small_files_of_a_partition_are_put_together(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i:02}.jsonl", [web(i), web(100 - i)]) for i in range(12)]
    for path in paths[:-1]:
        into(tmp_path / "store", path)
    with Store(tmp_path / "store") as store:
        judge_stale(store)
        before = rows(tmp_path / "store", schema.VERDICTS)
    into(tmp_path / "store", paths[-1])
    assert len(files(tmp_path / "store", schema.OBSERVATIONS)) <= compaction.MOST
    found = rows(tmp_path / "store")
    assert Counter(row["measurement_uid"] for row in found) == {
        web(i)["measurement_uid"]: 2 for i in (*range(12), *range(89, 101))
    }
    with Store(tmp_path / "store") as store:
        judge_stale(store)
    assert [row for row in rows(tmp_path / "store", schema.VERDICTS) if row in before] == before


def test_what_our_own_probe_wrote_is_judged_as_it_was_there(tmp_path: Path) -> None:
    rng = random.Random(11)
    seen = [one for one in (evidence(rng) for _ in range(150)) if one.tried]
    target = Target(host="site.example", port=443, speaks="https")
    place = ooni.Place(asn=44244, country="IR", network_type="mobile")
    lines = [
        ooni.encode(
            ooni.Made(target=target, evidence=one, service="signal", runtime=i), place, software_version="0.1.0"
        )
        for i, one in enumerate(seen)
    ]
    write(tmp_path / "ours.jsonl.gz", lines)
    summary = into(tmp_path / "store", tmp_path / "ours.jsonl.gz")
    assert summary.rejected == {}
    with Store(tmp_path / "store") as store:
        judge_stale(store)
    by_line = {row["measurement"]: row["line"] for row in rows(tmp_path / "store")}
    found = rows(tmp_path / "store", schema.VERDICTS)
    assert len(found) == summary.kept > 100
    for row in found:
        told = judge(seen[by_line[row["measurement"]] - 1])
        assert (row["verdict"], row["confidence"], row["rule"], row["service"]) == (
            told.verdict.value, told.confidence, next(iter(told.rules), ""), "signal",
        )  # fmt: skip
