"""How right events are from files to events, on the simulated countries whose truth is known.

``python -m benchmarks.observatory_accuracy [TIMELINE ...]`` plays each, reads its files into a store, finds the
events and holds them against the labels. Without names it takes the four that come with Rozaneh; some minutes each.
A number instead of a name is the seed of a timeline that is drawn by chance.
"""

import datetime as dt
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from benchmarks._timelines import drawn
from rozaneh.lab.country import Score, load_timeline, read_events, read_labels, score, simulate, timeline_names
from rozaneh.observatory.events import renew
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.judging import judge_stale
from rozaneh.observatory.store import Store

COMMAND = "python -m benchmarks.observatory_accuracy"
_SEED = 1


def scores(name: str) -> tuple[int, list[Score]]:
    """The measurements of a timeline, and how right the events of each kind are.

    Args:
        name: of a timeline that comes with Rozaneh, the path of one, or the seed of one by chance.
    """
    timeline = drawn(int(name)) if name.isdecimal() else load_timeline(name)
    with tempfile.TemporaryDirectory() as room:
        place = Path(room)
        made = simulate(timeline, place / "country", seed=_SEED)
        with Store(place / "store") as store:
            ingest([place / "country" / "raw"], store, dt.datetime.now(dt.UTC))
            judge_stale(store)
        found = renew(place / "store").found
        labels = read_labels((place / "country" / "labels.json").read_bytes(), name)
    told = read_events(msgspec.json.encode([each.event for each in found]), name)
    return made.measurements, score(labels, told)


def of_timeline(name: str) -> list[dict[str, Any]]:
    """Recall, precision and onset of each kind of event on one timeline."""
    measurements, found = scores(name)
    rows = []
    for each in found:
        what = f"{Path(name).stem} ({measurements} measurements), {each.kind}"
        for figure, value, of in (("recall", each.recall, each.done), ("precision", each.precision, each.told)):
            if value is not None:
                rows.append({
                    "name": f"accuracy: {what}: {figure}", "value": round(value, 3), "unit": f"of {of}",
                    "target": ">= 0.98", "command": COMMAND,
                })  # fmt: skip
        if each.found:
            rows.append({
                "name": f"accuracy: {what}: begin within 6 h", "value": round(each.within / each.found, 3),
                "unit": f"of {each.found}", "target": ">= 0.98", "command": COMMAND,
            })  # fmt: skip
    return rows


def main(names: list[str] | None = None) -> list[dict[str, Any]]:
    return [row for name in names or timeline_names() for row in of_timeline(name)]


if __name__ == "__main__":
    for timeline in sys.argv[1:] or timeline_names():
        for row in of_timeline(timeline):
            print(f"{row['value']:6.3f} {row['unit']:8} {row['name']}", flush=True)
