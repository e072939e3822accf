"""What becomes of lines: the good ones are kept, and bad ones are set aside, whatever a file tries."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rozaneh.observatory import batches, schema
from tests.observatory.made import web, write
from tests.observatory.stored import into, rejected, rows, uids

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


def test_a_file_over_too_many_days_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_DAYS", 5)
    lines = [web(i, measurement_start_time=f"2022-09-{i + 1:02} 00:00:00") for i in range(9)]
    summary = into(tmp_path / "store", write(tmp_path / "a.jsonl.gz", lines))
    assert (summary.kept, summary.rejected) == (5, {"too many days": 4})


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
