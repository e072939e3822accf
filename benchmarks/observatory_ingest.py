"""What reading measurements costs, from packed files to Parquet with all that ingest does, and judging them again.

The measurements are made here (``_measurements.py``), shaped like real ones; one in a hundred comes twice, and one in a
hundred lines is broken. Every stage counts: unpacking, decoding, rows, signatures in whole bodies, digests,
certificates, doubles, sorting, writing durably. The figure is processor time of the best of three runs, as are
those that the target was taken from: where two processors are one core, what the other one does slows this one. Loading
libraries is left out, which a first small ingest has done. Memory is the most that the process ever had, asked of the
system in a process that nothing else has swollen.

Several processes are measured in wall time, loading of libraries included, on copies of the same files with other ids:
some seconds of work. What two processes that only compute gain over one says how much the machine has to give. What one
process takes for those copies says what a long ingest takes, in which memory is there and certificates are known.

The peer is OONI's own code on the same files between our runs, where ``ROZANEH_OONI_PYTHON`` names an interpreter that
has it (``_ooni_peer.py``). It does less: no digests of bodies, no signatures in its observations, no doubles, no
sorting, and it writes nothing.
"""

import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks._ingest import Row, beside, by, peer, row, run
from benchmarks._measurements import Corpus
from rozaneh.observatory.judging import judge_all
from rozaneh.observatory.store import Store
from tests.observatory.made import web

COMMAND = "python -m benchmarks observatory_ingest"
TYPICAL, LARGE, SMALL = 6_000, 400, 40_000
_FILE = 20 << 20
"""Bytes of a file, before it is packed."""
_RUNS = 3
_COPIES = {"typical": 8, "large": 5}
_LOOPS = 20_000_000
_PACKING: Any = import_module("isal.igzip")


def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        corpus = Corpus(2022)
        warm = _written(place / "warm", 20, corpus.typical)
        assert warm
        rows: list[Row] = []
        rows.append(row("two processes that only compute, against one: all that this machine gives", _gain(), "x", ""))
        for name, count, make, target in (
            ("typical", TYPICAL, corpus.typical, ">= 8000"), ("large", LARGE, corpus.large, ">= 500"),
        ):  # fmt: skip
            mean = _written(place / name, count, make) / 1000
            said = f"gz to Parquet, measurements of {mean:.0f} kB"
            runs, theirs = [], []
            for number in range(_RUNS):
                runs.append(run(place, name, 1, number))
                theirs.append(peer("transform", place / name))
            many = _copied(place / name, _COPIES[name])
            one, two = (run(place, many, jobs) for jobs in (1, 2))
            assert {each["kept"] for each in runs} == {count}
            assert one["kept"] == two["kept"] == count * _COPIES[name]
            memory = max(each["memory"] for each in (*runs, one))
            ours = count / min(each["cpu"] for each in runs)
            rows += [
                row(f"{said}, one core", ours, "measurements/s", target),
                row(f"{said}, one core, {one['kept']} of them", one["kept"] / one["cpu"], "measurements/s", target),
                *beside(f"{said}, one core", "decoding and transformation", ours, theirs, ">= 3.8"),
                row(f"{said}, memory at most", memory / 1024, "MB", "< 500"),
                row(f"{said}, --jobs 2 against 1 in wall time", one["wall"] / two["wall"], "x", ">= 1.7"),
                row(f"{said}, --jobs 2, memory of each at most", two["reader"] / 1024, "MB", "< 500"),
            ]
            if name == "large":
                scored = [peer("score", place / name) for _ in range(_RUNS)]
                rows += beside(f"{said}, one core", "scoring with fingerprints", ours, scored, ">= 62")
        # So many rows that a window is filled, which takes more memory than anything else.
        _written(place / "small", SMALL, _small)
        full = run(place, "small", 1)
        assert full["kept"] == SMALL
        rows.append(row("gz to Parquet, a window filled, memory at most", full["memory"] / 1024, "MB", "< 500"))
        rows.append(_judge(place / "typical-1-0"))
        return by(COMMAND, rows)


def _small(number: int) -> dict[str, Any]:
    return web(number, probe_asn=f"AS{number % 500 + 1}", input=f"https://site{number % 3000}.example/")


def _written(place: Path, count: int, make: Callable[[int], dict[str, Any]]) -> float:
    """Write files of measurements, packed as OONI's are; their mean size in bytes."""
    place.mkdir()
    total = size = 0
    lines: list[bytes] = []
    for number in range(count):
        lines.append(json.dumps(make(number), separators=(",", ":")).encode())
        size += len(lines[-1])
        if number == count - 1 or size >= _FILE:
            total += size
            extra = [line for line in lines[::100] for line in (line, line[: len(line) // 2])]
            (place / f"{number:06}.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines + extra) + b"\n", 6))
            lines, size = [], 0
    return total / count


def _copied(place: Path, times: int) -> str:
    """The same measurements several times, with ids of their own; the name of the folder."""
    many = place.with_name(f"many-{place.name}")
    many.mkdir()
    for path in place.iterdir():
        data = _PACKING.decompress(path.read_bytes())
        for number in range(times):
            mine = data.replace(b'"20220921120000.', b'"2022092112%02d00.' % number)
            (many / f"{number}-{path.name}").write_bytes(_PACKING.compress(mine, 2))
    return many.name


def _gain() -> float:
    """How much sooner two processes are done with a loop than one with both halves of it."""

    def wall(loops: int, count: int) -> float:
        before = time.perf_counter()
        command = [sys.executable, "-c", f"for _ in range({loops}): pass"]
        running = [subprocess.Popen(command) for _ in range(count)]
        for one in running:
            one.wait()
        return time.perf_counter() - before

    return wall(2 * _LOOPS, 1) / wall(_LOOPS, 2)


def _judge(place: Path) -> Row:
    with Store(place) as store:
        judge_all(store)  # loads the engine
        before = time.perf_counter()
        verdicts = judge_all(store)
        seconds = time.perf_counter() - before
    return row(f"judge {verdicts} measurements again, planning included", seconds, "s", "")
