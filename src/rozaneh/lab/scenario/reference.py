"""The printed reference of the scenario language, made from the structs themselves.

Whatever can be written is said here: keys, types, defaults and meanings come from the annotations and docstrings of the
structs, so that the reference cannot fall behind. Somebody who has read it and nothing else can write a scenario.
"""

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect as types

from rozaneh.core import Failure
from rozaneh.lab.scenario.examples import EXAMPLES
from rozaneh.lab.scenario.kinds import KINDS, OUTCOMES
from rozaneh.lab.scenario.model import Expect, ExpectedVerdict, Knob, Rule, Scenario, Source, Varied
from rozaneh.lab.scenario.read import describe, type_of
from rozaneh.lab.scenario.reference_text import AFTERWORD, FOREWORD, PLACES, RUNNING
from rozaneh.lab.topology import World, default_world

_TABLES: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("the file", Scenario),
    ("[[source]]", Source),
    ("[[knob]]", Knob),
    ("[[rule]]", Rule),
    ("[[expect]]", Expect),
    ("[[verdict]]", ExpectedVerdict),
)
_DEEP = ("clock", "match", "state", "action")
_RECURSIVE = {"match.any", "match.all", "match.not", "state.residual.action"}


def reference() -> str:
    """The whole language as Markdown."""
    parts = [FOREWORD, _values(), "## Tables and keys\n"]
    seen: dict[type[msgspec.Struct], str] = {}
    for title, form in _TABLES:
        parts.append(_table(f"`{title}`" if title.startswith("[") else "The file itself", form))
        if form is Scenario:
            parts += _below("clock", type_of(Scenario), "", seen)
        if form is Rule:
            for name in _DEEP:
                parts += _below(name, type_of(Rule), "", seen)
    parts += [_world(), _outcomes(), PLACES, _inhabitants(), RUNNING, "## Five worked examples\n"]
    parts += [f"```toml\n{example}```\n" for example in EXAMPLES]
    parts.append(AFTERWORD)
    return "\n".join(parts)


