"""The rules of the house that no other gate knows. Each finding is one line, and any finding fails the gate."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from tools import documented

TOP = documented.TOP
_ROOMS = (".ci", "benchmarks", "docs", "requirements", "scenarios", "src", "tests", "tools")
_LONG, _LONGEST = 400, 500
_WIDEST = 1_000
_MEANINGLESS = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}
# Written apart, so that this file does not find itself.
_LEFT_OVERS = re.compile(
    r"\b(TO"
    r"DO|FIX"
    r"ME|XX"
    r"X|raise NotImplemented"
    r"Error)\b|pragma: no "
    r"cover|To be described by its "
    r"builder"
)
_NOQA = re.compile(r"#\s*(?:ruff:\s*)?no" r"qa")
_NOQA_WITH_REASON = re.compile(r"# (?:ruff: )?no" r"qa: [A-Z]+\d+(?:, ?[A-Z]+\d+)* - \S")
_IGNORE = re.compile(r"#\s*type:\s*ig" r"nore")
_IGNORE_WITH_REASON = re.compile(r"# type: ig" r"nore\[[a-z-]+(?:, ?[a-z-]+)*\]  # \S")
_SKIP = re.compile(r"pytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b|unittest\.skip")
_SKIPS_LIVE_IN = {"tests/conftest.py", "tests/house/test_conftest.py"}
_ASKED_FOR = re.compile(r"\b(?:peer|library)\(\"([^\"]+)\"\)")
_PLAIN_FAULT = re.compile(
    r"\b(?:(?:LocalFault|SpecError|NotHere|NotScrubbed|TargetError|DamagedFile)\(|LinkError\(\s*Kind\.[A-Z_]+,)"
    r"\s*f?[\"'][^\"']*[a-z]{3} [a-z]"
)
_ENGLISH_ALONE = ("core", "diagnosis", "lab", "words")
"""Words and the rooms below it, and the one of whoever writes scenarios."""
_MACHINE = re.compile(r"(?:^|[^A-Za-z0-9._/-])/(?:wo" r"rk|fa" r"rm|ro" r"ot|home/[a-z]+)/[A-Za-z.]")
_INDEX = re.compile(r"^\s*(?:--(?:extra-)?index-url|-i |--find-links|--trusted-host)", re.MULTILINE)


def files() -> Iterator[Path]:
    """Every text file that belongs to the repository, relative to its top."""
    for path in sorted(TOP.iterdir()):
        if path.is_file() and path.name != ".git":  # a file, in a second work tree
            yield path.relative_to(TOP)
    for room in _ROOMS:
        for path in sorted((TOP / room).rglob("*")):
            if path.is_file() and path.suffix not in (".pyc", ".mo") and not path.match("*/__pycache__/*"):
                yield path.relative_to(TOP)


def of_source(path: Path, text: str) -> Iterator[str]:
    """What is wrong with one Python file."""
    if path.name in _MEANINGLESS:
        yield f"{path}: a name that says nothing; name the file after what it holds"
    lines = text.splitlines()
    if len(lines) > _LONGEST and not _has_decision(path):
        yield f"{path}: {len(lines)} lines; over {_LONGEST} needs a record in docs/adr that names the file"
    elif len(lines) > _LONG:
        print(f"note  {path}: {len(lines)} lines; is it one room or several?")
    for number, line in enumerate(lines, 1):
        if _LEFT_OVERS.search(line):
            yield f"{path}:{number}: a left-over: {line.strip()[:80]}"
        if _NOQA.search(line) and not _NOQA_WITH_REASON.search(line):
            yield f"{path}:{number}: a silenced lint carries its code and ' - ' and a reason"
        if _IGNORE.search(line) and not _IGNORE_WITH_REASON.search(line):
            yield f"{path}:{number}: a silenced type error carries its code and '  # ' and a reason"
        if _SKIP.search(line) and str(path) not in _SKIPS_LIVE_IN:
            yield f"{path}:{number}: tests are skipped by tests/conftest.py alone, after tests/skips.toml"


def of_faults(path: Path, text: str) -> Iterator[str]:
    """Exceptions for people whose lines nobody can translate."""
    room = path.parts[2] if path.parts[:2] == ("src", "rozaneh") else ""
    if room and room not in _ENGLISH_ALONE:
        for found in _PLAIN_FAULT.finditer(text):
            number = text.count("\n", 0, found.start()) + 1
            yield f"{path}:{number}: what an exception says to people goes through rozaneh.words.later"


def of_skips(path: Path, text: str, listed: Iterable[dict[str, str]]) -> Iterator[str]:
    """Programs and modules that a file of tests asks for, and that no line of the list lets it do without.

    Where all is installed nobody would notice; on a machine without them those tests fail.
    """
    mine = {line["needs"] for line in listed if fnmatch(str(path), line["test"].partition("::")[0])}
    for name in sorted({*_ASKED_FOR.findall(text)} - mine):
        yield f"{path}: asks for {name}, and tests/skips.toml does not list it for any test there"


def of_page(path: Path, text: str) -> Iterator[str]:
    """What nobody would read, and the tests that a page names and that do not exist: a claim without its proof."""
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > _WIDEST:
            yield f"{path}:{number}: {len(line)} characters in a line"
    for file, test in re.findall(r"`(tests/[a-z0-9_/]+\.py)(?:::(test_[a-z0-9_]+))?`", text):
        proof = TOP / file
        if not proof.exists() or (test and f"def {test}(" not in proof.read_text(encoding="utf-8")):
            yield f"{path}: there is no test {file}{'::' if test else ''}{test}"


def of_text(path: Path, text: str, hosts: set[str]) -> Iterator[str]:
    """What is wrong with any file."""
    for number, line in enumerate(text.splitlines(), 1):
        if _MACHINE.search(line):
            yield f"{path}:{number}: a path of one machine"
    for host in sorted(hosts):
        if host in text:
            yield f"{path}: names the host of a package registry"
    if path.parts[0] == "requirements" and _INDEX.search(text):
        yield f"{path}: names an index"


def of_records(names: Iterable[str]) -> Iterator[str]:
    """Decisions that have a number of their own no more, because two were written at once."""
    taken: dict[str, str] = {}
    for name in sorted(names):
        other = taken.setdefault(name[:4], name)
        if other != name:
            yield f"docs/adr/{name}: {other} has that number already"


def registry_hosts() -> set[str]:
    """Hosts that this machine's package tools are set to use: they belong to the machine, never to the repository."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    wanted = re.compile("proxy|index|registry", re.IGNORECASE)
    told += "\n".join(value for name, value in os.environ.items() if wanted.search(name))
    for path in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
        if os.access(path, os.R_OK):
            told += path.read_text(errors="replace")
    hosts = set(re.findall(r"https?://(?:[^@/\s'\"]*@)?([^:/\s'\"]+)", told))
    return {host for host in hosts if host != "localhost" and not host.startswith("127.")}


