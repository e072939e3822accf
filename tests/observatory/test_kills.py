"""Several processes read as one does, and a kill at any point loses and doubles nothing."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.store import Store
from tests.observatory.made import web, write
from tests.observatory.stored import NOW, into, rejected, rows, uids

_KILLS = """
import datetime as dt, os, signal, sys, time
from pathlib import Path
from rozaneh.observatory import compaction, ingest, window
from rozaneh.observatory.store import Store
window.WINDOW, compaction.MOST = 40, 2
kills = 0
for after in range(60):
    child = os.fork()
    if not child:
        with Store(Path(sys.argv[1])) as store:
            ingest.ingest([Path(sys.argv[2])], store, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        os._exit(0)
    time.sleep(0.04 * after)
    os.kill(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] == 0:
        break
    kills += 1
print(kills)
"""


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """Files of a hundred measurements each; one stands in all of them."""
    (tmp_path / "in").mkdir()
    for part in range(4):
        write(tmp_path / "in" / f"{part}.jsonl.gz", [web(part * 100 + i) for i in range(100)] + [web(999)])
    return tmp_path / "in"


def assert_whole(place: Path) -> None:
    """Each is there, once, with its two rows."""
    found = Counter(row["measurement_uid"] for row in rows(place))
    assert len(found) == 401
    assert set(found.values()) == {2}


def test_kills_at_any_point_lose_and_double_nothing(tmp_path: Path, measured: Path) -> None:
    """Each run is killed a little later than the one before, until one gets to its end."""
    ran = subprocess.run(
        [sys.executable, "-c", _KILLS, str(tmp_path / "store"), str(measured)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(ran.stdout) > 2
    into(tmp_path / "store", measured)
    assert_whole(tmp_path / "store")


_KILLS_OF_MANY = """
import datetime as dt, multiprocessing, os, signal, sys
from pathlib import Path
from rozaneh.observatory import ingest, jobs, window
from rozaneh.observatory.store import Store
whom, after = sys.argv[3], int(sys.argv[4])
hear, heard = jobs._Holder.hear, 0
def counted(holder, reader):
    global heard
    heard += 1
    if heard == after:
        at = os.getpid() if whom == "holder" else multiprocessing.active_children()[0].pid
        os.kill(at, signal.SIGKILL)
    return hear(holder, reader)
jobs._Holder.hear = counted
if __name__ == "__main__":
    with Store(Path(sys.argv[1])) as store:
        ingest.ingest([Path(sys.argv[2])], store, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), jobs=2)
"""


def test_kills_among_several_processes_lose_and_double_nothing(tmp_path: Path, measured: Path) -> None:
    """Who holds the store dies after so many of sixteen messages, and so does one that reads; then one run ends."""
    command = [sys.executable, "-c", _KILLS_OF_MANY, str(tmp_path / "store"), str(measured)]
    for whom, after in (("holder", 5), ("reader", 7), ("holder", 14)):
        ran = subprocess.run([*command, whom, str(after)], capture_output=True, text=True, check=False)
        assert ran.returncode == (-signal.SIGKILL if whom == "holder" else 1)
        assert whom == "holder" or "ended early" in ran.stderr
    ran = subprocess.run([*command, "nobody", "0"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert_whole(tmp_path / "store")


def test_several_processes_read_as_one_does(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for part in range(5):
        lines = [web(part * 20 + i) for i in range(30)]  # a third stands in two files
        write(tmp_path / "in" / f"{part}.jsonl.gz", [*lines, b"{"])
    alone = into(tmp_path / "one", tmp_path / "in")
    with Store(tmp_path / "three") as store:
        together = ingest([tmp_path / "in"], store, NOW, jobs=3)
        assert ingest([tmp_path / "in"], store, NOW, jobs=3).skipped == 5
    assert (together, alone.kept, alone.doubled) == (alone, 110, 40)
    assert uids(tmp_path / "one") == uids(tmp_path / "three")
    assert len(rows(tmp_path / "three")) == 220
    assert rejected(tmp_path / "one") == rejected(tmp_path / "three")
