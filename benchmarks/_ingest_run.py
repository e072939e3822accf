"""One ingest in an interpreter of its own, as ``observatory_ingest`` measures it; prints what it took as JSON.

A file of its own, because each process that reads beside loads the file that was started: nothing must be in it that an
ingest does not need.
"""

import datetime as dt
import json
import re
import resource
import sys
import time
from pathlib import Path

from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.store import Store

_NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def main(place: Path, name: str, jobs: int, run: int) -> dict[str, object]:
    with Store(place / f"warm-{name}-{jobs}-{run}") as store:
        ingest([place / "warm"], store, _NOW)
    with Store(place / f"{name}-{jobs}-{run}") as store:
        cpu, wall = time.process_time(), time.perf_counter()
        summary = ingest([place / name], store, _NOW, jobs=jobs)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    most = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert most
    reader = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"kept": summary.kept, "cpu": cpu, "wall": wall, "memory": int(most[1]), "reader": reader}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:5]))))