def _has_decision(path: Path) -> bool:
    return any(str(path) in record.read_text(encoding="utf-8") for record in (TOP / "docs" / "adr").glob("*.md"))


def main() -> int:
    """Print every finding; the exit status says whether there was one."""
    hosts = registry_hosts()
    wrong: list[str] = []
    for path in files():
        text = (TOP / path).read_text(encoding="utf-8", errors="replace")
        wrong += of_text(path, text, hosts)
        if path.suffix == ".py":
            wrong += [*of_source(path, text), *of_faults(path, text)]
        if path.suffix == ".md":
            wrong += of_page(path, text)
    listed = tomllib.loads((TOP / "tests" / "skips.toml").read_text(encoding="utf-8"))["skip"]
    tests = [
        path
        for path in files()
        if path.parts[0] == "tests" and path.match("test_*.py") and str(path) not in _SKIPS_LIVE_IN
    ]
    for path in tests:
        wrong += of_skips(path, (TOP / path).read_text(encoding="utf-8"), listed)
    wrong += [
        f"tests/skips.toml: there is no file for {line['test']}"
        for line in listed
        if not any(fnmatch(str(path), line["test"].partition("::")[0]) for path in tests)
    ]
    wrong += of_records(record.name for record in (TOP / "docs" / "adr").glob("[0-9]*.md"))
    wrong += documented.findings()
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
