"""Files into observations: what is good is kept once, what is bad is set aside, whatever the file tries."""

import datetime as dt
import gzip
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from rozaneh import ooni
from rozaneh.core import LocalFault, Target
from rozaneh.diagnosis import judge
from rozaneh.observatory import batches, compaction, schema
from rozaneh.observatory import ingest as ingesting
from rozaneh.observatory.doubles import Keys
from rozaneh.observatory.ingest import Summary, ingest
from rozaneh.observatory.judging import judge_all, judge_stale
from rozaneh.observatory.store import Change, Partition, Store, files, partitions_of
from rozaneh.observatory.window import Window
from tests.observatory.evidence import evidence
from tests.observatory.made import reset, web, write

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def into(place: Path, *paths: Path) -> Summary:
    with Store(place) as store:
        return ingest(paths, store, NOW)


def rows(place: Path, table: str = schema.OBSERVATIONS) -> list[dict[str, Any]]:
    return [row for path in files(place, table) for row in pq.read_table(path, partitioning=None).to_pylist()]


def uids(place: Path) -> list[str]:
    return sorted({row["measurement_uid"] for row in rows(place)})


def rejected(place: Path) -> list[tuple[int, str]]:
    return sorted((row["line"], row["reason"]) for row in rows(place, schema.QUARANTINE))


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


HOSTILE: list[tuple[str, bytes]] = [
    ("deep", b"[" * 200_000),
    ("deep objects", b'{"test_keys":' * 100_000),
    ("long number", b'{"probe_asn":' + b"9" * 5000 + b"}"),
    ("port", json.dumps(web()).encode().replace(b'"port": 443', b'"port": 99999999999999999999')),
    ("negative port", json.dumps(web()).encode().replace(b'"port": 443', b'"port": -1')),
    ("not a number", b'{"test_runtime": NaN}'),
    ("lone surrogate", json.dumps(web()).encode().replace(b"A site", b"\\ud800")),
    ("no UTF-8", json.dumps(web()).encode().replace(b"site.example", b"\xff\xfe")),
    ("wrong type", b'{"test_keys": [1, 2], "test_name": "web_connectivity"}'),
    ("array", b"[]"),
    ("number", b"1"),
    ("cut", json.dumps(web()).encode()[:300]),
    ("two on a line", b'{"a": 1} {"b": 2}'),
    ("NUL", b"\0\0\0\0"),
    ("byte order mark", b"\xef\xbb\xbf{}"),
    ("single quotes", b"{'a': 1}"),
    ("trailing comma", b'{"a": 1,}'),
    ("no time", b"{}"),
    ("year 0", json.dumps(web(measurement_start_time="0000-01-01 00:00:00")).encode()),
    ("year 9999", json.dumps(web(measurement_start_time="9999-01-01 00:00:00")).encode()),
]


def test_good_lines_between_bad_ones_all_survive(tmp_path: Path) -> None:
    lines: list[Any] = []
    for number, (_, bad) in enumerate(HOSTILE):
        lines += [web(number), bad]
    summary = into(tmp_path / "store", write(tmp_path / "a.jsonl.gz", [*lines, web(999)]))
    good = {web(number)["measurement_uid"] for number in (*range(len(HOSTILE)), 999)}
    assert good <= set(uids(tmp_path / "store"))
    aside = dict(rejected(tmp_path / "store"))
    caught = {name for number, (name, _) in enumerate(HOSTILE) if number * 2 + 2 in aside}
    # A lone surrogate has a replacement character's place in a text; the measurement around it is good.
    assert {name for name, _ in HOSTILE} - caught <= {"lone surrogate"}
    assert summary.kept + sum(summary.rejected.values()) + summary.doubled == len(lines) + 1


def test_what_is_set_aside_names_its_place(tmp_path: Path) -> None:
    good, cut = json.dumps(web()).encode(), b'{"test_name": "web_connectivity", "test_keys": {"queries": [{"t": "x"}]}}'
    into(tmp_path / "store", write(tmp_path / "a.jsonl.gz", [good, cut, good]))
    (row,) = rows(tmp_path / "store", schema.QUARANTINE)
    assert (row["file"], row["line"], row["offset"]) == ("a.jsonl.gz", 2, len(good) + 1)
    assert row["detail"] == "Expected `float | null`, got `str` - at `$.test_keys.queries[0].t`"


def test_many_bad_lines_are_counted_and_not_all_kept(tmp_path: Path) -> None:
    summary = into(tmp_path / "store", write(tmp_path / "a.jsonl.gz", [b"{"] * 5000))
    assert summary.rejected == {"not a measurement": 5000}
    kept = rows(tmp_path / "store", schema.QUARANTINE)
    assert len(kept) < 200
    assert sum(row["count"] for row in kept) == 5000


