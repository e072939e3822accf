import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rozaneh.cli.main import dispatch
from rozaneh.core import LocalFault
from rozaneh.observatory.events.sentences import withheld_line
from rozaneh.words import Words
from tests.observatory.dashboard import autumn

KEYS = ["kind", "country", "networks", "services", "start", "end", "hours", "mechanism", "confidence", "samples",
        "sources", "rule"]  # fmt: skip


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A signal that is cut for three days after ten."""
    began = datetime(2022, 1, 1, tzinfo=UTC)
    rows = [
        f"{began + timedelta(hours=hour):%Y-%m-%d %H:%M:%S},{3 if 240 <= hour < 312 else 97 + hour % 3}"
        for hour in range(400)
    ]
    path = tmp_path / "signal.csv"
    path.write_text("Time (UTC),Active Probing (#/24s Up)\n" + "\n".join(rows) + "\nnever,1\n")
    return path


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        dispatch(["observe", "events", *arguments])
    return int(left.value.code or 0)


def test_json_has_exactly_its_keys(cut: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert _run("--signal", str(cut), "--country", "IR", "--json") == 0
    out, err = capsysbinary.readouterr()
    (event,) = json.loads(out)
    assert list(event) == KEYS
    assert event["kind"] == "outage"
    assert event["country"] == "IR"
    assert (event["start"], event["end"]) == ("2022-01-11T00:00:00Z", "2022-01-14T00:00:00Z")
    assert b"guessed the times in Time (UTC)" in err
    assert b"line 402: set aside: column 'Time (UTC)': no time: 'never'" in err


@pytest.mark.parametrize(("lang", "said"), [("en", "Outage in Iran: connections were cut."), ("fa", "قطعی در")])
def test_events_are_told_in_both_languages(cut: Path, lang: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--signal", str(cut), "--country", "ir", "--lang", lang) == 0
    assert said in capsys.readouterr().out


def test_evidence_comes_when_asked_for(cut: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    _run("--signal", str(cut), "--json", "--evidence")
    (found,) = json.loads(capsysbinary.readouterr().out)
    assert found["evidence"]["votes"][0]["fell"] is True
    assert found["evidence"]["would_change"]


def test_too_little_history_is_its_own_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "short.csv"
    path.write_text("time,x\n2022-01-01T00:00Z,1\n2022-01-01T01:00Z,1\n")
    assert _run("--signal", str(path)) == 3
    assert "Not enough: x has 0.1 days" in capsys.readouterr().err


def test_events_are_scored_against_the_truth(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    block = {"kind": "block", "networks": ["AS1", "AS2"], "services": ["signal"], "start": "2022-01-01T00:00:00Z"}
    curfew = {"kind": "curfew", "networks": ["AS1"], "start": "2022-01-03T00:00:00Z", "hours": [16, 17, 18]}
    labels = {
        "name": "x",
        "events": [block, {**block, "services": ["x"]}, curfew],
        "blocked_before": {"youtube": "dns"},
    }
    late = {**block, "start": "2022-01-01T09:00:00Z"}
    other = {**block, "networks": ["AS9"]}
    known = {**block, "services": ["youtube"]}
    events = [late, other, known, {**curfew, "hours": [15, 16, 17]}, {**curfew, "kind": "outage"}]
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    (tmp_path / "events.json").write_text(json.dumps(events))
    arguments = ["lab", "score", str(tmp_path / "labels.json"), str(tmp_path / "events.json")]
    with pytest.raises(SystemExit) as left:
        dispatch([*arguments, "--json"])
    assert left.value.code in (0, None)
    scores = {one.pop("kind"): one for one in json.loads(capsysbinary.readouterr().out)}
    assert scores == {
        "block": {"done": 2, "found": 1, "told": 3, "right": 2, "onset": 9.0, "within": 0, "hours_right": 0},
        "curfew": {"done": 1, "found": 1, "told": 1, "right": 1, "onset": 0.0, "within": 1, "hours_right": 1},
        "outage": {"done": 0, "found": 0, "told": 1, "right": 0, "onset": None, "within": 0, "hours_right": 0},
    }
    (tmp_path / "events.json").write_text('[{"kind": 5}]')
    with pytest.raises(LocalFault, match=r"events.json: Expected `str`, got `int` - at `\$\[0\].kind`"):
        dispatch(arguments)


def test_a_claim_that_one_source_makes_is_told_in_words_that_fit_one() -> None:
    (held,) = autumn.withheld()
    assert withheld_line(held, Words.choose("en")).endswith(
        "Not enough independent sources say so: 1, where at least 3 are needed."
    )
    assert "Asia/Tehran" in withheld_line(held, Words.choose("fa"))
