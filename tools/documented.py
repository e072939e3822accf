"""The commands that the documents show: each must exist, and those marked so are run by the test suite.

A command stands in a block of the kind ``console``, after ``$ ``; a line that ends in a backslash goes on in the next.
A block of the kind ``console run`` is run from the top of the repository, and what it shows under a command must come
out of it, line by line, where ``...`` stands for any number of lines; ``console run lab`` does so where the lab runs.
"""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from typer.core import TyperGroup
from typer.main import get_command

from rozaneh.cli.main import COMMANDS

TOP = Path(__file__).parent.parent
_BLOCK = re.compile(r"^```console([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OTHERS = {".", "apt-get", "cd", "chromium", "curl", "dig", "docker", "export", "git", "openssl", "sh", "tor"}
"""Programs of somebody else that a document may show."""


class Command(NamedTuple):
    """A command in a document, the words after ``console``, and the lines shown under it."""

    path: str
    line: int
    kind: tuple[str, ...]
    text: str
    output: tuple[str, ...]


def commands() -> Iterator[Command]:
    """Every command in README and docs."""
    for path in (TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))):
        text = path.read_text(encoding="utf-8")
        for block in _BLOCK.finditer(text):
            first = text.count("\n", 0, block.start(2)) + 1
            yield from _in_block(str(path.relative_to(TOP)), first, tuple(block[1].split()), block[2])


def _in_block(path: str, first: int, kind: tuple[str, ...], block: str) -> Iterator[Command]:
    typed, began = "", first
    output: list[str] = []
    for number, line in enumerate([*block.splitlines(), "$ "], first):
        goes_on = typed.endswith("\\")
        if goes_on:
            typed = typed[:-1] + line.strip()
        elif line.startswith("$ ") or line == "$":
            if typed:
                yield Command(path, began, kind, typed, tuple(output))
            typed, output, began = line[2:].strip(), [], number
        else:
            output.append(line)


def findings() -> Iterator[str]:
    """What the documents show that does not exist, one line each."""
    rules = set(re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    for shown in commands():
        words = shlex.split(shown.text, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        program = words[0] if words else ""
        program = "rozaneh" if program == ".venv/bin/rozaneh" else program
        problem = ""
        if program == "rozaneh":
            problem = _not_understood(words[1:])
        elif program == "make":
            problem = ", ".join(f"no rule {word}" for word in words[1:] if "=" not in word and word not in rules)
        elif program not in _OTHERS:
            problem = f"the program {program!r} is not known to tools/documented.py"
        if problem:
            yield f"{shown.path}:{shown.line}: {shown.text}: {problem}"


def _not_understood(words: list[str]) -> str:
    """What Rozaneh would not understand of these words; empty if it would."""
    if words[:1] == ["--lang"]:
        words = words[2:]
    name, rest = (words[0], words[1:]) if words else ("", [])
    if name.startswith("--"):
        return "" if name in ("--help", "--version") else f"no option {name}"
    if name not in COMMANDS or find_spec(f"rozaneh.cli.{name}") is None:
        return f"no command {name!r}"
    command: object = get_command(import_module(f"rozaneh.cli.{name}").app)
    while rest and rest[0] != "--":
        word, rest = rest[0], rest[1:]
        if word.startswith("-"):
            flag, _, value = word.partition("=")
            takes_value = _takes_value(command, flag)
            if takes_value is None:
                return f"no option {flag}"
            rest = rest[1:] if takes_value and not value else rest
        elif isinstance(command, TyperGroup):
            if word not in command.commands:
                return f"no command {word!r}"
            command = command.commands[word]
    return ""


def _takes_value(command: object, flag: str) -> bool | None:
    """Whether an option of the command is followed by a value; none where there is no such option."""
    for option in getattr(command, "params", ()):
        if flag in (*option.opts, *option.secondary_opts):
            return not option.is_flag
    return False if flag == "--help" else None
