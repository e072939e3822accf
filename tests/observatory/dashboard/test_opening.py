import asyncio
import json
import shutil
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from starlette.applications import Starlette

from rozaneh.core import LocalFault
from rozaneh.observatory.dashboard.opening import Current, open_site
from rozaneh.observatory.dashboard.serve import application
from rozaneh.observatory.dashboard.site import Site
from rozaneh.observatory.events import Event, Found, Stored, keep, stored
from rozaneh.observatory.schema import CELLS
from rozaneh.observatory.store import files
from tests.observatory.dashboard import autumn


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return autumn.on_disk(tmp_path_factory.mktemp("autumn") / "store", autumn.hours())


@pytest.fixture
def store(written: Path, tmp_path: Path) -> Path:
    """The autumn on disk, for this test alone."""
    return shutil.copytree(written, tmp_path / "store")


def test_a_store_on_disk_shows_what_one_in_memory_shows(store: Path) -> None:
    keep(store, Stored(found=autumn.found(), withheld=autumn.withheld()))
    there, here = open_site(store), autumn.site()
    assert set(there.paths()) == set(here.paths())
    for path in ("data/IR/hours.csv", "data/IR/services.json", "data/events.json"):
        assert there.page(path) == here.page(path)


def test_where_nobody_has_looked_for_events_none_is_said_to_be_absent(store: Path) -> None:
    """Nor where memory did not hold what was to be looked at."""
    none, nobody, memory = "No event was found", "Nobody has looked for events", "Events were not looked for here"
    going_on = "no event was known to be going on"

    def said(*pages: str) -> list[list[bool]]:
        site, texts = open_site(store), []
        for path in pages:
            page = site.page(path)
            assert page is not None
            texts.append(page.body.decode())
        return [[line in text for line in (none, nobody, memory, going_on)] for text in texts]

    pages = ("en/index.html", "en/IR/index.html", "en/IR/service/wikipedia.html")
    assert said(*pages) == [[False, True, False, False]] * 3
    keep(store, Stored(too_large=("IR",)))
    assert said(*pages) == [[True, False, False, False], *[[False, False, True, False]] * 2]
    keep(store, Stored(too_large=("TM",)))
    assert said(*pages) == [[True, False, False, False], [True, False, False, True], [True, False, False, False]]


def test_pages_follow_the_store(store: Path) -> None:
    current = Current(store)
    before = current()
    assert current() is before
    keep(store, Stored(found=autumn.found()))
    assert len(current().events) == 2


def test_a_store_that_cannot_be_looked_at_any_more_is_told(store: Path) -> None:
    current = Current(store)
    (store / "events").touch()
    with pytest.raises(LocalFault, match="cannot be read: Not a directory"):
        current()


def test_what_strangers_ask_for_reads_nothing_but_the_store(store: Path) -> None:
    backend = open_site(store).holdings.cells.get_backend()
    for statement in ("SELECT * FROM read_csv('/etc/passwd')", "SET enable_external_access = true"):
        with pytest.raises(Exception, match=r"(?i)permission|disabled|locked"):
            backend.raw_sql(statement)


def test_without_a_store_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalFault, match="observe ingest"):
        open_site(tmp_path / "none")


CLAIM = {
    "kind": "outage", "country": "IR", "start": "2022-09-20T00:00:00Z", "mechanism": "whole_outage", "confidence": 0.9,
    "samples": 100, "sources": 2, "rule": "signal-outage-frozen",
}  # fmt: skip
HELD = {"event": CLAIM, "reason": "because", "wanted": 1, "had": 0}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"found": 1}', '{"found": [{"event": {}}]}', "[" * 100_000,
        json.dumps({"found": [{"event": CLAIM | {"kind": "sabotage"}}]}),
        json.dumps({"found": [{"event": CLAIM | {"start": "0001-01-01T00:00:00Z"}}]}),
        json.dumps({"found": [{"event": CLAIM | {"end": "9999-12-31T23:00:00Z"}}]}),
        json.dumps({"found": [{"event": CLAIM | {"start": "2022-09-20T00:00:00"}}]}),
        json.dumps({"found": [{"event": CLAIM, "evidence": {"state": "who knows"}}]}),
        json.dumps({"found": [{"event": CLAIM, "evidence": {"would_change": ["nothing"]}}]}),
        json.dumps({"withheld": [HELD]}),
    ],
)  # fmt: skip
def test_a_file_of_events_that_is_none_is_said_in_a_line(store: Path, text: str) -> None:
    (store / "events").mkdir(exist_ok=True)
    (store / "events" / "events.json").write_text(text)
    with pytest.raises(LocalFault, match="find the events again") as told:
        stored(store)
    assert "\n" not in str(told.value)


def test_a_network_that_a_signal_calls_by_a_word_ends_no_page(store: Path) -> None:
    event = msgspec.convert(CLAIM | {"networks": ["MCI", "AS44244", "AS12345678901"]}, Event)
    keep(store, Stored(found=(Found(event=event),)))
    site = open_site(store)
    assert event.asns == (44244,)
    (name,) = site.events
    for path in ("en/IR/index.html", "en/IR/2022-09.html", f"en/events/{name}.html"):
        page = site.page(path)
        assert page is not None
        assert b"MCI" in page.body


def status(app: Starlette, path: str) -> int:
    """What an application answers at an address, without a socket."""
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return int(said[0]["status"])


def test_a_store_that_is_judged_while_it_is_opened_is_opened_again(store: Path) -> None:
    told: list[str] = []
    site, fails = open_site(store), [duckdb.IOException("No files found")]

    def current() -> Site:
        if fails:
            raise fails.pop()
        return site

    assert status(application(current, troubled=told.append), "/data/countries.json") == 200
    assert not told
    assert not fails


def test_a_store_that_breaks_while_it_is_served_is_told_in_a_line_and_comes_back(store: Path) -> None:
    told: list[str] = []
    real, harmed = Current(store), files(store, CELLS)[0]

    def current() -> Site:
        """The site, under which a file goes away as when it is judged again."""
        site = real()
        if len(told) == 2 and harmed.exists():
            harmed.unlink()
        return site

    app, page = application(current, troubled=told.append), "/data/IR/services.json"
    assert status(app, page) == 200
    (store / "events").mkdir()
    events = store / "events" / "events.json"
    events.write_text("{broken")
    assert [status(app, page), status(app, page)] == [503, 503]
    assert len(told) == 1
    assert str(events) in told[0]
    events.unlink()
    assert status(app, page) == 200
    away = store.rename(store.with_name("away"))
    assert status(app, page) == 503
    assert "there is no store" in told[1]
    away.rename(store)
    assert status(app, page) == 200
    assert not harmed.exists()
    assert len(told) == 2