def field_texts(form: type[msgspec.Struct]) -> Mapping[str, str]:
    """The meaning of each field, from the ``Attributes`` of the class's docstring."""
    text = inspect.cleandoc(form.__doc__ or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        begins = re.match(r" {4}(\w+): (.*)", line)
        if begins:
            name = begins[1]
            found[name] = begins[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


def summary(form: type[msgspec.Struct]) -> str:
    """What the class's docstring says before its attributes."""
    return inspect.cleandoc(form.__doc__ or "").partition("Attributes:\n")[0].strip()


def _table(title: str, form: type[msgspec.Struct], level: int = 3) -> str:
    lines = [f"{'#' * level} {title}\n", _one_line(summary(form)), ""]
    shorthand = getattr(form, "shorthand", None)
    if shorthand is not None:
        lines += [f"A plain value in place of the table means `{shorthand}`.", ""]
    texts = field_texts(form)
    described = type_of(form)
    assert isinstance(described, types.StructType)  # noqa: S101 - every class listed here is a struct
    for field in described.fields:
        kind = f"{_kind(field.type)}{_default(field)}"
        lines.append(f"- `{field.encode_name}` ({kind}): {texts.get(field.name, '')}".rstrip())
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _kind(form: types.Type, options: Mapping[str, Any] | None = None) -> str:
    """A short name of a type, as the section on values explains it."""
    options = options or {}
    if form == type_of(Varied):
        return "any value"
    if isinstance(form, types.Metadata):
        return _kind(form.type, {**options, **(form.extra or {})})
    if "kind" in options:
        return _kind_name(options)
    if isinstance(form, types.UnionType):
        return " or ".join(_kind(choice, options) for choice in form.types if not isinstance(choice, types.NoneType))
    if isinstance(form, types.VarTupleType | types.ListType):
        return f"{_kind(form.item_type)}; one or a list"
    if isinstance(form, types.StructType):
        return "a table"
    if isinstance(form, types.DictType):
        return f"a table of names, each with {_kind(form.value_type)}"
    if isinstance(form, types.LiteralType):
        return "one of " + ", ".join(f"`{choice}`" for choice in form.values)
    return describe(form, options)


def _kind_name(options: Mapping[str, Any]) -> str:
    kind = options["kind"]
    if kind != "numbers":
        return f"*{kind.replace('_', ' ')}*"
    high = f", 0 to {options['high']}" if "high" in options else ""
    names = ", or a name: " + ", ".join(f"`{name}`" for name in options["names"]) if "names" in options else ""
    return f"*numbers* ({options['unit']}{high}{names})"


def _default(field: types.Field) -> str:
    if field.required:
        return ", required"
    value = field.default
    if value is msgspec.NODEFAULT or value is None or value in ((), "") or isinstance(value, msgspec.Struct):
        return ""
    if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
        value = value[0]
    return f", default {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, bytes):
        return "empty"
    if isinstance(value, tuple):
        return "`[" + ", ".join(_toml(item).strip("`") for item in value) + "]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _struct_in(form: types.Type) -> type[msgspec.Struct] | None:
    if isinstance(form, types.Metadata):
        return _struct_in(form.type)
    if isinstance(form, types.UnionType):
        found = [_struct_in(choice) for choice in form.types]
        return next((struct for struct in found if struct is not None), None)
    if isinstance(form, types.VarTupleType):
        return _struct_in(form.item_type)
    if isinstance(form, types.DictType):
        return _struct_in(form.value_type)
    return form.cls if isinstance(form, types.StructType) else None


def _below(name: str, form: types.Type, path: str, seen: dict[type[msgspec.Struct], str]) -> list[str]:
    """The tables of one field (of all, without a name), and those in them; each form of table in full once."""
    if not isinstance(form, types.StructType):
        return []
    found = []
    for field in form.fields:
        struct = _struct_in(field.type)
        full = f"{path}.{field.encode_name}" if path else field.encode_name
        if (name and field.encode_name != name) or struct is None or full in _RECURSIVE:
            continue
        if struct in seen:
            found.append(f"#### `{full}`\n\nThe same keys as `{seen[struct]}`.\n")
            continue
        seen[struct] = full
        found.append(_table(f"`{full}`", struct, 4 if "." in full else 3))
        found += _below("", type_of(struct), full, seen)
    return found


def _values() -> str:
    lines = ["## Values\n", "Words in *italics* in the tables below name these sorts of values:\n"]
    lines += [f"- *{name.replace('_', ' ')}*: {kind.says}." for name, kind in KINDS.items()]
    return "\n".join(lines) + "\n"


def _world() -> str:
    parts = [
        "### `[world]`: additions to the lab's world\n",
        (
            "Hosts, services, networks and names that are added to the lab's own; where both name the same thing, the "
            "file's wins. A name under `world.names` or `world.service` replaces all addresses of that name.\n"
        ),
        _table("`[world]`", World, 4),
    ]
    parts += _below("", type_of(World), "world", {})
    text = importlib.import_module("rozaneh.lab.world").__doc__ or ""
    table = text.partition("=====\n")[2].rpartition("\n====")[0]
    parts.append("Kinds of services, with their options:\n\n```text\n" + table.strip("\n") + "\n```\n")
    return "\n".join(parts)


def _outcomes() -> str:
    return (
        "### Outcomes and mechanisms\n\n"
        f"`expect.outcome`: {', '.join(f'`{name}`' for name in OUTCOMES)}; or a failure in OONI's words: "
        f"{', '.join(f'`{failure}`' for failure in Failure)}. `failure` stands for any of these.\n"
    )


def _inhabitants() -> str:
    world = default_world()
    lines = ["### Who is in the lab\n", "Networks (for `network`, `asn`, and addresses):\n"]
    for name, network in world.network.items():
        lines.append(f"- `{name}`: AS{network.asn}, {', '.join(network.prefixes)}")
    lines += ["\nHosts (`at = HOST` puts a box right before one):\n"]
    for name, host in world.host.items():
        lines.append(f"- `{name}` ({host.zone.value}, {host.link.delay_ms:g} ms): {', '.join(host.addresses[:4])}")
    lines += ["\nNames and services:\n"]
    lines += list(_service_lines(world))
    return "\n".join(lines) + "\n"


def _service_lines(world: World) -> Iterator[str]:
    for service in world.service:
        names = ", ".join(f"`{name}`" for name in service.names[:6]) or "(no name)"
        options = ", ".join(f"{key} {value}" for key, value in service.options.items())
        ports = f", ports {', '.join(map(str, service.ports))}" if service.ports else ""
        more = f" ({options})" if options else ""
        yield f"- {names}: {service.kind} at {', '.join(service.addresses[:3])}{ports}{more}"
    for name, addresses in world.names.items():
        yield f"- `{name}`: {', '.join(addresses[:3])} (nothing listens, or another service)"


def json_schema() -> dict[str, Any]:
    """The language as JSON Schema (draft 2020-12), for editors that check TOML."""
    definitions: dict[str, Any] = {}
    root = _schema(type_of(Scenario), {}, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rozaneh lab scenario",
        **root,
        "$defs": definitions,
    }


def _schema(form: types.Type, options: Mapping[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(form, types.Metadata):
        return _schema(form.type, {**options, **(form.extra or {})}, definitions)
    if "kind" in options:
        return dict(KINDS[options["kind"]].schema)
    if isinstance(form, types.UnionType):
        choices = [_schema(one, options, definitions) for one in form.types if not isinstance(one, types.NoneType)]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if isinstance(form, types.VarTupleType | types.ListType):
        item = _schema(form.item_type, {}, definitions)
        return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}
    if isinstance(form, types.DictType):
        return {"type": "object", "additionalProperties": _schema(form.value_type, {}, definitions)}
    if isinstance(form, types.StructType):
        return _struct_schema(form, definitions)
    return _leaf_schema(form)


def _struct_schema(form: types.StructType, definitions: dict[str, Any]) -> dict[str, Any]:
    name = f"{form.cls.__module__.rpartition('.')[2]}.{form.cls.__name__}"
    link = {"$ref": f"#/$defs/{name}"}
    if name not in definitions:
        table: dict[str, Any] = {"type": "object", "additionalProperties": False, "description": summary(form.cls)}
        definitions[name] = table
        texts = field_texts(form.cls)
        described = type_of(form.cls)
        fields = described.fields if isinstance(described, types.StructType) else ()
        table["properties"] = {
            field.encode_name: {**_schema(field.type, {}, definitions), "description": texts.get(field.name, "")}
            for field in fields
        }
        for other, key in getattr(form.cls, "also", {}).items():
            table["properties"].setdefault(other, table["properties"][key])
        table["required"] = [field.encode_name for field in fields if field.required]
    shorthand = getattr(form.cls, "shorthand", None)
    if shorthand is None and form.cls.__name__ not in ("Action", *_MAY_BE_TRUE):
        return link
    return {"anyOf": [link, {"type": ["string", "number", "boolean", "array"]}]}


_MAY_BE_TRUE = frozenset({"Refuse"})


def _leaf_schema(form: types.Type) -> dict[str, Any]:
    if isinstance(form, types.LiteralType):
        return {"enum": list(form.values)}
    if isinstance(form, types.EnumType):
        return {"enum": [member.value for member in form.cls]}
    if isinstance(form, types.IntType | types.FloatType):
        bounds = {"minimum": form.ge, "maximum": form.le}
        kind = "integer" if isinstance(form, types.IntType) else "number"
        return {"type": kind, **{key: bound for key, bound in bounds.items() if bound is not None}}
    if isinstance(form, types.BoolType):
        return {"type": "boolean"}
    return {"type": "string"}
