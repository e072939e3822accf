import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from rozaneh.core import LocalFault
from rozaneh.observatory.signals import Reading, read_signals, table
from rozaneh.observatory.signals.signal import HOUR, Signal, grid


def _read(tmp_path: Path, text: str | bytes, *columns: str, name: str = "a.csv", **options: str) -> Reading:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_signals(path, columns, **options)


def _at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


IODA = (
    '﻿"Time (UTC)","Active Probing (#/24s Up)","BGP (#Visible /24s)","Telescope (# Unique Source IPs)"\n'
    '"2019-11-16 14:00:00","98.4","100","12"\n"2019-11-16 14:10:00","","99.9","11"\n'
)


def test_the_columns_of_iodas_export(tmp_path: Path) -> None:
    reading = _read(tmp_path, IODA)
    assert reading.time == "Time (UTC)"
    assert reading.guessed
    assert (
        [signal.name for signal in reading.signals]
        == list(reading.columns)
        == [
            "Active Probing (#/24s Up)",
            "BGP (#Visible /24s)",
            "Telescope (# Unique Source IPs)",
        ]
    )
    assert reading.signals[0].times[0] == _at("2019-11-16T14:00")
    assert np.isnan(reading.signals[0].values[1])


def test_tor_users_have_comments_places_and_bounds_that_are_no_series(tmp_path: Path) -> None:
    reading = _read(
        tmp_path,
        "#\n# The Tor Project\ndate,country,users,lower,upper,frac\n2022-09-20,ir,5,1,9,80\n2022-09-21,ir,9,1,9,81\n"
        "2022-09-20,de,7,,,80\n2022-09-21,de,7,,,81\n",
    )
    assert reading.columns == ("users",)
    assert [(signal.country, signal.values.tolist()) for signal in reading.signals] == [("DE", [7, 7]), ("IR", [5, 9])]


TWICE_PACKED = gzip.compress(gzip.compress(b"time,x", mtime=0), mtime=0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("records", [{"time": "2022-01-01T00:00Z", "x": 1}, {"time": "2022-01-01T01:00Z", "x": 2}]),
        ("columns", {"time": ["2022-01-01 00:00", "2022-01-01 01:00"], "x": [1, 2]}),
        ("seconds", {"time": [1640995200, 1640998800], "x": [1, 2]}),
        ("milliseconds", {"time": [1640995200000, 1640998800000], "x": ["1", "2"]}),
        ("radar", {"result": {"s": {"timestamps": ["2022-01-01", "2022-01-01T01:00Z"], "values": ["1", "2"]}}}),
        ("ioda", {"data": [[{"datasource": "bgp", "from": 1640995200, "step": 3600, "values": [1, 2]}]]}),
    ],
)  # fmt: skip
def test_shapes_of_json(tmp_path: Path, name: str, text: object) -> None:
    (signal,) = _read(tmp_path, json.dumps(text), name=f"{name}.json").signals
    assert signal.times.tolist() == [1640995200, 1640998800]
    assert signal.values.tolist() == [1, 2]


def test_lines_of_json_lose_only_the_bad_one(tmp_path: Path) -> None:
    reading = _read(tmp_path, '{"time":"2022-01-01","x":1}\n{"time":\n{"time":"2022-01-02","x":2}\n', name="a.jsonl")
    assert reading.signals[0].values.tolist() == [1, 2]
    assert [(each.line, each.reason) for each in reading.rejected] == [(2, "not JSON")]


@pytest.mark.parametrize(
    ("header", "time", "means"),
    [
        ("time", "2022-09-22T00:00:00", "2022-09-22T00:00"),
        ("time", "2022-09-22T00:00:00+03:30", "2022-09-21T20:30"),
        ("time (Asia/Tehran)", "2022-09-21 12:00", "2022-09-21T07:30"),
        ("time (Asia/Tehran)", "2022-09-23 12:00", "2022-09-23T08:30"),
        ("time (UTC+3:30)", "2022-09-21 12:00", "2022-09-21T08:30"),
        ("Time", "1663804800", "2022-09-22T00:00"),
        ("ts", "1663804800000", "2022-09-22T00:00"),
    ],
)
def test_times_are_utc_unless_the_file_says_otherwise(tmp_path: Path, header: str, time: str, means: str) -> None:
    (signal,) = _read(tmp_path, f"{header};x\n{time};1\n").signals
    assert signal.times.tolist() == [_at(means)]


