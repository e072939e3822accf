"""How a finished matrix is shown on a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from rich.table import Table
from rich.text import Text

from rozaneh.lab.matrix import STANDARD_WAYS, Finished, Matrix
from rozaneh.words import Words

_SHORT: Mapping[str, str] = MappingProxyType(
    {
        "connection_refused": "refused",
        "connection_reset": "reset",
        "dns_nxdomain_error": "nxdomain",
        "eof_error": "closed",
        "generic_timeout_error": "silence",
        "host_unreachable": "no host",
        "network_unreachable": "no route",
        "refused_by_service": "service",
        "ssl_failed_handshake": "bad tls",
        "ssl_invalid_hostname": "bad name",
        "ssl_unknown_authority": "bad ca",
    }
)


def matrix_table(matrix: Matrix) -> Table:
    """A row for each question of each scenario, a column for each way; what is not as expected stands out."""
    rows: dict[tuple[str, str, str], dict[str, Finished]] = {}
    for cell in matrix.cells:
        place = f"{cell.scenario}{f' [{cell.vary}]' if cell.vary else ''}"
        asked = f"{cell.network}{f' {cell.at}' if cell.at else ''}"
        rows.setdefault((place, asked, cell.target), {})[cell.way] = cell
    ways = sorted({cell.way for cell in matrix.cells}, key=_order)
    columns = [way for way in ways if way in STANDARD_WAYS] or ways
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for title in ("", "", "", *columns, *([""] if len(columns) < len(ways) else [])):
        table.add_column(title, no_wrap=title in STANDARD_WAYS)
    for question, found in rows.items():
        others = [Text(f"{way}: ") + _word(cell) for way, cell in found.items() if way not in columns]
        words = [_word(found[way]) if way in found else Text("") for way in columns]
        table.add_row(*question, *words, *([Text("; ").join(others)] if len(columns) < len(ways) else []))
    return table


def matrix_lines(matrix: Matrix, runs: Sequence[Matrix], words: Words) -> Iterator[str]:
    """What was wrong, one line each, and the sum."""
    for cell in matrix.cells:
        if not cell.ok:
            yield words.say(
                "{scenario} {vary} on {network}, {way} to {target}: {observed}; {reason}",
                scenario=cell.scenario,
                vary=f"[{cell.vary}]" if cell.vary else "",
                network=cell.network,
                way=cell.way,
                target=cell.target,
                observed=cell.observed,
                reason=cell.reason,
            )
    wrong = sum(not cell.ok for cell in matrix.cells)
    yield words.say(
        "{cells} cells, {scenarios} scenarios, {ways} ways: {good} as expected, {wrong} not, {silent} open.",
        cells=len(matrix.cells),
        scenarios=len({cell.scenario for cell in matrix.cells}),
        ways=len({cell.spec for cell in matrix.cells}),
        good=len(matrix.cells) - wrong - matrix.unexpected,
        wrong=wrong,
        silent=matrix.unexpected,
    )
    yield words.say(
        "{controls} controls; {runs} run(s), the slowest in {seconds} s.",
        controls=matrix.controls,
        runs=len(runs),
        seconds=f"{max(run.seconds for run in runs):.1f}",
    )


def _order(way: str) -> tuple[int, str]:
    known = list(STANDARD_WAYS)
    return (known.index(way), "") if way in known else (len(known), way)


def _word(cell: Finished) -> Text:
    word = _SHORT.get(cell.observed, cell.observed)
    if not cell.ok:
        return Text(f"!{word}", style="bold red")
    return Text(word, style="dim" if cell.expected is None else "green" if cell.observed == "ok" else "yellow")
