"""The user's own servers, as several commands take them: by option, by file and by environment."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from rozaneh.core import Spec
from rozaneh.gateway.given import parse_way, parse_ways, read_ways
from rozaneh.words import mark

WAYS = "ROZANEH_WAYS"

WaysGiven = Annotated[
    list[str] | None,
    typer.Option(
        "--way", metavar="SERVER", help=mark("A server of yours, such as ss://… or socks5://…; may be repeated.")
    ),
]
"""``way: WaysGiven = None``"""

WaysFile = Annotated[
    str | None,
    typer.Option(
        "--ways-file", metavar="FILE", help=mark("A file with servers, one on each line; - reads standard input.")
    ),
]
"""``ways_file: WaysFile = None``"""


def servers(given: list[str], file: str | None, warn: Callable[[str], None]) -> list[Spec]:
    """All servers: of the command line, the environment and the file. Only a wrong one on the command line is fatal."""
    found = [parse_way(text) for text in given]
    found += parse_ways(os.environ.get(WAYS, "").splitlines(), WAYS, warn)
    if file == "-":
        found += parse_ways(sys.stdin, "standard input", warn)
    elif file is not None:
        found += read_ways(Path(file), warn)
    return list(dict.fromkeys(found))
