"""From a parsed TOML table to the structs: one walk over their types, with errors that name the place.

The types say everything: a field's annotation names the kind of its value (:mod:`rozaneh.lab.scenario.kinds`), a
class may name a ``shorthand`` (the key meant when a plain value stands where a table is expected) and further
spellings of its keys in ``also``. A list may be given as its only item. Rules and other repeated tables are counted
from 1.
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect as types

from rozaneh.core import LocalFault
from rozaneh.lab.scenario.kinds import KINDS
from rozaneh.lab.scenario.quantity import Misread, shown

_MOST_ITEMS = 10_000
_DEEPEST = 24


class _Wrong(Exception):
    def __init__(self, path: str, text: str) -> None:
        super().__init__(text)
        self.path = path
        self.text = text


def read_as(form: Any, value: Any, path: str = "") -> Any:
    """Read a value from TOML as one of the structs (or any annotated type).

    Args:
        form: the type wanted.
        value: what the TOML parser gave.
        path: the place of the value, for errors.

    Raises:
        LocalFault: one line, ``path: what is wrong``.
    """
    return read_form(type_of(form), value, path)


def read_form(form: types.Type, value: Any, path: str = "") -> Any:
    """As :func:`read_as`, for a type that msgspec has already described."""
    try:
        return _read(form, value, path, {}, 0)
    except _Wrong as wrong:
        raise LocalFault(f"{wrong.path}: {wrong.text}" if wrong.path else wrong.text) from None


@cache
def type_of(form: Any) -> types.Type:
    """What msgspec says about a type."""
    return types.type_info(form)


def below(path: str, key: str) -> str:
    """The path of a key of the table at ``path``; keys that are not plain words are quoted."""
    shown_key = key if re.match(r"[A-Za-z0-9_-]{1,60}\Z", key) else shown(key)
    return f"{path}.{shown_key}" if path else shown_key


def _read(form: types.Type, value: Any, path: str, options: Mapping[str, Any], depth: int) -> Any:
    if depth > _DEEPEST:
        raise _Wrong(path, f"tables stand in tables more than {_DEEPEST} deep")
    kind = options.get("kind")
    if isinstance(form, types.Metadata):
        return _read(form.type, value, path, {**options, **(form.extra or {})}, depth)
    if isinstance(form, types.UnionType):
        return _read_union(form, value, path, options, depth)
    if kind is not None:
        try:
            return KINDS[kind].read(value, options)
        except Misread as error:
            raise _Wrong(path, str(error)) from None
    return _READERS[type(form)](form, value, path, depth)


def _read_union(form: types.UnionType, value: Any, path: str, options: Mapping[str, Any], depth: int) -> Any:
    choices = [choice for choice in form.types if not isinstance(choice, types.NoneType)]
    if len(choices) == 1:
        return _read(choices[0], value, path, options, depth + 1)
    texts = []
    for choice in choices:
        try:
            return _read(choice, value, path, options, depth + 1)
        except _Wrong as wrong:
            texts.append(wrong.text)
    if all(text.startswith("expected ") for text in texts):
        wanted = " or ".join(text.removeprefix("expected ").split(", got ")[0].split("; got ")[0] for text in texts)
        raise _Wrong(path, f"expected {wanted}, got {shown(value)}")
    raise _Wrong(path, texts[0])


def _read_struct(form: types.StructType, value: Any, path: str, depth: int) -> Any:
    if not isinstance(value, Mapping):
        value = _spelled_out(form, value, path)
    fields = {field.encode_name: field for field in form.fields}
    also: Mapping[str, str] = getattr(form.cls, "also", {})
    found: dict[str, Any] = {}
    for key, item in value.items():
        field = fields.get(also.get(key, key))
        if field is None:
            raise _Wrong(below(path, key), _unknown(key, [*fields, *also] if _close(key, [*also]) else [*fields]))
        if field.name in found:
            raise _Wrong(below(path, key), f"given twice, also as {field.encode_name}")
        optional = isinstance(field.type, types.UnionType) and any(
            isinstance(choice, types.NoneType) for choice in field.type.types
        )
        if item is False and optional and not _takes_bool(field.type):
            continue
        found[field.name] = _read(field.type, item, below(path, key), {}, depth + 1)
    for field in form.fields:
        if field.required and field.name not in found:
            raise _Wrong(below(path, field.encode_name), f"missing; expected {describe(field.type)}")
    return form.cls(**found)


def _takes_bool(form: types.Type) -> bool:
    choices = form.types if isinstance(form, types.UnionType) else (form,)
    return any(isinstance(choice, types.BoolType) for choice in choices)


def _spelled_out(form: types.StructType, value: Any, path: str) -> Mapping[str, Any]:
    """The table that a plain value in place of a table means."""
    shorthand = getattr(form.cls, "shorthand", None)
    needed = [field.encode_name for field in form.fields if field.required]
    if value is True and not needed:
        return {}
    if form.cls.__name__ == "Action" and isinstance(value, str):
        return {value: True}
    if shorthand is None or isinstance(value, bool | Mapping):
        keys = ", ".join(field.encode_name for field in form.fields)
        raise _Wrong(path, f"expected a table with some of: {keys}; got {shown(value)}")
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        raise _Wrong(path, "expected one table, got a list of tables")
    return {shorthand: value}


def _close(key: str, known: list[str]) -> list[str]:
    return difflib.get_close_matches(key, known, n=1, cutoff=0.7)


def _unknown(key: str, known: list[str]) -> str:
    close = _close(key.lower().replace("-", "_"), known)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"unknown key; {hint}expected one of: {', '.join(known)}"


def _read_list(form: Any, value: Any, path: str, depth: int) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        return (_read(form.item_type, value, path, {}, depth + 1),)
    if len(value) > _MOST_ITEMS:
        raise _Wrong(path, f"expected at most {_MOST_ITEMS} items, got {len(value)}")
    if not value:
        raise _Wrong(path, "expected at least one item, got an empty list")
    return tuple(_read(form.item_type, item, f"{path}[{at}]", {}, depth + 1) for at, item in enumerate(value, 1))


def _read_dict(form: types.DictType, value: Any, path: str, depth: int) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _Wrong(path, f"expected a table, got {shown(value)}")
    found = {}
    for key, item in value.items():
        name = _read(form.key_type, key, below(path, key), {}, depth + 1)
        found[name] = _read(form.value_type, item, below(path, key), {}, depth + 1)
    return found


def _read_literal(form: types.LiteralType, value: Any, path: str, _depth: int) -> Any:
    for choice in form.values:
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    if isinstance(value, int | float) and not isinstance(value, bool) and str(value) in form.values:
        return str(value)
    if isinstance(value, str):
        plain = value.lower().replace("_", "-").replace(" ", "-")
        for choice in form.values:
            if isinstance(choice, str) and plain == choice.lower().replace("_", "-"):
                return choice
    raise _Wrong(path, f"expected {describe(form)}; got {shown(value)}")


def _read_enum(form: types.EnumType, value: Any, path: str, _depth: int) -> Any:
    try:
        return form.cls(value)
    except ValueError:
        raise _Wrong(path, f"expected {describe(form)}; got {shown(value)}") from None


def _read_number(form: types.IntType | types.FloatType, value: Any, path: str, _depth: int) -> float:
    whole = isinstance(form, types.IntType)
    good = isinstance(value, int) or (isinstance(value, float) and (not whole or value.is_integer()))
    if not good or isinstance(value, bool) or not math.isfinite(value):
        raise _Wrong(path, f"expected {describe(form)}, got {shown(value)}")
    low, high = form.ge, form.le
    if (low is not None and value < low) or (high is not None and value > high):
        raise _Wrong(path, f"expected {describe(form)}, got {shown(value)}")
    return int(value) if whole else float(value)


def _read_text(form: types.StrType, value: Any, path: str, _depth: int) -> str:
    if not isinstance(value, str):
        raise _Wrong(path, f"expected {describe(form)}, got {shown(value)}")
    if form.pattern and not re.search(form.pattern, value):
        raise _Wrong(path, f"expected a text that fits {form.pattern}, got {shown(value)}")
    if not (form.min_length or 0) <= len(value) <= (form.max_length or 65536):
        raise _Wrong(
            path, f"expected {form.min_length or 0} to {form.max_length or 65536} characters, got {len(value)}"
        )
    return value


def _read_bool(_form: types.BoolType, value: Any, path: str, _depth: int) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(path, f"expected true or false, got {shown(value)}")
    return value


_READERS: Mapping[type, Callable[[Any, Any, str, int], Any]] = {
    types.StructType: _read_struct,
    types.VarTupleType: _read_list,
    types.ListType: lambda form, value, path, depth: list(_read_list(form, value, path, depth)),
    types.DictType: _read_dict,
    types.LiteralType: _read_literal,
    types.EnumType: _read_enum,
    types.IntType: _read_number,
    types.FloatType: _read_number,
    types.StrType: _read_text,
    types.BoolType: _read_bool,
}


def describe(form: types.Type, options: Mapping[str, Any] | None = None) -> str:
    """A type as the reference and errors name it."""
    options = options or {}
    if isinstance(form, types.Metadata):
        return describe(form.type, {**options, **(form.extra or {})})
    if "kind" in options:
        return _describe_kind(options)
    if isinstance(form, types.UnionType):
        choices = [choice for choice in form.types if not isinstance(choice, types.NoneType)]
        return " or ".join(describe(choice, options) for choice in choices)
    if isinstance(form, types.VarTupleType | types.ListType):
        inner = describe(form.item_type)
        return f"{inner}; one or a list"
    if isinstance(form, types.LiteralType):
        return "one of: " + ", ".join(str(choice) for choice in form.values)
    if isinstance(form, types.EnumType):
        return "one of: " + ", ".join(str(member.value) for member in form.cls)
    if isinstance(form, types.IntType | types.FloatType):
        return ("a whole number" if isinstance(form, types.IntType) else "a number") + _bounds(form.ge, form.le)
    if isinstance(form, types.DictType):
        return f"a table of names, each with {describe(form.value_type)}"
    if isinstance(form, types.StructType):
        return f"a table ({form.cls.__name__})"
    return {types.StrType: "a text", types.BoolType: "true or false"}.get(type(form), "a value")


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" {low:g}..{high:g}"
    return f" of at least {low:g}" if low is not None else ""


def _describe_kind(options: Mapping[str, Any]) -> str:
    says = KINDS[options["kind"]].says
    if options["kind"] != "numbers":
        return says
    high = options.get("high")
    named = ", or by name (" + ", ".join(options["names"]) + ")" if "names" in options else ""
    return f"numbers ({options['unit']}{f', up to {high}' if high is not None else ''}{named})"


def encoded_name(form: type[msgspec.Struct], name: str) -> str:
    """How a field is spelt in a file, e.g. ``from`` for ``from_``."""
    return dict(zip(form.__struct_fields__, form.__struct_encode_fields__, strict=True))[name]
