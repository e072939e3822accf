"""Scenarios in plain words: for ``lab list``, ``lab show`` and the table of the atlas in the documentation."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from rozaneh.lab.scenario import Expect, Rule, Scenario

NOT_PACKETS: Mapping[str, str] = {
    "X1": "none: the study's classifier learns from sizes and directions of whole connections and was shown at one "
    "provider, not found in use. A rule with a made-up threshold would show nothing about anybody.",
}
"""Rows of the atlas that no scenario shows, each with the reason."""

_CLOCK = ("time.from", "time.to")
"""Where a number is a time of day, in seconds since midnight."""


def seen_by_plain(scenario: Scenario) -> str:
    """What a plain client is expected to see first: an outcome, or nothing where no expectation says it."""
    for expect in scenario.expect:
        if "plain" in expect.way or "*" in expect.way:
            return " or ".join(expect.outcome)
    return ""


def rule_lines(rule: Rule) -> Iterator[str]:
    """One rule: where it stands, what it looks for, what it remembers, what it does."""
    where = " and ".join(rule.at)
    mode = "in the path" if rule.mode == "in-path" else "beside the path"
    whom = f", for {' and '.join(rule.networks)} alone" if rule.networks else ""
    delay = f", {_span(rule.reaction_time)} s after it saw" if any(rule.reaction_time) else ""
    yield f"{rule.name or 'rule'}: at {where}, {mode}{whom}{delay}"
    for title, part in (("looks for", rule.match), ("remembers", rule.state), ("does", rule.action)):
        facts = list(_facts(msgspec.to_builtins(part, builtin_types=(bytes,))))
        if facts or title == "looks for":
            yield f"  {title}: {'; '.join(facts) or 'every packet'}"


def expectation_line(expect: Expect) -> str:
    """One expectation as a sentence."""
    who = " | ".join(expect.client) if expect.client else "way " + ", ".join(expect.way)
    parts = [f"{who} to {expect.target}"]
    if expect.after:
        parts.append(f"{f'{_span(expect.wait)} s' if any(expect.wait) else 'right'} after {', '.join(expect.after)}")
    if expect.network:
        parts.append(f"on {' and '.join(expect.network)}")
    if expect.at:
        parts.append(f"at {expect.at}")
    parts += [f"where {path} is {value}" for path, value in expect.when.items()]
    because = f" ({expect.because})" if expect.because else ""
    return f"{', '.join(parts)}: {' or '.join(expect.outcome)}{because}"


def atlas_table(scenarios: Iterable[Scenario], rows: Mapping[str, str]) -> str:
    """The Markdown table of all rows of the atlas, each with its scenarios or the reason why there is none.

    Args:
        scenarios: all scenarios of the repository.
        rows: the ids of the atlas with their titles, in order.
    """
    shown: dict[str, list[str]] = {}
    for scenario in scenarios:
        for row in scenario.atlas:
            shown.setdefault(row, []).append(f"`{scenario.id}`")
    lines = ["| row | what it is | shown by |", "|---|---|---|"]
    for row, title in rows.items():
        lines.append(f"| {row} | {title} | {', '.join(shown.get(row, [])) or NOT_PACKETS[row]} |")
    return "\n".join(lines)


def other_table(scenarios: Iterable[Scenario]) -> str:
    """The Markdown table of the scenarios that stand for no row of the atlas."""
    lines = ["| scenario | what it is |", "|---|---|"]
    lines += [f"| `{scenario.id}` | {scenario.title} |" for scenario in scenarios if not scenario.atlas]
    return "\n".join(lines)


def _facts(node: Any, path: str = "") -> Iterator[str]:
    """The values of a nested table as ``path = value``, defaults left out."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _facts(value, f"{path}.{key}" if path else key)
    elif isinstance(node, list | tuple) and node and isinstance(node[0], dict):
        choices = " / ".join("(" + ", ".join(_facts(item)) + ")" for item in node)
        yield f"{path} {choices}"
    elif path.endswith(_CLOCK) and isinstance(node, int | float):
        yield f"{path} {_clock(node)}"
    elif isinstance(node, dict) and path:
        yield f"{path} by default"
    elif path:
        yield f"{path} {_value(node)}"


def _value(node: Any) -> str:
    if _is_range(node) and not isinstance(node[0], bool):
        return _range(node)
    if isinstance(node, list | tuple):
        return ", ".join(_value(item) if not _is_range(item) else _range(item) for item in node) or "yes"
    if isinstance(node, bytes):
        return repr(node.decode()) if node.isascii() and node.decode().isprintable() else f"hex:{node.hex(' ')}"
    if isinstance(node, bool):
        return "yes" if node else "no"
    if isinstance(node, float):
        return f"{node:g}"
    text = str(node)
    return text if len(text) <= 60 else text[:57] + "..."


def _span(span: tuple[float, float]) -> str:
    least, most = span
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600:02d}:{int(seconds) % 3600 // 60:02d}"


def _is_range(node: Any) -> bool:
    return isinstance(node, list | tuple) and len(node) == 2 and all(isinstance(end, int | float) for end in node)


def _range(node: Any) -> str:
    low, high = node
    if low == high:
        return f"{low:g}"
    return f">={low:g}" if high >= 1e15 or high in (65535, 255, 4294967295) else f"{low:g}-{high:g}"
