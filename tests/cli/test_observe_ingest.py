from pathlib import Path

import pytest

from rozaneh.cli.main import dispatch
from rozaneh.observatory import ingest
from tests.observatory import made


def test_who_stops_it_is_told_that_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "ingest", stopped)
    with pytest.raises(SystemExit) as left:
        dispatch(["observe", "ingest", str(tmp_path), "--store", str(tmp_path / "store")])
    assert left.value.code == 130
    assert capsys.readouterr().err == "Stopped. The same command goes on; nothing is lost or counted twice.\n"


def test_a_folder_becomes_pages_and_each_command_says_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made.write(tmp_path / "raw" / "a.jsonl.gz", [made.web(1), {"a": "no measurement"}])
    store, site = str(tmp_path / "store"), str(tmp_path / "site")
    for command in (
        ["ingest", str(tmp_path / "raw"), "--store", store, "--no-events"],
        ["publish", site, "--store", store],
        ["publish", site, "--store", store, "--address", "https://example.org/"],
    ):
        with pytest.raises(SystemExit) as left:
            dispatch(["observe", *command])
        assert left.value.code in (0, None)
    said = capsys.readouterr().out
    assert "Files read: 1; read before: 0; lines: 2.\nNew measurements: 1; there already: 0; verdicts: 1.\n" in said
    assert f"The tables in {store}/quarantine name the file and the line of each that was set aside." in said
    assert said.count(f"Open {site}/index.html in a browser.") == 2
    assert said.count("Its citations name no address; --address URL gives them one.") == 1
