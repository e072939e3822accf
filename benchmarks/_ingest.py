"""Running an ingest and its peers, each in an interpreter of its own, for the benchmarks that measure it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, object]

PEER = "ROZANEH_OONI_PYTHON"
"""Names an interpreter that has OONI's own code."""


def run(place: Path, name: str, jobs: int, number: int = 0) -> dict[str, Any]:
    """One ingest of a folder in ``place``, after a small one of its folder ``warm``."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks._ingest_run", str(place), name, str(jobs), str(number)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def peer(what: str, folder: Path) -> float | str:
    """How many a second OONI's own code does; where it is absent, what is."""
    python = os.environ.get(PEER)
    if not python:
        return f"absent here: {PEER} names no interpreter that has it"
    script = Path(__file__).with_name("_ooni_peer.py")
    ran = subprocess.run([python, str(script), what, str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(ran.stdout)
    return f"absent here: {told['absent']}" if "absent" in told else float(told["count"] / told["cpu"])


def beside(said: str, what: str, ours: float, theirs: list[float | str], target: str) -> list[Row]:
    """Two rows: what the peer does, and ours beside it."""
    best = max((value for value in theirs if isinstance(value, float)), default=None)
    if best is None:
        return [row(f"{said}, OONI's {what}", theirs[0], "", "")]
    return [
        row(f"{said}, OONI's {what} of the same, in the same run", best, "measurements/s", "") | {"peer": "OONI"},
        row(f"{said}, ours beside OONI's {what}", ours / best, "x", target) | {"peer": "OONI"},
    ]


def row(name: str, value: float | str, unit: str, target: str) -> Row:
    """A figure, without the command that gives it."""
    return {"name": f"observatory: {name}", "value": value, "unit": unit, "target": target}


def by(command: str, rows: Iterable[Row]) -> list[Row]:
    """Rows with what to type to get them again."""
    return [each | {"command": command} for each in rows]
