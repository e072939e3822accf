"""The rows of a store one by one, as a whole or layer by layer, with OONI's own result beside them."""

import csv
import datetime as dt
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rozaneh.cli.main import dispatch
from rozaneh.core import LocalFault
from rozaneh.observatory import listing, schema
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_stale
from rozaneh.observatory.store import Store
from tests.observatory.made import reset, web, write

Run = tuple[int, str, str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two measurements: one works, of the other handshakes are reset."""
    place = tmp_path_factory.mktemp("listing")
    with Store(place / "store") as opened:
        ingest([write(place / "a.jsonl", [web(1), reset(7200)])], opened, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        judge_stale(opened)
    return place / "store"


def run(capsys: pytest.CaptureFixture[str], store: Path, *options: str) -> Run:
    with pytest.raises(SystemExit) as left:
        dispatch(["observe", "verdicts", "--store", str(store), "--lang", "en", *options])
    said = capsys.readouterr()
    assert isinstance(left.value.code, int | None)
    return left.value.code or 0, said.out, said.err


def test_layers_have_their_verdicts_and_the_part_of_oonis_that_is_theirs(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, store, "--layers", "--json")
    rows = json.loads(out)
    assert code == 0
    assert list(rows[0]) == schema.LAYERED.names
    assert [(row["time"][11:13], row["layer"], row["verdict"], row["rule"], row["classic"]) for row in rows] == [
        ("00", "dns", "ok", "dns-answer-verified", "consistent"),
        ("00", "tcp", "ok", "tcp-connects", "false"),
        ("00", "tls", "ok", "tls-certificate-valid", "false"),
        ("00", "http", "ok", "http-answers", "false"),
        ("02", "dns", "ok", "dns-answer-agrees", "consistent"),
        ("02", "tcp", "ok", "tcp-connects", None),
        ("02", "tls", "blocked", "tls-reset-unpaired", "http-failure"),
    ]
    for file in (tmp_path / "rows.parquet", tmp_path / "rows.csv"):
        code, out, _ = run(capsys, store, "--layers", "--json", "--out", str(file))
        assert (code, json.loads(out)["rows"]) == (0, 7)
    assert pq.read_table(tmp_path / "rows.parquet").schema.names == schema.LAYERED.names
    with (tmp_path / "rows.csv").open(newline="") as text:
        assert [row["rule"] for row in csv.DictReader(text)] == [row["rule"] for row in rows]


def test_verdicts_of_the_whole_are_as_they_are_kept(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(
        capsys, store, "--domain", "Site.example", "--asn", "44244", "--since", "2022-09-21", "--country", "ir"
    )
    assert code == 0
    assert [line.split("site.example: ", 1)[1] for line in out.splitlines()] == [
        "works. How sure: 98%. Rule: works. OONI's own result: false.",
        (
            "blocked (reset after the name in the TLS handshake). How sure: 55%. Rule: tls-reset-unpaired. "
            "OONI's own result: http-failure."
        ),
    ]
    assert re.match(r"2022-09-21 00:\d\d UTC, Irancell \(mobile\) \(AS44244\), site\.example: works\.", out)
    _, out, _ = run(capsys, store, "--layers", "--lang", "fa")
    assert "کار می‌کند" in out
    assert not re.search(r"\b(ok|blocked|cannot_tell)\b", out)
    assert len(json.loads(run(capsys, store, "--json", "--limit", "1")[1])) == 1


def test_nothing_found_and_what_cannot_be_meant(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options in (
        ("--domain", "none.example", "--layers"),
        ("--until", "2022-09-20"),
        ("--country", "TR", "--layers"),
    ):
        code, out, _ = run(capsys, store, *options)
        assert (code, out) == (3, "The store has no such rows.\n")
    assert run(capsys, store, "--limit", "9" * 30)[0] == 2
    assert run(capsys, store, "--asn", "0")[0] == 2
    for options, said in (
        (("--since", "yesterday"), "not a day"),
        (("--country", "Iran"), "expected two letters"),
        (("--since=2022-09-22", "--until=2022-09-21"), "there is no such day"),
        (("--domain", "\udcff.example"), "not a name"),
        (("--out", str(tmp_path / "a.xls")), "has to end in"),
    ):
        with pytest.raises(LocalFault, match=said):
            dispatch(["observe", "verdicts", "--store", str(store), *options])


def test_where_there_is_no_store_the_file_that_would_be_written_stays(tmp_path: Path) -> None:
    out = tmp_path / "kept.csv"
    out.write_text("of last week")
    (tmp_path / "other" / schema.OBSERVATIONS).mkdir(parents=True)
    for place, said in (("none", "there is no store"), ("other", "another version")):
        with pytest.raises(LocalFault, match=said):
            dispatch(["observe", "verdicts", "--store", str(tmp_path / place), "--out", str(out)])
    assert out.read_text() == "of last week"


def test_what_is_no_file_is_refused_and_a_broken_writing_leaves_what_was_there(tmp_path: Path) -> None:
    pipe, old = tmp_path / "pipe.csv", tmp_path / "old.csv"
    os.mkfifo(pipe)
    with pytest.raises(LocalFault, match="is no file"):
        listing.write(pipe, iter(()), schema.VERDICT)
    old.write_text("what was there")

    def broken() -> Iterator[pa.Table]:
        yield schema.VERDICT.empty_table()
        raise OSError(28, "No space left on device")

    with pytest.raises(LocalFault, match="No space left"):
        listing.write(old, broken(), schema.VERDICT)
    assert old.read_text() == "what was there"
    assert sorted(tmp_path.iterdir()) == [old, pipe]
