"""What worked, by network, hour and obstacle: it fades, it survives a broken file, and a clock that jumps."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from rozaneh.core import Context
from rozaneh.finder import Memory, Table
from rozaneh.finder.rank import rank
from rozaneh.finder.ways import Way, Ways
from rozaneh.net.memory import MemoryNetwork, resets, silence
from tests.finder.world import (
    HELLO_BACK,
    RESOLVER,
    SITE,
    Recorder,
    answers,
    clock,
    finder,
    flight,
    hello,
    resolver,
    row,
    table,
    target,
    unless_whole,
)

DAY = 86400.0
HOME = Context(network="home", hour=16, weekday=2)


def test_what_somebody_wrote_into_the_file_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    Memory(path).close()
    with sqlite3.connect(path) as store:
        store.execute("INSERT INTO outcome VALUES ('home', 16, 'tls_name_reset', 'a', 'x', x'00', 'never')")
        store.execute("INSERT INTO line VALUES ('home', '2022-09-21', 'noon', 'x', 'y')")
    memory = Memory(path)
    assert memory.seen(HOME, "tls_name_reset", "a", 0.0) == (0.0, 0.0)
    assert memory.line("home") == []
    memory.record(HOME, "tls_name_reset", "a", worked=True, now=0.0)
    assert memory.seen(HOME, "tls_name_reset", "a", 0.0) == (1.0, 0.0)


def test_an_outcome_fades_by_half_in_three_days() -> None:
    memory = Memory()
    memory.record(HOME, "tls_name_reset", "a", worked=True, now=0.0)
    assert memory.seen(HOME, "tls_name_reset", "a", 0.0) == (1.0, 0.0)
    assert memory.seen(HOME, "tls_name_reset", "a", 3 * DAY) == pytest.approx((0.5, 0.0))
    memory.record(HOME, "tls_name_reset", "a", worked=False, now=3 * DAY)
    assert memory.seen(HOME, "tls_name_reset", "a", 3 * DAY) == pytest.approx((0.5, 1.0))


def test_another_hour_counts_less_and_another_network_or_obstacle_not_at_all() -> None:
    memory = Memory()
    memory.record(HOME, "tls_name_reset", "a", worked=True, now=0.0)
    evening = Context(network="home", hour=23, weekday=2)
    assert memory.seen(evening, "tls_name_reset", "a", 0.0) == (0.25, 0.0)
    assert memory.seen(Context(network="work", hour=16, weekday=2), "tls_name_reset", "a", 0.0) == (0.0, 0.0)
    assert memory.seen(HOME, "dns_forgery", "a", 0.0) == (0.0, 0.0)
    assert memory.seen(HOME, "tls_name_reset", "b", 0.0) == (0.0, 0.0)


def test_a_clock_that_jumps_back_makes_nothing_younger_than_now_and_one_that_jumps_ahead_only_fades() -> None:
    memory = Memory()
    memory.record(HOME, "tls_name_reset", "a", worked=True, now=1000 * DAY)
    assert memory.seen(HOME, "tls_name_reset", "a", 0.0) == (1.0, 0.0)
    memory.record(HOME, "tls_name_reset", "a", worked=True, now=0.0)
    assert memory.seen(HOME, "tls_name_reset", "a", 0.0) == (2.0, 0.0)
    good, _ = memory.seen(HOME, "tls_name_reset", "a", 3000 * DAY)
    assert 0.0 <= good < 1e-6


def test_what_has_faded_away_is_removed(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.sqlite")
    memory.record(HOME, "tls_name_reset", "a", worked=True, now=0.0)
    memory.forget(31 * DAY)
    memory.close()
    kept = sqlite3.connect(tmp_path / "memory.sqlite")
    assert kept.execute("SELECT count(*) FROM outcome").fetchone() == (0,)
    kept.close()


def test_it_stays_small_by_leaving_out_what_is_oldest(tmp_path: Path) -> None:
    Memory(tmp_path / "memory.sqlite").close()
    rows = (("home", 16, "tls_name_reset", f"way {number}", 1.0, 0.0, float(number)) for number in range(20_000))
    with closing(sqlite3.connect(tmp_path / "memory.sqlite")) as store, store:
        store.executemany("INSERT INTO outcome VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    memory = Memory(tmp_path / "memory.sqlite")
    memory.record(HOME, "tls_name_reset", "way 20000", worked=True, now=20000.0)
    assert memory._read("SELECT count(*) FROM outcome", ()) == [(4501,)]
    assert memory.seen(HOME, "tls_name_reset", "way 20000", 20000.0)[0] > 0.9
    assert memory.seen(HOME, "tls_name_reset", "way 15000", 20000.0) == (0.0, 0.0)


def test_a_process_that_is_killed_while_it_writes_loses_nothing_that_was_there(tmp_path: Path) -> None:
    path, said = tmp_path / "memory.sqlite", list[str]()
    reached = 0
    for _ in range(5):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            memory = Memory(path)
            for number in range(reached, 100_000):
                memory.record(HOME, "tls_name_reset", f"way {number % 1000}", worked=True, now=0.0)
                os.write(writing, number.to_bytes(4, "big"))
            os._exit(0)
        os.close(writing)
        for _ in range(20):
            reached = int.from_bytes(os.read(reading, 4), "big")
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        while last := os.read(reading, 4):
            reached = int.from_bytes(last, "big")
        os.close(reading)
        memory = Memory(path, warn=said.append)
        assert memory.kept
        assert all(memory.seen(HOME, "tls_name_reset", f"way {n % 1000}", 0.0)[0] for n in range(reached + 1))
        memory.close()
        reached += 1
    assert said == []


def test_it_is_there_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "memory.sqlite"
    first = Memory(path)
    first.record(HOME, "tls_name_reset", "a", worked=True, now=0.0)
    first.close()
    again = Memory(path)
    assert again.kept
    assert again.seen(HOME, "tls_name_reset", "a", 0.0) == (1.0, 0.0)
    again.close()
    assert path.stat().st_mode & 0o077 == 0


def _text(path: Path) -> None:
    path.write_text("this is no database, and was never one" * 100)


def _cut_off(path: Path) -> None:
    Memory(path).close()
    path.write_bytes(path.read_bytes()[:700])


def _other_version(path: Path) -> None:
    store = sqlite3.connect(path)
    store.execute("PRAGMA user_version = 99")
    store.commit()
    store.close()


def _other_table(path: Path) -> None:
    store = sqlite3.connect(path)
    store.execute("CREATE TABLE outcome (something TEXT)")
    store.commit()
    store.close()


@pytest.mark.parametrize("spoil", [_text, _cut_off, _other_version, _other_table])
def test_a_file_that_cannot_be_read_is_set_aside_with_one_line(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "memory.sqlite"
    spoil(path)
    spoilt = path.read_bytes()
    notes: list[str] = []
    memory = Memory(path, warn=notes.append)
    memory.record(HOME, "tls_name_reset", "a", worked=True, now=0.0)
    assert memory.seen(HOME, "tls_name_reset", "a", 0.0) == (1.0, 0.0)
    assert memory.kept
    memory.close()
    assert len(notes) == 1
    assert "set aside as memory.sqlite.unreadable" in notes[0]
    assert (tmp_path / "memory.sqlite.unreadable").read_bytes() == spoilt, "nothing is lost"


def test_where_no_file_can_be_had_it_is_kept_in_memory_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    notes: list[str] = []
    memory = Memory(tmp_path / "file" / "memory.sqlite", warn=notes.append)
    memory.record(HOME, "tls_name_reset", "a", worked=True, now=0.0)
    assert memory.seen(HOME, "tls_name_reset", "a", 0.0) == (1.0, 0.0)
    assert not memory.kept
    assert len(notes) == 1


def test_a_disk_that_is_full_costs_one_line_and_nothing_else(tmp_path: Path) -> None:
    notes: list[str] = []
    memory = Memory(tmp_path / "memory.sqlite", warn=notes.append)
    memory._store.execute("PRAGMA max_page_count = 1")
    for number in range(500):
        memory.record(HOME, "tls_name_reset", f"way {number}", worked=True, now=0.0)
    assert memory.seen(HOME, "tls_name_reset", "way 499", 0.0) == (1.0, 0.0)
    assert len(notes) == 1
    memory.close()


def test_what_failed_here_comes_after_what_is_only_reasoned() -> None:
    ways = Ways((), b"s" * 16)
    known = Table([], tuple(table(tls_name_reset=["tlsfrag:sni|tcp", "split:sni|tcp"]).obstacles.values()))
    today = clock().now().date()

    def options(use: str) -> Any:
        return ways.expand(use, target(), [], ((), ""))

    def seen(_: str, way: str) -> tuple[float, float]:
        return (0.0, 3.0) if way.startswith("tlsfrag") else (0.0, 0.0)

    before = rank({"tls_name_reset": 1.0}, known, options, lambda *_: (0.0, 0.0), today)
    after = rank({"tls_name_reset": 1.0}, known, options, seen, today)
    assert [each.way.key for each in before] == ["tlsfrag:sni|tcp", "split:sni|tcp"]
    assert [each.way.key for each in after] == ["split:sni|tcp", "tlsfrag:sni|tcp"]


def test_evidence_that_has_expired_is_a_guess() -> None:
    fresh = row("split:2|tcp")
    assert fresh.level(fresh.expires) == "works"
    assert fresh.level(fresh.expires.replace(year=fresh.expires.year + 1)) == "reasoned"
    assert isinstance(Ways((), b"").direct, Way)


@pytest.mark.anyio
async def test_what_worked_for_one_site_is_tried_first_for_the_next() -> None:
    """With the first row of the table failing here, the second is the first choice after it has worked once."""
    seen = Recorder()
    names = {f"{name}.example": [SITE] for name in ("one", "two")}
    async with MemoryNetwork(names=names) as network:
        network.serve(RESOLVER, 53, resolver(dict.fromkeys(names, SITE)))

        async def censor(stream: Any) -> None:
            first = await stream.receive()
            if any(name.encode() in first for name in names) or len(first) < 12:
                raise ConnectionResetError
            await stream.send(HELLO_BACK)
            await anyio.sleep_forever()

        network.serve(SITE, 443, censor)
        ways = table(tls_name_reset=["{resolver}|split:2|tcp", "{resolver}|split:sni|tcp"])
        found = finder(network, seen, table=ways)
        for name in names:
            seen.attempts.clear()
            made = await found.connect(target(name), flight(hello(name)))
            await made.stream.aclose()  # type: ignore[union-attr]  # a refusal has none and fails the test
        assert [spec.rpartition("|tcp")[0].rpartition("|")[2] for spec, _ in seen.outcomes] == ["", "split:sni"]


@pytest.mark.anyio
async def test_what_fails_while_an_obstacle_punishes_teaches_nothing_and_is_not_repeated_at_once() -> None:
    memory = Memory()
    async with MemoryNetwork(names={"blocked.example": [SITE]}) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", silence, silence))
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        rows = table(tls_name_silence=["{resolver}|tlsfrag:sni|tcp"]).obstacles["tls_name_silence"]
        known = Table([row(f"dnstcp:{RESOLVER}")], [type(rows)(name=rows.name, residual=60.0, way=rows.way)])
        found = finder(network, Recorder(), table=known, memory=memory)
        await found.connect(target(), flight(hello()))
        assert memory.seen(found._knowledge.context, "tls_name_silence", rows.way[0].use, 0.0) == (0.0, 0.0)
        dialled = len(network.connections)
        await anyio.sleep(30)
        await found.connect(target(), flight(hello()))
        assert len(network.connections) == dialled, "it is punished for a minute"
        await anyio.sleep(31)
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        made = await found.connect(target(), flight(hello()))
        assert made.obstacle == "tls_name_silence"
