"""Scenario files: finding them, reading them, and one clear line when they are wrong."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

import rozaneh
from rozaneh.core import LocalFault
from rozaneh.lab.scenario.check import check
from rozaneh.lab.scenario.model import Scenario
from rozaneh.lab.scenario.read import read_as
from rozaneh.lab.scenario.services import interceptions
from rozaneh.lab.topology import default_world

LARGEST_FILE = 1 << 20
_ID = re.compile(r"[^a-z0-9_-]+")


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a scenario.

    Args:
        name_or_path: the name of a scenario of the repository (its file's name without ``.toml``), or the path of
            any file.

    Raises:
        LocalFault: one line: no such scenario, not readable, not TOML, or the key that is wrong and what was
            expected there.
    """
    path = find_scenario(name_or_path)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise LocalFault(f"{path}: cannot be read ({error.strerror})") from None
    return parse_scenario(data, path.name)


def parse_scenario(text: str | bytes, place: str = "scenario.toml") -> Scenario:
    """Read a scenario from the content of a file.

    Args:
        text: the content, TOML in UTF-8.
        place: the file's name, for errors and as the default of ``id``.

    Raises:
        LocalFault: one line that begins with the file's name.
    """
    table = _table(text, place)
    table.setdefault("id", _ID.sub("-", Path(place).stem.lower()).strip("-_")[:63] or "scenario")
    if isinstance(table.get("knobs", table.get("knob")), dict) and not {"path", "why"} & set(_knobs(table)):
        table["knobs"] = [{"path": path, "why": why} for path, why in _knobs(table).items()]
        table.pop("knob", None)
    try:
        scenario: Scenario = read_as(Scenario, table)
        # One name for one thing: the file's own sets are those of its world.
        world = msgspec.structs.replace(scenario.world, sets={**scenario.world.sets, **scenario.sets})
        scenario = msgspec.structs.replace(
            scenario, sets=dict(world.sets), world=msgspec.structs.replace(world, sets={})
        )
        check(scenario)
        scenario = _with_services(scenario)
    except LocalFault as fault:
        raise LocalFault(f"{place}: {fault}") from None
    return scenario


def _with_services(scenario: Scenario) -> Scenario:
    """The scenario with the machines that its redirects need among the world's services."""
    actions = [rule.action for rule in scenario.rules]
    actions += [
        residual.action for rule in scenario.rules if (residual := rule.state.residual) and residual.action is not None
    ]
    redirects = tuple(action.redirect for action in actions if action.redirect is not None)
    services = interceptions(redirects, default_world()) if redirects else ()
    world = msgspec.structs.replace(scenario.world, service=(*scenario.world.service, *services))
    return msgspec.structs.replace(scenario, world=world)


def _knobs(table: dict[str, Any]) -> dict[str, Any]:
    knobs = table.get("knobs", table.get("knob"))
    return knobs if isinstance(knobs, dict) else {}


def _table(text: str | bytes, place: str) -> dict[str, Any]:
    if len(text) > LARGEST_FILE:
        raise LocalFault(f"{place}: larger than {LARGEST_FILE >> 20} MiB; a scenario is a small text file")
    try:
        decoded = text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1 if isinstance(text, bytes) else 1
        raise LocalFault(f"{place}:{line}: not UTF-8 text") from None
    try:
        return tomllib.loads(decoded)
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        line_found = re.match(r"line (\d+)", where)
        number = line_found[1] if line_found else str(decoded.count("\n") + 1)
        raise LocalFault(f"{place}:{number}: not TOML: {what[:120]}") from None
    except RecursionError:
        raise LocalFault(f"{place}: tables stand in tables too deep") from None


def scenario_directory() -> Path:
    """Where the repository's scenarios are: beside the package when installed, at the root of a working copy."""
    package = Path(rozaneh.__file__).parent
    installed = package / "scenarios"
    return installed if installed.is_dir() else package.parent.parent / "scenarios"


def scenario_files(directory: str | Path | None = None) -> tuple[Path, ...]:
    """All scenario files of a directory (without one: the repository's), sorted by name.

    Raises:
        LocalFault: there is no such directory.
    """
    folder = Path(directory) if directory is not None else scenario_directory()
    if not folder.is_dir():
        raise LocalFault(f"{folder}: no such directory")
    return tuple(sorted(folder.glob("*.toml")))


def find_scenario(name_or_path: str | Path) -> Path:
    """The file of a scenario, by name or path.

    Raises:
        LocalFault: there is none; the line says which name is close.
    """
    text = str(name_or_path)
    path = Path(text)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith(".toml"):
        if path.is_file():
            return path
        if "/" in text or isinstance(name_or_path, Path):
            raise LocalFault(f"{text[:200]}: {'not a file' if path.exists() else 'no such file'}")
    known = {file.stem: file for file in scenario_files()}
    name = text.removesuffix(".toml")
    if name in known:
        return known[name]
    if path.is_file():
        return path
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise LocalFault(f"no scenario {text[:80]!r}: {hint}`rozaneh lab list` shows them; a path of a file works too")
