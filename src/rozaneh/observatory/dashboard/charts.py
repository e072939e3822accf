"""Charts as SVG, made here: readable without script, on a phone, in both directions of writing.

Time runs from left to right in both languages, as on a clock. What a chart shows also stands in a table beside it;
colours are one scale from light to dark, which also holds in grey and for whoever cannot tell red from green. What is
not known is hatched, so that nobody takes it for one of them; the pattern stands in the key.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from rozaneh.observatory.dashboard.tallies import Tally
from rozaneh.words import Said
from rozaneh.words.dates import Dates

SHADES = 6
"""Classes ``s0`` to ``s5`` of the style: from nothing fails to everything fails."""

_CELL_WIDTH, _CELL_HEIGHT, _GUTTER, _HEAD = 12, 7, 96, 16
_HOURS, _SIXTY = 24, 60
_ACROSS = _HOURS * _CELL_WIDTH
_BAR, _TOP, _LETTERS = 90, 10, 32
_WEEK = 7


def shade(share: float) -> int:
    """The shade of a share of failures, 0 to 5."""
    return min(int(share * SHADES), SHADES - 1)


class Block(NamedTuple):
    """An hour of the store's clock, or the part of one, on one local day.

    Attributes:
        day: the local day.
        start: minutes from its midnight. Local hours need not begin where the store's do: Iran is half an hour off.
        minutes: how long it lasts on this day.
        tally: what was counted in it.
    """

    day: dt.date
    start: int
    minutes: int
    tally: Tally


def local_blocks(by_hour: Mapping[dt.datetime, Tally], zone: dt.tzinfo) -> list[Block]:
    """Hours of UTC on the local calendar; one that lies across midnight becomes two blocks."""
    blocks: list[Block] = []
    for hour, tally in sorted(by_hour.items()):
        local = hour.astimezone(zone)
        start = local.hour * _SIXTY + local.minute
        today = min(_SIXTY, _HOURS * _SIXTY - start)
        blocks.append(Block(local.date(), start, today, tally))
        if today < _SIXTY:
            blocks.append(Block(local.date() + dt.timedelta(days=1), 0, _SIXTY - today, tally))
    return blocks


def heat_map(blocks: Sequence[Block], days: Sequence[dt.date], dates: Dates, title: Said) -> Markup:
    """Hours across, days down: a curfew is a dark upright band.

    Args:
        blocks: what was counted; where there is none it is drawn as not enough.
        days: the local days, first at the top.
        dates: how to write them.
        title: what it shows, for whoever listens instead of looking.
    """
    rows = {day: row for row, day in enumerate(days)}
    shapes: dict[int, list[str]] = {}
    for block in blocks:
        if (row := rows.get(block.day)) is not None:
            x, y = _GUTTER + block.start * _CELL_WIDTH // _SIXTY, _HEAD + row * _CELL_HEIGHT
            wide = block.minutes * _CELL_WIDTH // _SIXTY
            shapes.setdefault(shade(block.tally.failing), []).append(f"M{x} {y}h{wide}v{_CELL_HEIGHT}h-{wide}z")
    width, height = _GUTTER + _ACROSS + 2, len(days) * _CELL_HEIGHT
    parts = [_opening(width, _HEAD + height + 2, title)]
    parts.append(f'<rect class="few" x="{_GUTTER}" y="{_HEAD}" width="{_ACROSS}" height="{height}"/>')
    parts += [f'<path class="s{number}" d="{"".join(shapes[number])}"/>' for number in sorted(shapes)]
    parts += _hour_labels(dates)
    parts += _day_labels(days, dates)
    return _joined(parts)


def _hour_labels(dates: Dates) -> Iterator[str]:
    for hour in range(0, _HOURS + 1, 4):
        x = _GUTTER + hour * _CELL_WIDTH
        anchor = "end" if hour == _HOURS else "middle"
        yield f'<text x="{x}" y="11" text-anchor="{anchor}">{escape(dates.words.number(hour))}</text>'


def _day_labels(days: Sequence[dt.date], dates: Dates) -> Iterator[str]:
    # The end of the week is Friday in Iran; a label stands at its first day, Saturday, and is due every other week.
    due = [row for row, day in enumerate(days) if day.weekday() == 5]
    for row in due[:: 2 if len(days) > 5 * _WEEK else 1] or range(min(len(days), 1)):
        y = _HEAD + row * _CELL_HEIGHT
        yield f'<text x="{_GUTTER - 5}" y="{y + 8}" text-anchor="end">{_short(days[row], dates)}</text>'
        yield f'<path class="tick" d="M{_GUTTER - 3} {y}h{_ACROSS + 3}"/>'


def _short(day: dt.date, dates: Dates) -> Markup:
    """Day and month. The charts are written from left to right; this is not where the language is not."""
    text = dates.short(day)
    return escape(f"\u2067{text}\u2069" if dates.words.right_to_left else text)


def timeline(by_day: Mapping[dt.date, Tally], days: Sequence[dt.date], dates: Dates, title: Said) -> Markup:
    """One bar for each day, as high as the share that fails."""
    step = _ACROSS / max(len(days), 1)
    parts = [_opening(_GUTTER + _ACROSS + 2, _TOP + _BAR + 20, title, name="timeline")]
    parts.append(f'<rect class="few" x="{_GUTTER}" y="{_TOP}" width="{_ACROSS}" height="{_BAR}"/>')
    for column, day in enumerate(days):
        if (tally := by_day.get(day)) is not None:
            high, x = round(tally.failing * _BAR), _GUTTER + column * step
            parts.append(f'<rect class="paper" x="{x:.1f}" y="{_TOP}" width="{step + 0.3:.2f}" height="{_BAR}"/>')
            wide = step * 0.85
            parts.append(f'<rect class="bar" x="{x:.1f}" y="{_TOP + _BAR - high}" width="{wide:.2f}" height="{high}"/>')
    for share in (0, 0.5, 1):
        y = _TOP + _BAR * (1 - share)
        label = escape(dates.words.number(share, ".0%"))
        parts.append(f'<text x="{_GUTTER - 5}" y="{y + 4:.0f}" text-anchor="end">{label}</text>')
        parts.append(f'<path class="tick" d="M{_GUTTER - 3} {y:.0f}h{_ACROSS + 3}"/>')
    parts += _ends(days, dates, _TOP + _BAR + 16)
    return _joined(parts)


def _ends(days: Sequence[dt.date], dates: Dates, y: int) -> Iterator[str]:
    """The first day, the last, and the one in the middle where there is room: on a phone a date is a third as wide."""
    places = {len(days) - 1: "end", len(days) // 2: "middle", 0: "start"} if days else {}
    crowded = sum(len(dates.short(days[at])) for at in places) > _LETTERS
    for at, anchor in places.items():
        x = {"start": _GUTTER, "end": _GUTTER + _ACROSS}.get(anchor, _GUTTER + (at + 0.5) * _ACROSS / len(days))
        if anchor != "middle" or not crowded:
            yield f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{_short(days[at], dates)}</text>'


def dark_spans(blocks: Sequence[Block], day: dt.date, least: float = 0.5) -> list[tuple[int, int]]:
    """When at least ``least`` of what was tried on a day failed, as minutes from midnight."""
    spans: list[tuple[int, int]] = []
    for block in blocks:
        if block.day != day or block.tally.failing < least:
            continue
        end = block.start + block.minutes
        if spans and spans[-1][1] == block.start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((block.start, end))
    return spans


def _opening(width: int, height: int, title: Said, name: str = "heat") -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{name}" viewBox="0 0 {width} {height}" role="img" '
        f'direction="ltr" aria-label="{escape(title)}"><title>{escape(title)}</title>'
    )


def _joined(parts: list[str]) -> Markup:
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 - made of numbers and escaped text alone
