"""``vary``: a documented range becomes one scenario per value."""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect as types

from rozaneh.core import LocalFault
from rozaneh.lab.scenario.model import Rule, Scenario, Varied
from rozaneh.lab.scenario.read import below, read_form, type_of

_TOKEN = re.compile(r"([A-Za-z0-9_-]+)|\[(\d{1,4})\]")
_MOST_VARIANTS = 64


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of values.

    Attributes:
        label: the choice as text, ``state.residual=60``; empty for a scenario that varies nothing.
        values: the choice by full path.
        scenario: the scenario with these values in place and its ``vary`` tables gone.
    """

    label: str
    values: dict[str, Varied]
    scenario: Scenario


def variants(scenario: Scenario) -> tuple[Variant, ...]:
    """One scenario per combination of varied values; the scenario itself where nothing varies.

    Raises:
        LocalFault: a path leads nowhere, a value does not fit there, or there are too many combinations.
    """
    axes: dict[str, tuple[Varied, ...]] = dict(varied_paths(scenario))
    still = msgspec.structs.replace(
        scenario, vary={}, rules=tuple(msgspec.structs.replace(rule, vary={}) for rule in scenario.rules)
    )
    count = 1
    for choices in axes.values():
        count *= len(choices)
    if count > _MOST_VARIANTS:
        raise LocalFault(f"vary: expected at most {_MOST_VARIANTS} combinations, got {count}")
    found = []
    for choice in itertools.product(*axes.values()):
        values = dict(zip(axes, choice, strict=True))
        changed = still
        for path, value in values.items():
            changed = with_value(changed, path, value)
        label = ", ".join(f"{_short(path, len(scenario.rules))}={_plain(value)}" for path, value in values.items())
        found.append(Variant(label=label, values=values, scenario=changed))
    return tuple(found)


def varied_paths(scenario: Scenario) -> Iterator[tuple[str, tuple[Varied, ...]]]:
    """All varied values by full path, those of single rules included."""
    yield from scenario.vary.items()
    for at, rule in enumerate(scenario.rules, 1):
        for key, values in rule.vary.items():
            yield f"rule[{at}].{_path_in_rule(rule, key, f'rule[{at}].vary')}", values


def with_value(scenario: Scenario, path: str, value: Any) -> Scenario:
    """The scenario with one value replaced, read as if it had stood in the file.

    Raises:
        LocalFault: the path leads nowhere, or the value does not fit there.
    """
    changed: Scenario = _with(scenario, type_of(Scenario), _tokens(path), value, path)
    return changed


def value_at(scenario: Scenario, path: str) -> Any:
    """What stands at a path; ``None`` where nothing was said.

    Raises:
        LocalFault: no file can have such a path.
    """
    node: Any = scenario
    form: types.Type = type_of(Scenario)
    for token in _tokens(path):
        form = _plain_form(form)
        node, form = _step(node, form, token, path)
    return node


def _tokens(path: str) -> list[str | int]:
    found: list[str | int] = []
    at = 0
    while at < len(path):
        if path[at] == ".":
            at += 1
            continue
        token = _TOKEN.match(path, at)
        if token is None:
            raise LocalFault(f"{path[:80]}: not a path; expected something like rule[1].state.residual")
        found.append(token[1] if token[1] is not None else int(token[2]))
        at = token.end()
    if not found or len(found) > 16:
        raise LocalFault(f"{path[:80]}: not a path; expected something like rule[1].state.residual")
    return found


def _plain_form(form: types.Type) -> types.Type:
    while isinstance(form, types.Metadata):
        form = form.type
    if isinstance(form, types.UnionType):
        choices = [choice for choice in form.types if not isinstance(choice, types.NoneType)]
        return _plain_form(choices[0])
    return form


def _field(form: types.StructType, token: str | int, path: str) -> types.Field:
    also: Mapping[str, str] = getattr(form.cls, "also", {})
    for field in form.fields:
        if isinstance(token, str) and field.encode_name == also.get(token, token):
            return field
    raise LocalFault(f"{path}: leads nowhere; {form.cls.__name__} has: {', '.join(f.encode_name for f in form.fields)}")


def _step(node: Any, form: types.Type, token: str | int, path: str) -> tuple[Any, types.Type]:
    if isinstance(form, types.StructType):
        field = _field(form, token, path)
        return getattr(node, field.name, None), field.type
    if isinstance(form, types.VarTupleType) and isinstance(token, int):
        if node is None or not 1 <= token <= len(node):
            raise LocalFault(f"{path}: leads nowhere; there are {len(node or ())} of these, counted from 1")
        return node[token - 1], form.item_type
    if isinstance(form, types.DictType):
        return (node or {}).get(str(token)), form.value_type
    raise LocalFault(f"{path}: leads nowhere; nothing stands below there")


def _with(node: Any, form: types.Type, tokens: list[str | int], value: Any, path: str) -> Any:
    if not tokens:
        return read_form(form, value, path)
    plain = _plain_form(form)
    token, rest = tokens[0], tokens[1:]
    if node is None and isinstance(plain, types.StructType) and all(isinstance(t, str) for t in tokens):
        nested = value
        for key in reversed(tokens):
            nested = {key: nested}
        return read_form(plain, nested, path.removesuffix("." + ".".join(map(str, tokens))))
    child, child_form = _step(node, plain, token, path)
    changed = _with(child, child_form, rest, value, path)
    if isinstance(plain, types.StructType):
        return msgspec.structs.replace(node, **{_field(plain, token, path).name: changed})
    if isinstance(token, int):
        return (*node[: token - 1], changed, *node[token:])
    return {**(node or {}), str(token): changed}


def _path_in_rule(rule: Rule, key: str, place: str) -> str:
    """The path below the rule that a key of its ``vary`` table means: a path, or the last part of one."""
    fields = {field.encode_name for field in _struct(type_of(Rule)).fields}
    if "." in key or "[" in key or key in fields:
        return key
    found = list(_paths_named(rule, type_of(Rule), key, 0))
    present = [path for path, given in found if given]
    chosen = present or [path for path, _ in found]
    shallow = [path for path in chosen if path.count(".") == min(other.count(".") for other in chosen)]
    if len(shallow) == 1:
        return shallow[0]
    if not found:
        raise LocalFault(f"{below(place, key)}: leads nowhere; expected a path such as state.residual")
    raise LocalFault(f"{below(place, key)}: could mean {' or '.join(sorted(shallow)[:4])}; write the path")


def _struct(form: types.Type) -> types.StructType:
    plain = _plain_form(form)
    assert isinstance(plain, types.StructType)  # noqa: S101 - a caller's contract, also for the type checker
    return plain


def _paths_named(node: Any, form: types.Type, key: str, depth: int) -> Iterator[tuple[str, bool]]:
    for field in _struct(form).fields:
        child = getattr(node, field.name, None)
        if field.encode_name == key:
            yield field.encode_name, child is not None
        if isinstance(_plain_form(field.type), types.StructType) and depth < 4:
            for path, given in _paths_named(child, field.type, key, depth + 1):
                yield f"{field.encode_name}.{path}", given and child is not None


def _short(path: str, rules: int) -> str:
    return path.removeprefix("rule[1].") if rules == 1 else path


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
