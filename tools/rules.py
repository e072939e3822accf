"""Write docs/rules.md from the rules of verdicts: ``python -m tools.rules``; ``--check`` says whether it is current."""

import argparse
import sys
from pathlib import Path

from rozaneh.diagnosis import Rule, layer_rules, rules, sureness

PAGE = Path(__file__).parent.parent / "docs" / "rules.md"

_HEAD = """# The rules of verdicts

<!-- written by `python -m tools.rules` from src/rozaneh/diagnosis/rules.toml; do not edit here -->

Rules are data, asked in this order; the first that fits decides. A rule fits when all facts that it *needs* hold,
at least one of each group that it wants *any* of, and none of those after *unless*. Each fact under *surer with*
that is absent costs a tenth of the confidence and is named as missing. Facts are predicates about what was seen
(`src/rozaneh/diagnosis/facts.py`): `path.tls.reset` says that attempts at the right address were reset in the
handshake, `neutral_name.answered` that a harmless name at the same address was answered, `control.works` that a
vantage elsewhere got through. Where no rule fits, the verdict is `cannot_tell`, with what was missing.

What a rule rests on: a *signature* is a known page or address; *paired* are two attempts that differ in one thing;
*controlled* is a comparison with a vantage elsewhere; *single* is the attempt itself. In words, in Persian or
English:

```console
$ rozaneh explain tls-reset-by-name
$ rozaneh --lang fa explain dns_forgery
```
"""

_LAYERS = """# Layers that do their work

A layer (names, addresses, handshakes, requests) has a verdict of its own: what the rules above say of it, in the same
order, those of the whole network and of what works or is down included. Where none of its own decides and it did its
work, it is `ok`, by one of these rules (`src/rozaneh/diagnosis/layers.toml`). How that is put together stands in
`src/rozaneh/diagnosis/layers.py`.
"""


def page() -> str:
    """The whole page."""
    of_all = [part for number, rule in enumerate(rules(), 1) for part in _section(number, rule)]
    of_layers = [part for number, rule in enumerate(layer_rules(), 1) for part in _section(number, rule)]
    return "\n".join([_HEAD, *of_all, _LAYERS, *of_layers])


def _section(number: int, rule: Rule) -> list[str]:
    rows = [
        (
            "says",
            f"{rule.verdict}, {rule.mechanism}, by {rule.who}"
            + (f", at {rule.where}" if rule.where != "nowhere" else ""),
        ),
        ("sure", f"{rule.confidence:.2f} ({sureness(rule.confidence)}), {rule.level}"),
        ("needs", _facts(rule.needs)),
        *(("any of", _facts(group)) for group in rule.any),
        ("unless", _facts(rule.unless)),
        ("surer with", _facts(rule.wants)),
        ("source", f"<{rule.source}>" if rule.source.startswith("https://") else rule.source),
    ]
    table = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows if value)]
    return [f"## {number}. {rule.id}", "", rule.because, "", *table, ""]


def _facts(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> int:
    """Write the page, or say that it is not what the rules say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the page is stale")
    made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == made:
        return 0
    print("docs/rules.md is not what the rules say: run `python -m tools.rules`")
    return 1


if __name__ == "__main__":
    sys.exit(main())
