"""Curfew mode by a clock that is turned by hand: what is done before, during and after the hour."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from anyio.abc import ByteStream

from rozaneh.core import LocalFault, Spec
from rozaneh.finder import Finder
from rozaneh.gateway import control
from rozaneh.gateway.curfew import CurfewMode
from rozaneh.gateway.desk import Desk
from rozaneh.gateway.events import Fetched, Prepared
from rozaneh.gateway.keeping import Keeper, read_list
from rozaneh.gateway.state import State
from rozaneh.gateway.switch import Switch
from rozaneh.gateway.telling import coming, fetched
from rozaneh.gateway.watched import hours_of, read_watched
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.trust import Trust
from rozaneh.words import Words
from rozaneh.words.dates import Dates
from tests.dialers.world import ca_file, in_tls
from tests.finder.world import RELAY, RESOLVER, SITE, answers, table
from tests.gateway.page.front import TEHRAN, Hand

pytestmark = pytest.mark.anyio
OTHER = "93.184.216.99"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept"
SECOND_RELAY = "45.76.10.12"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def watched(path: Path, now: dt.datetime, evenings: int = 4) -> Path:
    """What ``rozaneh watch --store`` writes, of some evenings with a cut from 16 to 24."""
    lines = [
        b"no JSON",
        b'{"event":"round"}',
        b"[" * 3000,
        b'{"event":"round","time":"2022-09-20T16:00:00","reach":"open"}',
    ]
    for day in range(1, evenings + 1):
        for hour in range(24):
            time = (now - dt.timedelta(days=day)).replace(hour=hour, minute=30)
            reach = "domestic_only" if hour >= 16 else "open"
            lines.append(json.dumps({"event": "round", "reach": reach, "time": time.isoformat(), "left": 1}).encode())
    path.write_bytes(b"\n".join(lines))
    return path


async def relays(stream: ByteStream) -> None:
    """A SOCKS5 server behind which everything answers."""
    for reply in (b"\x05\x00", b"\x05\x00\x00\x01" + bytes(6), b"anything"):
        await stream.receive()
        await stream.send(reply)


async def hangs_up(stream: ByteStream) -> None:
    await stream.receive()


async def test_before_it_servers_are_gone_once_and_the_list_is_fetched_and_after_it_the_rest(tmp_path: Path) -> None:
    hand, events, notes = Hand(), list[Any](), list[str]()
    hand.at = dt.datetime(2022, 9, 21, 15, 20, tzinfo=TEHRAN)
    ways = [Spec.parse(f"socks5://{relay}:1080|tcp") for relay in (RELAY, SECOND_RELAY)]
    async with MemoryNetwork(names={"one.example": [SITE], "two.example": [OTHER]}) as network:
        network.serve(SITE, 80, answers(PAGE))
        network.serve(OTHER, 80, hangs_up)
        network.serve(RELAY, 1080, relays)
        network.serve(SECOND_RELAY, 1080, hangs_up)
        finder = Finder(network, ways=ways, table=table(), clock=hand)
        urls = ("http://one.example/a/page?q=1", "http://two.example/", "http://127.0.0.1/")
        keeper = Keeper(finder, Trust.system(), urls, tmp_path / "kept", 1000)
        file = watched(tmp_path / "evening.jsonl", hand.at)
        mode = CurfewMode(finder, hand, events.append, notes.append, keeper, file)
        await mode.step()
        assert events == [], "it is too early"
        hand.at += dt.timedelta(minutes=20)
        await mode.step()
        await mode.step()
        (done,) = events
        assert (done.start.hour, done.end.hour, done.ways, done.of) == (16, 0, 1, 2)
        assert (done.kept, done.size, done.missed) == (1, 4, 2)
        (kept,) = (tmp_path / "kept").iterdir()
        assert kept.name.endswith("one.example-a-page")
        assert kept.read_bytes() == b"kept"
        assert len(notes) == 2
        assert "no public page" in notes[1]

        desk = Desk(finder, State(hand), Switch(), network, None, curfew=mode)
        words = Words("en")
        told = coming(desk.look(), words, Dates(words, TEHRAN))
        assert told[0] == "The line abroad is usually cut here from 16:00 to 24:00."
        assert told[2:] == [
            "Before it 1 of your 2 servers answered.",
            "Fetched for it: 1 entries of your list, 0.0 MB.",
            "Not to be had yet: 2. They are tried again after it.",
        ]

        network.serve(OTHER, 80, answers(PAGE))
        hand.at = hand.at.replace(hour=20)
        await mode.step()
        assert len(events) == 1, "nothing is fetched while it is on"
        assert coming(desk.look(), words, Dates(words, TEHRAN))[0].startswith("At this hour")
        hand.at += dt.timedelta(hours=4, minutes=5)
        finder.forget()  # for a moment a failed search is not made again; hours have passed only by the hand
        with anyio.fail_after(30):
            await mode.step()
        assert (events[1].kept, events[1].missed) == (1, 1)
        assert len(list((tmp_path / "kept").iterdir())) == 2
        hand.at -= dt.timedelta(days=2)  # a clock that is turned back
        await mode.step()


async def test_what_is_marked_is_fetched_now_or_held_until_the_line_is_there(tmp_path: Path) -> None:
    hand, events, notes = Hand(), list[Prepared | Fetched](), list[str]()
    hand.at = dt.datetime(2022, 9, 21, 12, 0, tzinfo=TEHRAN)
    async with MemoryNetwork(names={"one.example": [SITE], "two.example": [OTHER]}) as network:
        network.serve(SITE, 80, answers(PAGE))
        network.serve(OTHER, 80, hangs_up)
        finder = Finder(network, table=table(), clock=hand)
        keeper = Keeper(finder, Trust.system(), (), tmp_path / "kept", 1000)
        mode = CurfewMode(finder, hand, events.append, notes.append, keeper, watched(tmp_path / "w", hand.at))
        desk = Desk(finder, State(hand), Switch(), network, None, curfew=mode)

        def marks(*urls: str) -> control.Answer:
            return control.answer(msgspec.json.encode(control.Question(ask="keep", urls=urls)), desk)

        for url in (
            "one.example",
            "ftp://one.example/",
            "http://127.0.0.1/",
            "http://printer/",
            "http://[::1]/x",
            "http://",
        ):
            assert marks("http://one.example/", url).error, url
        assert mode.held == (), "a wrong one and those beside it are not marked"
        marks("http://one.example/now", "http://two.example/")
        await mode.step()
        assert [(each.kept, each.missed) for each in events if isinstance(each, Fetched)] == [(1, 1)]
        assert mode.held == (), "what cannot be had while the line is there is not asked for again and again"

        hand.at = hand.at.replace(hour=17)
        look = marks("http://one.example/later").look
        assert look is not None
        assert (look.held, look.cut) == (1, True)
        before = list(network.connections)
        await mode.step()
        assert network.connections == before, "it is held, whatever is left of the line"
        words = Words("en")
        assert coming(desk.look(), words, Dates(words, TEHRAN))[-1] == (
            "1 entry to be kept waits until the line abroad is there."
        )
        hand.at += dt.timedelta(hours=7, minutes=1)
        await mode.step()
        assert [(each.kept, each.missed) for each in events if isinstance(each, Fetched)] == [(1, 1), (1, 0)]
        assert len(list((tmp_path / "kept").iterdir())) == 2
        hand.at = hand.at.replace(hour=15, minute=45)
        with anyio.fail_after(60):
            await mode.step()
        prepared = events[-1]
        assert isinstance(prepared, Prepared)
        assert (prepared.kept, prepared.missed) == (2, 1), "all of it again before the next cut"
        mode.forget()
        assert marks("http://one.example/").error
        assert fetched(Fetched(at=hand.at, kept=2, size=1_500_000, missed=1), words) == [
            "Fetched to be kept: 2 entries, 1.5 MB.", "Not to be had: 1.",
        ]  # fmt: skip


async def test_what_is_kept_is_bounded_and_what_was_there_stays(tmp_path: Path) -> None:
    big = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + bytes(9000)
    moved = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n"
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    served = {
        "big.example": big,
        "inside.example": moved % b"http://192.168.1.1/",
        "file.example": moved % b"file:///etc/passwd",
        "nowhere.example": moved % b"http://[nowhere",
        "round.example": moved % b"http://round.example/",
        "gone.example": b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        "cut.example": cut,
    }
    async with MemoryNetwork(names={name: [f"93.184.216.{n}"] for n, name in enumerate(served, 1)}) as network:
        for number, data in enumerate(served.values(), 1):

            async def says(stream: ByteStream, data: bytes = data) -> None:
                await stream.receive()
                await stream.send(data)

            network.serve(f"93.184.216.{number}", 80, says)
        urls = tuple(f"http://{name}/" for name in served)
        keeper = Keeper(Finder(network, table=table()), Trust.system(), urls, tmp_path / "kept", 5000)
        with anyio.fail_after(60):
            kept = await keeper.fetch()
            assert [each.url for each in kept if not each.failed] == []
            assert list((tmp_path / "kept").iterdir()) == []
            network.serve("93.184.216.6", 80, answers(PAGE))
            (first,) = await keeper.fetch(["http://gone.example/"])
            network.serve("93.184.216.6", 80, hangs_up)
            (second,) = await keeper.fetch(["http://gone.example/"])
            assert second.failed
            assert (tmp_path / "kept" / Path(first.file).name).read_bytes() == b"kept"
            (tmp_path / "file").touch()
            blocked = Keeper(keeper.finder, Trust.system(), urls[:1], tmp_path / "file" / "below", 5000)
            (third,) = await blocked.fetch()
            assert third.failed
    assert RESOLVER not in str(kept)


async def test_what_is_written_in_persian_script_is_asked_for_in_percents(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def moves(stream: ByteStream) -> None:
        asked.append((await stream.receive()).partition(b"\r\n")[0])
        there = b"HTTP/1.1 302 Found\r\nLocation: /\xc3\xa9\r\nContent-Length: 0\r\n\r\n"
        await stream.send(there if len(asked) == 1 else PAGE)

    async with MemoryNetwork(names={"one.example": [SITE]}) as network:
        network.serve(SITE, 80, moves)
        finder = Finder(network, table=table())
        keeper = Keeper(finder, Trust.system(), ("http://one.example/wiki/ایران",), tmp_path / "kept", 1000)
        (kept,) = await keeper.fetch()
        assert kept.failed == ""
    first, second = asked
    assert first == b"GET /wiki/%D8%A7%DB%8C%D8%B1%D8%A7%D9%86 HTTP/1.1"
    assert second == b"GET /%C3%A9 HTTP/1.1"


def test_a_list_names_its_wrong_line_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("# mine\nhttps://a.example/\n\nhttps://a.example/\nhttp://b.example/x\n")
    assert read_list(path) == ("https://a.example/", "http://b.example/x")
    for wrong in ("file:///etc/passwd", "a.example", "https:/a"):
        path.write_text(f"https://a.example/\n{wrong}\n")
        with pytest.raises(LocalFault, match="line 2"):
            read_list(path)
    path.write_text("".join(f"https://a.example/{n}\n" for n in range(201)))
    with pytest.raises(LocalFault, match="201"):
        read_list(path)
    for read in (read_list, read_watched):
        with pytest.raises(LocalFault, match="cannot read"):
            read(tmp_path / "none")


def test_only_whole_rounds_of_a_known_zone_count(tmp_path: Path) -> None:
    now = dt.datetime(2022, 9, 21, 15, 20, tzinfo=TEHRAN)
    hours = hours_of(watched(tmp_path / "file", now, 2).read_bytes())
    assert len(hours) == 48
    assert {each.was_cut for each in hours if each.hour >= 16} == {True}
    assert {each.was_cut for each in hours if each.hour < 16} == {False}


async def test_what_began_in_tls_is_not_fetched_in_the_clear(tmp_path: Path) -> None:
    moved = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://one.example/\r\n\r\n"
    async with MemoryNetwork(names={"one.example": [SITE]}) as network:
        network.serve(SITE, 443, in_tls("one.example", answers(moved)))
        network.serve(SITE, 80, answers(PAGE))
        trust = Trust.with_ca(ca_file(tmp_path))
        keeper = Keeper(Finder(network, table=table()), trust, ("https://one.example/",), tmp_path / "kept", 5000)
        (failed,) = await keeper.fetch()
        assert "in the clear" in failed.failed
        assert (SITE, 80) not in network.connections
