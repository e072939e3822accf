"""The collector's protocol in both forms, and a sender that is killed: nothing is lost, and nothing is taken twice."""

import asyncio
import base64
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Thread
from typing import Any

import h11
import pytest
from anyio.abc import ByteStream

from rozaneh.core import LocalFault
from rozaneh.dialers import build
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.trust import Trust
from rozaneh.probe.share import waiting as waiting_room
from rozaneh.probe.share.collector import Collector
from rozaneh.probe.share.private import Private
from rozaneh.probe.share.signing import SIGNATURE, key_of, sign, verify
from rozaneh.probe.share.waiting import Waiting
from tests.probe.share.test_waiting import NOW, PRIVATE, measurement

PLACE = ("127.0.0.1", 8080)
URL = "http://127.0.0.1:8080/"


class Far:
    """A collector that forgets nothing: what it was sent stands there as often as it came.

    Args:
        forms: ``report`` for the one that OONI has had since 2016, ``submit`` for the one of 2026.
        wrong: an answer instead of every identifier.
    """

    def __init__(self, *forms: str, wrong: bytes = b"") -> None:
        self.forms = forms or ("report",)
        self.wrong = wrong
        self.came: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.wrong:
            return 200, self.wrong
        if path == "/api/v1/submit_measurement" and "submit" in self.forms:
            asked = json.loads(body)
            assert asked["format"] == "json"
            self.came.append(json.loads(asked["content"]))
            return 200, b'{"measurement_uid": "x", "verification_status": "unverified"}'
        if path == "/report" and "report" in self.forms:
            return 200, b'{"report_id": "20220921T120000Z_webconnectivity_IR_1"}'
        if path.startswith("/report/") and "report" in self.forms:
            if not path.endswith("/close"):
                self.came.append(json.loads(body)["content"])
            return 200, b"{}"
        return 404, b"{}"

    async def talk(self, receive: Callable[[], Awaitable[bytes]], send: Callable[[bytes], Awaitable[None]]) -> None:
        peer, path, body = h11.Connection(h11.SERVER), "", b""
        while True:
            event = peer.next_event()
            if event is h11.NEED_DATA:
                peer.receive_data(await receive())
            elif isinstance(event, h11.Request):
                path = event.target.decode()
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                break
        status, answer = self.answer(path, body)
        await send(f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\n\r\n".encode() + answer)


async def sent_to(far: Far, held: Waiting, private: Private = PRIVATE) -> Any:
    async def behaviour(stream: ByteStream) -> None:
        await far.talk(stream.receive, stream.send)

    async with MemoryNetwork() as network:
        network.serve(*PLACE, behaviour)
        return await Collector(URL, Trust(), (build("tcp", network),)).send_all(held, private)


def waiting(folder: Path, many: int) -> tuple[Waiting, list[dict[str, Any]]]:
    held = Waiting(folder)
    return held, [held.read(held.keep(measurement(number), PRIVATE, NOW)) for number in range(many)]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_collector_that_knows_only_the_newer_form_is_sent_each_alone(tmp_path: Path) -> None:
    far = Far("submit")
    held, kept = waiting(tmp_path / "share", 3)
    done = await sent_to(far, held)
    assert (len(done.sent), done.left, done.failure) == (3, 0, None)
    assert sorted(each["input"] for each in far.came) == sorted(each["input"] for each in kept)
    for each in far.came:
        verify(each)
        assert "85.133.207.14" not in json.dumps(each)
    assert far.asked == ["/report", *["/api/v1/submit_measurement"] * 3], "the older form is tried once"
    again = await sent_to(far, held)
    assert (again.sent, len(far.came)) == ((), 3)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.parametrize(
    "wrong",
    [b"", b"[]", b"{}", b"\xff" * 9, b"[" * 60_000, b"x" * 100_000, b'{"report_id": 7}', b'{"report_id": "../../x"}',
     b'{"report_id": ""}', b'{"report_id": "a b"}', b'{"report_id": "' + b"x" * 300 + b'"}'],
)  # fmt: skip
async def test_a_collector_that_talks_nonsense_gets_nothing_and_nothing_is_lost(tmp_path: Path, wrong: bytes) -> None:
    held, _ = waiting(tmp_path / "share", 2)
    far = Far(wrong=wrong or b" ")
    done = await sent_to(far, held)
    assert (done.sent, done.left, far.asked) == ((), 2, ["/report"])
    assert done.failure is not None


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_measurement_of_somebody_else_that_may_not_leave_holds_up_no_other(tmp_path: Path) -> None:
    """Whoever hands over a bundle can sign what he likes, the carrier's own address among it."""
    held, kept = waiting(tmp_path / "share", 3)
    deep = b"x"
    for _ in range(6):
        deep = base64.b64encode(deep + b" " * 99)
    for body in ("seen: 5.202.13.200", deep.decode()):
        held.take_in(sign(measurement(9, body), key_of(tmp_path / "their key", NOW)))
    far = Far()
    done = await sent_to(far, held, Private.of(["5.202.13.200"]))
    assert sorted(each["input"] for each in far.came) == sorted(each["input"] for each in kept)
    assert (len(done.sent), done.left, len(done.withheld)) == (3, 2, 2)


def test_a_bundle_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_room, "LARGEST", 4096)
    held = Waiting(tmp_path / "share")
    key = key_of(tmp_path / "their key", NOW)
    held.take_in(sign(measurement(1, "x" * 2000), key))
    with pytest.raises(LocalFault, match="wait already"):
        held.take_in(sign(measurement(2, "x" * 2000), key))
    assert len(list(held)) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_collector_that_knows_neither_form_takes_nothing(tmp_path: Path) -> None:
    held, _ = waiting(tmp_path / "share", 2)
    done = await sent_to(Far("none"), held)
    assert (done.sent, done.left) == ((), 2)


