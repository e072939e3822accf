"""What reading measurements costs, from packed files to Parquet with all that ingest does, and judging them again.

The measurements are made here (``_measurements.py``), shaped like real ones; one in a hundred comes twice, and one in a
hundred lines is broken. Every stage counts: unpacking, decoding, rows, signatures in whole bodies, digests,
certificates, doubles, sorting, writing durably. The figure is processor time; loading libraries is left out, which a
first small ingest has done. Memory is the most that the process ever had, asked of the system in a process that nothing
else has swollen.
"""

import datetime as dt
import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._measurements import Corpus
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_all
from rozaneh.observatory.store import Store
from tests.observatory.made import web

COMMAND = "python -m benchmarks observatory_ingest"
TYPICAL, LARGE, SMALL = 6_000, 400, 40_000
_FILE = 500
_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

Row = dict[str, object]


def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        corpus = Corpus(2022)
        warm = _written(place / "warm", 20, corpus.typical)
        assert warm
        rows: list[Row] = []
        for name, count, make, target in (
            ("typical", TYPICAL, corpus.typical, ">= 8000"), ("large", LARGE, corpus.large, ">= 500"),
        ):  # fmt: skip
            mean = _written(place / name, count, make) / 1000
            said = f"gz to Parquet, measurements of {mean:.0f} kB"
            one = _run(place, name, jobs=1)
            two = _run(place, name, jobs=2)
            assert one["kept"] == two["kept"] == count
            rows += [
                _row(f"{said}, one core", count / one["cpu"], "measurements/s", target),
                _row(f"{said}, memory at most", one["memory"] / 1024, "MB", "< 500"),
                _row(f"{said}, --jobs 2 against 1 in wall time", one["wall"] / two["wall"], "x", ">= 1.7"),
            ]
        # So many rows that a window is filled, which takes more memory than anything else.
        _written(place / "small", SMALL, _small)
        full = _run(place, "small", jobs=1)
        assert full["kept"] == SMALL
        rows.append(_row("gz to Parquet, a window filled, memory at most", full["memory"] / 1024, "MB", "< 500"))
        rows.append(_judge(place / "typical-1"))
        return rows


def _small(number: int) -> dict[str, Any]:
    return web(number, probe_asn=f"AS{number % 500 + 1}", input=f"https://site{number % 3000}.example/")


def _written(place: Path, count: int, make: Callable[[int], dict[str, Any]]) -> float:
    """Write files of measurements, packed as OONI's are; their mean size in bytes."""
    place.mkdir()
    total = 0
    for start in range(0, count, _FILE):
        lines = [
            json.dumps(make(number), separators=(",", ":")).encode()
            for number in range(start, min(start + _FILE, count))
        ]
        total += sum(map(len, lines))
        extra = [line for line in lines[::100] for line in (line, line[: len(line) // 2])]
        (place / f"{start:06}.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines + extra) + b"\n", 6))
    return total / count


def _run(place: Path, name: str, jobs: int) -> dict[str, Any]:
    """In an interpreter of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.observatory_ingest", str(place), name, str(jobs)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def _child(place: Path, name: str, jobs: int) -> dict[str, object]:
    with Store(place / f"warm-{name}-{jobs}") as store:
        ingest([place / "warm"], store, _NOW)
    with Store(place / f"{name}-{jobs}") as store:
        cpu, wall = time.process_time(), time.perf_counter()
        summary = ingest([place / name], store, _NOW, jobs=jobs)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    most = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert most
    return {"kept": summary.kept, "cpu": cpu, "wall": wall, "memory": int(most[1])}


def _judge(place: Path) -> Row:
    with Store(place) as store:
        judge_all(store)  # loads the engine
        before = time.perf_counter()
        verdicts = judge_all(store)
        seconds = time.perf_counter() - before
    return _row(f"judge {verdicts} measurements again, planning included", seconds, "s", "")


def _row(name: str, value: float, unit: str, target: str) -> Row:
    return {"name": f"observatory: {name}", "value": value, "unit": unit, "target": target, "command": COMMAND}


if __name__ == "__main__":
    print(json.dumps(_child(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
