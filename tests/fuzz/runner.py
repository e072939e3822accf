"""Finds the fuzz targets: every ``fuzz_NAME(data: bytes) -> None`` in a ``targets_*.py`` of this folder.

A target feeds the bytes to one parser and lets through what a parser may do: return events, or raise ``RemoteFault``.
Whatever else comes out of it is a bug. The suite runs each briefly, ``make prove`` for long.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

Target = Callable[[bytes], None]

LONGEST = 4096
"""Bytes that a target is given at most; more than any bound that a parser checks early."""


def targets() -> dict[str, Target]:
    """All targets by name, which says the area and the parser, as in ``dns.message``."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("targets_*.py")):
        module = import_module(f"tests.fuzz.{path.stem}")
        area = path.stem.removeprefix("targets_")
        for name in sorted(vars(module)):
            if name.startswith("fuzz_"):
                found[f"{area}.{name.removeprefix('fuzz_')}"] = getattr(module, name)
    return found