_SENDERS = """
import os, random, signal, sys; from pathlib import Path
import anyio
from tests.probe.share.test_waiting import PRIVATE
from rozaneh.dialers import build
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.probe.share.collector import Collector
from rozaneh.probe.share.waiting import Waiting

def send(tell):
    collector = Collector(sys.argv[1], Trust(), (build("tcp", RealNetwork()),))
    anyio.run(lambda: collector.send_all(Waiting(Path(sys.argv[2])), PRIVATE, tell=tell))

chance = random.Random(7)
for _ in range(int(sys.argv[3])):
    mine, theirs = os.pipe()
    child = os.fork()
    if not child:
        send(lambda digest: os.write(theirs, b"."))
        os._exit(0)
    for _ in range(chance.randint(0, 9)):
        os.read(mine, 1)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
send(lambda digest: None)
"""
_KILLS = 6


@pytest.mark.parametrize("form", ["report", "submit"])
def test_a_sender_that_is_killed_at_any_point_loses_nothing_and_sends_again_what_it_could_not_note(
    tmp_path: Path, form: str
) -> None:
    """Killed again and again at moments that nobody chose, then let run to its end."""
    far = Far(form)
    held, kept = waiting(tmp_path / "share", 80)
    with _Loopback(far) as port:
        argv = [sys.executable, "-c", _SENDERS, f"http://127.0.0.1:{port}/", str(held.folder), str(_KILLS)]
        subprocess.run(argv, check=True, timeout=60)
    assert list(held) == []
    times = Counter(each["annotations"][SIGNATURE] for each in far.came)
    assert set(times) == {each["annotations"][SIGNATURE] for each in kept}, "nothing is lost"
    assert sum(times.values()) - len(times) <= _KILLS, "what a kill kept from being noted, and no more, comes twice"
    assert len(held.sent()) == len(kept)
    for each in far.came:
        verify(each)  # the signature by which a collector knows what it has already


class _Loopback:
    """A collector on a free port of this machine, in a thread of its own."""

    def __init__(self, far: Far) -> None:
        self._far = far
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._one, "127.0.0.1", 0), self._loop
        ).result()
        return int(self._server.sockets[0].getsockname()[1])

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            await self._far.talk(lambda: reader.read(65_536), send)
        except (h11.RemoteProtocolError, ConnectionError):
            pass  # killed in the middle of its question
        finally:
            writer.close()

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