def test_late_data_revise_the_past_whatever_their_order(tmp_path: Path) -> None:
    rows = ["2022-01-01T00:00Z,5\n", "2022-01-01T00:00Z,8\n", "2022-01-01T01:00Z,3\n", "2022-01-01T01:00Z,3\n"]
    one = _read(tmp_path, "time,n\n" + "".join(rows))
    other = _read(tmp_path, "time,n\n" + "".join(reversed(rows)))
    assert one.signals[0].values.tolist() == other.signals[0].values.tolist() == [8, 3]
    assert one.doubled == 1


def test_bad_rows_are_set_aside_with_their_line_and_lose_nothing_else(tmp_path: Path) -> None:
    reading = _read(tmp_path, "time,x\n2022-01-01,1\nnever,2\n2022-01-02\n2022-01-03,many\n2022-01-04,4\n", "x")
    assert reading.signals[0].values.tolist() == [1, 4]
    assert sorted((each.line, each.reason) for each in reading.rejected) == [
        (3, "column 'time': no time: 'never'"),
        (4, "1 cells where the header has 2"),
        (5, "column 'x': no number: 'many'"),
    ]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ('2022-01-02,"2', "a quote that nothing closes within 16 lines"),  # and no other line has one
        ('2022-01-02,"2\n2022-01-03,"3"', "a quote that nothing closes within 16 lines"),
        ('2022-01-02,"2\n2022-01-03,3"', "no number: '2\\n2022-01-03,3'"),  # a cell of two lines, as it may be
        ('"2022-01-02,2\n2022-01-03,3"', "1 cells where the header has 2"),
    ],
)
def test_an_open_quote_costs_its_own_row_and_no_other(tmp_path: Path, broken: str, reason: str) -> None:
    after = "".join(f"2022-02-{day:02},{day}\n" for day in range(1, 25))
    reading = _read(tmp_path, f"time,x\n2022-01-01,1\n{broken}\n{after}", "x")
    assert {1, *range(1, 25)} <= {*reading.signals[0].values.tolist()}
    assert (3, reason) in [(each.line, each.reason.removeprefix("column 'x': ")) for each in reading.rejected]
    assert all(each.line in (3, 4) for each in reading.rejected)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_cells_with_quotes_and_lines_in_them_whatever_ends_a_line(tmp_path: Path, end: str) -> None:
    rows = ["time,x,note", '2022-01-01,1,"said ""no""', '# and more"', '2022-01-02,2,a 5" disk', "", "2022-01-03,3,"]
    for data in (text := end.join(rows).encode()), gzip.compress(text):
        reading = _read(tmp_path, data, "x")
        assert (reading.signals[0].values.tolist(), reading.rejected) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "a.csv: empty"),
        (b"\x00\xff", "a.csv: no rows"),
        (b"[" * 100_000, "a.csv: nested too deeply"),
        (b"{", "a.csv: neither CSV nor JSON: "),
        (b"[1, 2]", "a.csv: JSON without records"),
        (b"a,b\n1,2\n", "a.csv:2: no column of times, as 2022-09-21T15:50; there are 'a', 'b'"),
        (b"time,x\nnever,1\n", "a.csv:2: no column of times, as 2022-09-21T15:50; there are 'time', 'x'"),
        (b"time,x\n2022-01-01,y\n", "a.csv: no column of numbers; there are 'time', 'x'"),
        (b"time,x,x\n2022-01-01,1,2\n", "a.csv:1: the column 'x' stands twice"),
        (b"time (UTC+99),x\n2022-01-01,1\n", "column 'time (UTC+99)': 'UTC+99' is no distance from UTC"),
        (b"time (+0275),x\n2022-01-01,1\n", "column 'time (+0275)': '+0275' is no distance from UTC"),
        (b"time (Asia/Nowhere),x\n2022-01-01,1\n", "column 'time (Asia/Nowhere)': this machine knows no time zone"),
        (b",".join(b"c%d" % n for n in range(300)) + b"\n", "a.csv:1: 300 columns; the most is 200"),
        (gzip.compress(b"time,x", mtime=0), "a.csv: no rows"),
        (gzip.compress(b"time,x\n2022-01-01,1\n", mtime=0)[:-9], "a.csv: the gzip file is cut off"),
        (gzip.compress(b"time,x\n2022-01-01,1\n", mtime=0)[:9] + b"\xff" * 9, "a.csv: broken gzip: "),
        (gzip.compress(bytes((64 << 20) + 1), 1, mtime=0), "a.csv: larger than 64 MiB"),
        (TWICE_PACKED, "a.csv: a packed file or a spreadsheet; give its tables as CSV"),
        (b"PK\x03\x04\x14\x00", "a.csv: a packed file or a spreadsheet; give its tables as CSV or JSON"),
        (b'"time,x\n2022-01-01,1\n', "a.csv:1: a quote that nothing closes within 16 lines"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_gives_one_line_that_names_the_place(tmp_path: Path, text: bytes, said: str) -> None:
    with pytest.raises(LocalFault) as caught:
        _read(tmp_path, text)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"time,x\n" + b"\n" * 90, "a.csv: more than 80 lines"),
        (b"time,x\n" + b"1\n" * 90, "a.csv: more than 80 lines"),
        (b"{}\n" + b"1\n" * 30, "a.csv:22: more lines than are read"),
        (b"{}\n{}" + b"\n" * 90, "a.csv:81: more lines than are read"),
        (b"[1" + b",1" * 30 + b"]", "a.csv: more than 20 rows"),
        (b"[[]" + b",[]" * 50 + b"]", "a.csv: more than 40 values"),
    ],
)
def test_what_fills_memory_or_takes_hours_is_not_read_to_its_end(
    tmp_path: Path, text: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, bound in (("ROWS", 20), ("_LINES", 80), ("_COMMAS", 40)):
        monkeypatch.setattr(table, name, bound)
    with pytest.raises(LocalFault) as caught:
        _read(tmp_path, text)
    assert str(caught.value) == said


@pytest.mark.parametrize("cell", ["1e999", "9" * 5000, "nan", "0x10", "١", "=1+1"])
def test_numbers_that_are_none_never_become_a_value(tmp_path: Path, cell: str) -> None:
    reading = _read(tmp_path, f"time,x\n2022-01-01,1\n2022-01-02,{cell}\n2022-01-03,3\n", "x")
    assert set(reading.signals[0].values[~np.isnan(reading.signals[0].values)].tolist()) <= {1, 3}


def test_a_column_below_nought_is_no_level(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="goes below nought"):
        _read(tmp_path, "time,x\n2022-01-01,-5\n2022-01-02,5\n", "x")


def test_a_column_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="no column 'y'; there are 'time', 'x'"):
        _read(tmp_path, "time,x\n2022-01-01,1\n", "y")


def test_finer_samples_count_by_their_median_so_that_one_wrong_one_changes_nothing() -> None:
    times = np.arange(0, 3 * HOUR, 600, dtype=float) + 1_640_995_200
    values = np.full(18, 10.0)
    values[8] = 0
    assert grid(Signal(name="x", country="ZZ", times=times, values=values)).values.tolist() == [10, 10, 10]


def test_a_series_coarser_than_a_day_is_refused() -> None:
    times = np.array([0.0, 7, 14]) * 86400
    with pytest.raises(LocalFault, match="7 days apart"):
        grid(Signal(name="x", country="ZZ", times=times, values=np.ones(3)))
