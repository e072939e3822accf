"""How fast this machine is beside the one that the target of ingest was set on, and what ingest does on the same files.

8,000 measurements a second are a figure of one machine. It was set with a corpus made by a program, on which OONI's own
code did 2,100 a second there, and a draft that reads, flattens and writes the same (without certificates, addresses,
signatures, older formats or doubles) 8,000 to 9,200. Here the same corpus is made by the same program, and OONI's code,
the draft and ours read it by turns: what OONI's code does here says what a second of that machine is worth.

The programs and the cases that the corpus is made of are no part of the project. ``ROZANEH_DRAFTS`` names the folder
that has ``gen.py`` and ``proto2.py``, ``ROZANEH_OUTSIDE_DATA`` that of the cases, and ``ROZANEH_OONI_PYTHON`` an
interpreter with OONI's code, msgspec, isal and pyarrow.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks._ingest import PEER, Row, beside, by, peer, row, run

COMMAND = "python -m benchmarks observatory_yardstick"
COUNT = 30_000
_RUNS = 3
_THERE = 2_100
"""What OONI's decoding and transformation did on the machine of the target."""


def main() -> list[Row]:
    said = "gz to Parquet, the corpus that the target was set with, one core"
    lacking = [name for name in ("ROZANEH_DRAFTS", "ROZANEH_OUTSIDE_DATA", PEER) if not os.environ.get(name)]
    if lacking:
        return by(COMMAND, [row(said, f"absent here: {', '.join(lacking)} not set", "", "")])
    drafts, cases = Path(os.environ["ROZANEH_DRAFTS"]), Path(os.environ["ROZANEH_OUTSIDE_DATA"])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        wanted = place / "corpus"
        _python(drafts / "gen.py", COUNT, wanted, cases / "measurement" / "ooni_wc_qa")
        files = sorted(wanted.iterdir())
        (place / "warm").mkdir()
        os.link(files[0], place / "warm" / files[0].name)
        few = place / "few"  # a fifth is enough for a rate, where it takes five times as long
        few.mkdir()
        for path in files[::5]:
            os.link(path, few / path.name)
        ours, theirs, draft = [], [], []
        for number in range(_RUNS):
            ours.append(run(place, wanted.name, 1, number))
            theirs.append(peer("transform", few))
            draft.append(_draft(drafts / "proto2.py", len(files), wanted, place / f"draft-{number}"))
        assert {each["kept"] for each in ours} == {COUNT}
        rate = COUNT / min(each["cpu"] for each in ours)
        rows = [
            row(said, rate, "measurements/s", ""),
            *beside(said, "decoding and transformation", rate, theirs, ">= 3.8"),
            row(f"{said}, the draft that the target was set with, which does less", max(draft), "measurements/s", ""),
            row(f"{said}, ours beside the draft", rate / max(draft), "x", ""),
        ]
        known = [value for value in theirs if isinstance(value, float)]
        if known:
            slower = _THERE / max(known)
            rows += [
                row(
                    "seconds of this machine in one of that of the target, where OONI's code did 2,100/s",
                    slower,
                    "x",
                    "",
                ),
                row(f"{said}, reckoned for that machine", rate * slower, "measurements/s", ""),
            ]
        return by(COMMAND, rows)


def _draft(script: Path, files: int, corpus: Path, out: Path) -> float:
    """How many a second the draft does, at best."""
    told = _python(script, files, 1, corpus, out)
    return max(float(json.loads(line)["msmt_per_cpu_s"]) for line in told.splitlines() if line.startswith("{"))


def _python(script: Path, *told: object) -> str:
    command = [os.environ[PEER], str(script), *map(str, told)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