@pytest.mark.parametrize("change", ["cut", "members", "trailing", "damaged"])
def test_what_is_whole_in_a_broken_file_is_kept(tmp_path: Path, change: str) -> None:
    lines = [json.dumps(web(i)).encode() + b"\n" for i in range(400)]
    whole = gzip.compress(b"".join(lines), 1)
    data = {
        "cut": whole[: len(whole) // 2],
        "members": gzip.compress(b"".join(lines[:100])) + gzip.compress(b"".join(lines[100:])),
        "trailing": whole + b"what is this",
        "damaged": whole[: len(whole) // 2] + b"\xff" * 64 + whole[len(whole) // 2 + 64 :],
    }[change]
    (tmp_path / "a.jsonl.gz").write_bytes(data)
    summary = into(tmp_path / "store", tmp_path / "a.jsonl.gz")
    if change in ("members", "trailing"):
        assert summary.kept == 400
    else:
        assert 50 < summary.kept < 400
    assert bool(summary.rejected) is (change != "members")


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


def test_a_file_over_too_many_days_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_DAYS", 5)
    lines = [web(i, measurement_start_time=f"2022-09-{i + 1:02} 00:00:00") for i in range(9)]
    summary = into(tmp_path / "store", write(tmp_path / "a.jsonl.gz", lines))
    assert (summary.kept, summary.rejected) == (5, {"too many days": 4})


def test_missing_inputs_and_a_second_writer_are_told_in_one_line(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        with pytest.raises(LocalFault, match="no file or directory"):
            ingest([tmp_path / "nothing"], store, NOW)
        with pytest.raises(LocalFault, match="another process"):
            Store(tmp_path / "store")


_BOMB = """
import re, sys
from rozaneh.observatory.batches import Reader
import datetime as dt
def most():  # of this process alone: what getrusage gives includes what the parent once had
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
before = most()
reader = Reader("bomb", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
with open(sys.argv[1], "rb") as file:
    kept = sum(rows.measurements for rows in reader.batches(file))
print(kept, reader.quarantine.total, most() - before)
"""


def test_a_bomb_costs_its_own_line_and_little_memory(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.jsonl.gz", "wb", 9) as file:
        file.write(b'{"measurement_uid":"')
        for _ in range(512):
            file.write(b"A" * (1 << 20))
        file.write(b'"}\n' + json.dumps(web()).encode() + b"\n")
    assert (tmp_path / "bomb.jsonl.gz").stat().st_size < 600_000
    ran = subprocess.run(
        [sys.executable, "-c", _BOMB, str(tmp_path / "bomb.jsonl.gz")], capture_output=True, text=True, check=True
    )
    kept, bad, memory = map(int, ran.stdout.split())
    assert (kept, bad) == (1, 1)
    assert memory < 100 * 1024  # in KiB


_KILLS = """
import datetime as dt, os, signal, sys, time
from pathlib import Path
from rozaneh.observatory import compaction, ingest, window
from rozaneh.observatory.store import Store
window.WINDOW, compaction.MOST = 40, 2
kills = 0
for after in range(60):
    child = os.fork()
    if not child:
        with Store(Path(sys.argv[1])) as store:
            ingest.ingest([Path(sys.argv[2])], store, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        os._exit(0)
    time.sleep(0.04 * after)
    os.kill(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] == 0:
        break
    kills += 1
print(kills)
"""


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """Files of a hundred measurements each; one stands in all of them."""
    (tmp_path / "in").mkdir()
    for part in range(4):
        write(tmp_path / "in" / f"{part}.jsonl.gz", [web(part * 100 + i) for i in range(100)] + [web(999)])
    return tmp_path / "in"


def assert_whole(place: Path) -> None:
    """Each is there, once, with its two rows."""
    found = Counter(row["measurement_uid"] for row in rows(place))
    assert len(found) == 401
    assert set(found.values()) == {2}


def test_kills_at_any_point_lose_and_double_nothing(tmp_path: Path, measured: Path) -> None:
    """Each run is killed a little later than the one before, until one gets to its end."""
    ran = subprocess.run(
        [sys.executable, "-c", _KILLS, str(tmp_path / "store"), str(measured)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(ran.stdout) > 2
    into(tmp_path / "store", measured)
    assert_whole(tmp_path / "store")


_KILLS_OF_MANY = """
import datetime as dt, multiprocessing, os, signal, sys
from pathlib import Path
from rozaneh.observatory import ingest, jobs, window
from rozaneh.observatory.store import Store
whom, after = sys.argv[3], int(sys.argv[4])
hear, heard = jobs._Holder.hear, 0
def counted(holder, reader):
    global heard
    heard += 1
    if heard == after:
        at = os.getpid() if whom == "holder" else multiprocessing.active_children()[0].pid
        os.kill(at, signal.SIGKILL)
    return hear(holder, reader)
jobs._Holder.hear = counted
if __name__ == "__main__":
    with Store(Path(sys.argv[1])) as store:
        ingest.ingest([Path(sys.argv[2])], store, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), jobs=2)
"""


def test_kills_among_several_processes_lose_and_double_nothing(tmp_path: Path, measured: Path) -> None:
    """Who holds the store dies after so many of sixteen messages, and so does one that reads; then one run ends."""
    command = [sys.executable, "-c", _KILLS_OF_MANY, str(tmp_path / "store"), str(measured)]
    for whom, after in (("holder", 5), ("reader", 7), ("holder", 14)):
        ran = subprocess.run([*command, whom, str(after)], capture_output=True, text=True, check=False)
        assert ran.returncode == (-signal.SIGKILL if whom == "holder" else 1)
        assert whom == "holder" or "ended early" in ran.stderr
    ran = subprocess.run([*command, "nobody", "0"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert_whole(tmp_path / "store")


def test_several_processes_read_as_one_does(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for part in range(5):
        lines = [web(part * 20 + i) for i in range(30)]  # a third stands in two files
        write(tmp_path / "in" / f"{part}.jsonl.gz", [*lines, b"{"])
    alone = into(tmp_path / "one", tmp_path / "in")
    with Store(tmp_path / "three") as store:
        together = ingest([tmp_path / "in"], store, NOW, jobs=3)
        assert ingest([tmp_path / "in"], store, NOW, jobs=3).skipped == 5
    assert (together, alone.kept, alone.doubled) == (alone, 110, 40)
    assert uids(tmp_path / "one") == uids(tmp_path / "three")
    assert len(rows(tmp_path / "three")) == 220
    assert rejected(tmp_path / "one") == rejected(tmp_path / "three")


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_input_that_cannot_be_read_is_named_and_costs_no_other(tmp_path: Path, jobs: int) -> None:
    folder = tmp_path / "files"
    write(folder / "a.jsonl", [web(1)])
    (folder / "b.jsonl").symlink_to("/proc/self/mem")  # opens, and gives an error when it is read
    write(folder / os.fsdecode(b"c\xff.jsonl"), [web(2)])
    write(folder / "d.jsonl", [web(3)])
    os.mkfifo(folder / "pipe")
    with Store(tmp_path / "store") as store:
        given = [folder, folder / "pipe", Path("/dev/zero")]
        summary = ingest(given, store, NOW, jobs=jobs)
        assert (summary.files, summary.kept) == (2, 2)
        assert sorted(told.removeprefix(f"{folder}/") for told in summary.unread) == [
            "/dev/zero: it is a pipe or a device, not a file",
            "b.jsonl: Input/output error",
            "c\\udcff.jsonl: the name is not text in UTF-8",
            "pipe: it is a pipe or a device, not a file",
        ]
        assert (again := ingest(given, store, NOW)).skipped == 2
        assert len(again.unread) == 4


def test_a_file_that_goes_away_while_others_are_listed_is_not_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [web(1)])
    (found,) = ingesting.inputs([path])
    path.unlink()
    assert found.size
    window = Window(tmp_path, Nobody(), NOW)
    window.read([found])
    assert window.summary.unread == [f"{path}: No such file or directory"]


class Nobody:
    """A door that nothing may go through."""

    def new(self, keys: Keys) -> np.ndarray:
        raise AssertionError(keys)

    def commit(self, change: Change) -> None:
        raise AssertionError(change)

    def read(self, size: int) -> None:
        raise AssertionError(size)


def test_a_file_of_nothing_but_bad_lines_is_given_up_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a megabyte opens to hundreds of millions of them, each of which costs its time."""
    monkeypatch.setattr(batches, "MOST_BAD", 100)
    mixed = write(tmp_path / "a.jsonl", [b"{", web(1), b"x"] * 20 + [b"x"] * 60 + [web(2)])
    bad = write(tmp_path / "b.jsonl.gz", [b"x"] * 5000 + [web(3)])
    summary = into(tmp_path / "store", mixed, bad)
    assert uids(tmp_path / "store") == [web(1)["measurement_uid"], web(2)["measurement_uid"]]
    assert summary.rejected["unreadable"] == 1
    assert summary.lines < 300
    assert [row["detail"] for row in rows(tmp_path / "store", schema.QUARANTINE) if row["reason"] == "unreadable"] == [
        "nearly all lines before are no measurements; the rest is not read"
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_the_mark_before_a_file_in_utf8_belongs_to_no_line(tmp_path: Path, name: str) -> None:
    lines = [b"\xef\xbb\xbf" + json.dumps(web(1)).encode(), web(2)]
    assert into(tmp_path / "store", write(tmp_path / name, lines)).kept == 2


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
