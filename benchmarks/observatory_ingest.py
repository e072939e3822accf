"""What reading measurements costs, from packed files to Parquet with all that ingest does, and judging them again.

The corpus is made here, seeded: Web Connectivity measurements of a site with two addresses, whose pages have sizes like
real ones (log-normal), and some of 800 kB. Every stage counts: unpacking, decoding, rows, signatures, digests, doubles,
sorting, writing durably. Processor time of one process, and the most memory that it ever had.
"""

import datetime as dt
import random
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_all
from rozaneh.observatory.store import Store
from tests.observatory.made import web, write

COMMAND = "python -m benchmarks observatory_ingest"
MEASUREMENTS = 6_000
LARGE = 400
_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_WORDS = [f"word{number}" for number in range(3000)]

Row = dict[str, object]


def main() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rng = random.Random(2022)
        sizes = [min(int(rng.lognormvariate(9.5, 0.9)), 200_000) for _ in range(MEASUREMENTS)]
        rows = [
            _read(place / "typical", rng, sizes, ">= 8000"),
            _read(place / "large", rng, [790_000] * LARGE, ">= 500"),
        ]
        return [*rows[0], *rows[1], _judge(place / "typical" / "store")]


def _read(place: Path, rng: random.Random, sizes: list[int], target: str) -> list[Row]:
    place.mkdir()
    total = 0
    for part in range(0, len(sizes), 500):
        lines = [_with_page(part + i, size, rng) for i, size in enumerate(sizes[part : part + 500])]
        total += write(place / f"{part}.jsonl.gz", lines).stat().st_size
    mean = sum(sizes) / len(sizes) / 1000
    # In a process of its own, whose memory nothing else has swollen.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        kept, seconds, memory = pool.submit(_ingested, place).result()
    assert kept == len(sizes)
    name = f"gz to Parquet, pages of {mean:.0f} kB"
    return [
        _row(f"{name}, one core", kept / seconds, "measurements/s", target),
        _row(f"{name}, memory at most", memory, "MB", "< 500"),
    ]


def _ingested(place: Path) -> tuple[int, float, float]:
    with Store(place / "store") as store:
        before = time.process_time()
        summary = ingest([place], store, _NOW)
        seconds = time.process_time() - before
    return summary.kept, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _with_page(number: int, size: int, rng: random.Random) -> dict[str, object]:
    made = web(number)
    page = " ".join(rng.choices(_WORDS, k=max(size // 8, 1)))
    made["test_keys"]["requests"][0]["response"]["body"] = f"<html><title>{number}</title><p>{page}</p></html>"
    return made


def _judge(place: Path) -> Row:
    with Store(place) as store:
        before = time.perf_counter()
        verdicts = judge_all(store)
        seconds = time.perf_counter() - before
    return _row(f"judge {verdicts} measurements again, planning included", seconds, "s", "")


def _row(name: str, value: float, unit: str, target: str) -> Row:
    return {"name": f"observatory: {name}", "value": value, "unit": unit, "target": target, "command": COMMAND}
