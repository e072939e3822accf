"""``make bench``: every benchmark of this folder, one after another, in one table.

A benchmark is a file whose ``main()`` returns rows, each a mapping with ``name``, ``value``, ``unit`` and ``command``
(what to type to get it again), and where there is one a ``target`` such as ``<= 0.3`` and a ``peer``, whose figure it
is. A row whose value is a text says why there is no figure, for instance because a peer is absent here.

``python -m benchmarks [NAME…]`` prints; ``--write`` also puts the rows into docs/performance.md, between its markers,
in place of what the same commands measured there before. Each row has its day; those of other commands stay.
"""

import argparse
import os
import platform
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

_HERE = Path(__file__).parent
_PAGE = _HERE.parent / "docs" / "performance.md"
_BEGIN, _END = "<!-- figures: written by python -m benchmarks --write -->", "<!-- end of figures -->"
_NOT_BENCHMARKS = {"__main__", "prove"}

Row = Mapping[str, object]


def names() -> list[str]:
    return sorted(path.stem for path in _HERE.glob("*.py") if path.stem not in _NOT_BENCHMARKS and path.stem[0] != "_")


def met(row: Row) -> bool | None:
    """Whether the figure is what its target asks for; none where there is no figure or no target."""
    asked = re.fullmatch(r"(<=|>=|<|>|==)\s*([0-9.]+)", str(row.get("target", "")))
    value = row["value"]
    if asked is None or not isinstance(value, int | float):
        return None
    limit = float(asked[2])
    return {
        "<=": value <= limit,
        ">=": value >= limit,
        "<": value < limit,
        ">": value > limit,
        "==": value == limit,
    }[asked[1]]


def figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def cells(row: Row) -> list[str]:
    mark = {True: "yes", False: "NO", None: ""}[met(row)]
    measured = f"{figure(row['value'])} {row['unit']}" if isinstance(row["value"], int | float) else str(row["value"])
    return [str(row["name"]), measured, str(row.get("target", "")), mark, str(row.get("peer", ""))]


def machine() -> str:
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (found := re.search(r"model name\s*:\s*(.+)", info.read_text())):
        model = found[1].strip()
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    return (
        f"{os.cpu_count()} cores, {model}, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, as {who}"
    )


def page_table(rows: list[Row], when: datetime, before: str = "") -> str:
    """The table of a page.

    Args:
        rows: what was measured now.
        when: now.
        before: the table that stood there.
    """
    again = {f"`{row['command']}`" for row in rows}
    lines = [line for line in before.splitlines() if line.endswith("` |") and line.split(" | ")[-1][:-2] not in again]
    for row in rows:
        line = " | ".join([*cells(row), f"{when:%Y-%m-%d}", f"`{row['command']}`"])
        lines.append(f"| {line} |".replace("\n", " "))
    head = "| what | figure | target | met | peer | day | command |\n|---|---:|---|---|---|---|---|"
    return "\n".join((f"Measured with `make bench` on {machine()}.", "", head, *lines))


def write(rows: list[Row], when: datetime) -> None:
    text = _PAGE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    there, end, after = rest.partition(_END)
    if not begin or not end:
        sys.exit(f"{_PAGE} has lost its markers; put back {_BEGIN} and {_END}")
    _PAGE.write_text(f"{before}{_BEGIN}\n{page_table(rows, when, there)}\n{_END}{after}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"run only these, of {', '.join(names())}")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    if unknown := sorted({*options.names} - {*names()}):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(names())}")
    console = Console()
    rows: list[Row] = []
    for name in options.names or names():
        with console.status(f"{name} ..."):
            found: list[Row] = import_module(f"benchmarks.{name}").main()
        for row in found:
            console.print("  ".join(filter(None, cells(row))), highlight=False, markup=False)
        rows += found
    table = Table("what", "figure", "target", "met", "peer", title=f"Rozaneh on {machine()}")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)
    if options.write:
        write(rows, datetime.now(UTC))
    return 1 if any(met(row) is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
