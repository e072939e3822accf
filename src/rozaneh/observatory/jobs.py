"""Several processes read files into one store.

Theory of operation. The process that holds the store gives out the inputs, one by one, to readers, each of which fills
a window of its own: reading, sorting and writing are done by them, side by side. Before a reader writes, it asks which
measurements are new; what it was told is new counts as there for all others. Then it says which of its files go where,
and the holder makes that true in one change. Messages are MessagePack on a pipe.

Nothing is lost or doubled whoever is killed. A measurement that a reader was told is new belongs to inputs that are not
done before its change is true; where the reader dies before, the ingest ends there, and the next one reads those inputs
again. A reader whose holder is gone finds its pipe closed and ends.
"""

import datetime as dt
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from rozaneh.core import LocalFault
from rozaneh.observatory.doubles import Doubles, Keys
from rozaneh.observatory.store import Change, Input, Partition, Store
from rozaneh.observatory.window import Found, Summary, Window, much_memory
from rozaneh.words import later

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


class _Next(msgspec.Struct, tag="next"):
    """Which input is to be read next? Answered by one, or by nothing."""


class _New(msgspec.Struct, tag="new"):
    """Which of these are new? Answered by one byte for each."""

    keys: bytes
    places: list[Partition]
    of: bytes


class _Put(msgspec.Struct, tag="put"):
    """A change. Answered when it is true."""

    put: list[tuple[str, str]]
    done: list[Input]
    stale: list[Partition]


class _Read(msgspec.Struct, tag="read"):
    """So many bytes were read. Not answered."""

    size: int


class _End(msgspec.Struct, tag="end"):
    """All is done, or a fault ended it. Not answered."""

    summary: Summary
    fault: str = ""


_TOLD = msgspec.msgpack.Decoder(_Next | _New | _Put | _Read | _End)
_INPUT = msgspec.msgpack.Decoder(Found | None)
_encode = msgspec.msgpack.encode


def read_side_by_side(
    jobs: int, store: Store, now: dt.datetime, inputs: Sequence[Found], progress: Callable[[int, Summary], None]
) -> Summary:
    """Read inputs into a store by several processes.

    Args:
        jobs: how many.
        store: where to.
        now: the time.
        inputs: what to read.
        progress: is told how many bytes were read since the last time.

    Raises:
        LocalFault: an input cannot be read, the store not be written, or a process has ended early.
    """
    context = get_context("spawn")  # a fork would copy locks that threads of Arrow hold
    processes: list[BaseProcess] = []
    holder = _Holder(store, iter(inputs), progress)
    waiting: list[Connection] = []
    try:
        for _ in range(min(jobs, len(inputs))):
            here, there = context.Pipe()
            process: BaseProcess = context.Process(target=_reader, args=(there, str(store.place), now), daemon=True)
            process.start()
            there.close()
            processes.append(process)
            waiting.append(here)
        while waiting:
            for connection in wait(waiting):
                if isinstance(connection, Connection) and not holder.hear(connection):
                    waiting.remove(connection)
    finally:
        for connection in waiting:
            connection.close()
        for process in processes:
            if waiting:
                process.terminate()
            process.join()
    return holder.summary


class _Holder:
    """Answers readers."""

    def __init__(self, store: Store, inputs: Iterator[Found], progress: Callable[[int, Summary], None]) -> None:
        self.summary = Summary()
        self._store = store
        self._inputs = inputs
        self._progress = progress
        self._doubles = Doubles(store)

    def hear(self, reader: Connection) -> bool:
        """Take one message, and answer it; whether more will come."""
        try:
            told = _TOLD.decode(reader.recv_bytes())
        except (EOFError, OSError):
            raise LocalFault(
                later("a process that read files has ended early; nothing is lost, run the same command again")
            ) from None
        match told:
            case _Next():
                reader.send_bytes(_encode(next(self._inputs, None)))
            case _New():
                keys = Keys(np.frombuffer(told.keys, np.int64), told.places, np.frombuffer(told.of, np.int64))
                reader.send_bytes(self._doubles.new(keys, reader.fileno()).tobytes())
            case _Put():
                put = [(Path(staged), Path(final)) for staged, final in told.put]
                self._store.commit(Change(put=put, done=told.done, stale=told.stale))
                self._doubles.settled(reader.fileno())
                reader.send_bytes(b"")
            case _Read():
                self._progress(told.size, self.summary)
            case _End():
                if told.fault:
                    raise LocalFault(told.fault)
                self.summary.add(told.summary)
                reader.close()
                return False
        return True


class _Pipe:
    """A door to the process that holds the store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def inputs(self) -> Iterator[Found]:
        while (found := _INPUT.decode(self._asked(_Next()))) is not None:
            yield found

    def new(self, keys: Keys) -> np.ndarray:
        return np.frombuffer(self._asked(_New(keys.keys.tobytes(), keys.places, keys.of.tobytes())), bool)

    def commit(self, change: Change) -> None:
        put = [(str(staged), str(final)) for staged, final in change.put]
        self._asked(_Put(put, list(change.done), list(change.stale)))

    def read(self, size: int) -> None:
        self._connection.send_bytes(_encode(_Read(size)))

    def _asked(self, question: _Next | _New | _Put) -> bytes:
        self._connection.send_bytes(_encode(question))
        return self._connection.recv_bytes()


def _reader(connection: Connection, place: str, now: dt.datetime) -> None:
    """What a process does that reads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever holds the store is interrupted, and ends us
    door = _Pipe(connection)
    window = Window(Path(place), door, now)
    try:
        with much_memory():
            window.read(door.inputs())
        told = _End(window.summary)
    except LocalFault as fault:
        told = _End(window.summary, str(fault))
    except (EOFError, ConnectionError):  # who holds the store is gone
        return
    connection.send_bytes(_encode(told))
