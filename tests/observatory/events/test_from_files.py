"""From the files that people would send to events: everything that there is a kind of event for, happening once."""

import datetime as dt
import json
from pathlib import Path

import msgspec
import pytest

from rozaneh.lab.country import load_timeline, read_events, read_labels, score, simulate
from rozaneh.observatory import engine
from rozaneh.observatory.events import StoreFindings, store_events
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_stale
from rozaneh.observatory.store import Store

_TIMELINE = Path(__file__).parent / "everything.toml"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StoreFindings]:
    place = tmp_path_factory.mktemp("everything")
    simulate(load_timeline(str(_TIMELINE)), place / "country", seed=1)
    with Store(place / "store") as store:
        assert ingest([place / "country" / "raw"], store, dt.datetime.now(dt.UTC)).rejected == {}
        judge_stale(store)
    return place, store_events(engine.duckdb(place / "store"))


def test_whatever_was_done_is_found_once_and_nothing_else(played: tuple[Path, StoreFindings]) -> None:
    place, findings = played
    told = read_events(msgspec.json.encode([found.event for found in findings.found]), "events")
    scores = {each.kind: each for each in score(read_labels((place / "country/labels.json").read_bytes(), "x"), told)}
    done = {"block": 1, "domestic_only": 1, "protocol_block": 4, "refusal": 1, "throttling": 1}
    assert {kind: each.done for kind, each in scores.items()} == done
    for each in scores.values():
        assert (each.found, each.told, each.right, each.within) == (each.done,) * 4, each.kind
    ways = {found.event.services: found.event.mechanism for found in findings.found}
    assert ways["instagram",] == "dns_forgery"
    assert ways["google-cloud",] == "service_refusal"
    assert ways["github",] == "throttling"
    assert ways["quic.facebook", "quic.google-search"] == "quic_silence"
    assert ways["google-dns", "quad9-dns"] == "tls_name_silence"


def test_one_source_that_floods_everything_is_told_as_not_enough(played: tuple[Path, StoreFindings]) -> None:
    _, findings = played
    assert findings.withheld
    for each in findings.withheld:
        assert each.event.kind in {"outage", "domestic_only"}
        assert (each.event.networks, each.reason) == (("AS58224",), "sources")
        assert each.had < each.wanted / 2


def test_events_are_the_same_when_the_same_files_come_late_and_in_another_order(
    played: tuple[Path, StoreFindings], tmp_path: Path
) -> None:
    place, findings = played
    files = sorted((place / "country" / "raw").rglob("*.jsonl.gz"))
    with Store(tmp_path / "late") as store:
        # The days of the cut come last, after events were found without them.
        first, last = [f for f in files if "2023012" not in str(f)], [f for f in files if "2023012" in str(f)]
        ingest(first[::-1], store, dt.datetime.now(dt.UTC))
        judge_stale(store)
        assert "domestic_only" not in {
            found.event.kind for found in store_events(engine.duckdb(tmp_path / "late")).found
        }
        ingest(last, store, dt.datetime.now(dt.UTC))
        judge_stale(store)
    again = store_events(engine.duckdb(tmp_path / "late"))
    assert json.loads(msgspec.json.encode(again.found)) == json.loads(msgspec.json.encode(findings.found))
