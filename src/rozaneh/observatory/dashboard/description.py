"""What machines can read here, described as OpenAPI 3.1 does: addresses, and what an answer must be like."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rozaneh.diagnosis.verdict import Mechanism
from rozaneh.observatory.events.event import Found
from rozaneh.observatory.events.sentences import CHANGES, KINDS, STATES
from rozaneh.words import LANGUAGES

_Schema = dict[str, Any]

_HERE: Final = "#/components/schemas/"
_MOMENT: Final = {"type": "string", "format": "date-time"}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}
_COUNTRY: Final = {"type": "string", "pattern": "^[A-Z]{2}$", "description": "ISO 3166-1; ZZ where it is not known"}
_TALLY: Final = {
    "measurements": {"type": "integer", "minimum": 5, "multipleOf": 5, "description": "about so many"},
    "sources": {"type": "integer", "minimum": 2, "description": "at least so many independent ones"},
    "failing": {**_SHARE, "description": "share that does not get through, for a reason that lies on the path"},
    "blocked": {**_SHARE, "description": "share that a rule calls blocked"},
    "throttled": {**_SHARE, "description": "share that is slowed down"},
    "refused": {**_SHARE, "description": "share that the service itself turns away"},
}
_MECHANISM: Final = {"enum": sorted(Mechanism), "description": "what mostly keeps it from getting through; else absent"}


def description(where: str = "") -> _Schema:
    """The description.

    Args:
        where: the address under which everything stands; empty where it is not known, as at the top of a host.
    """
    told: _Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "Rozaneh observatory", "version": "1",
            "description": "Figures behind which fewer than five measurements or a single source stand are left out, "
            "counts are rounded to fives, shares are shares of such counts, there are at least as many sources as is "
            "said, and what is too little beside what is shown of the same total counts nowhere. "
            "Times are ISO 8601, UTC.",
        },
        "paths": _paths(),
        "components": {"schemas": _schemas()},
    }  # fmt: skip
    return told | ({"servers": [{"url": where.rstrip("/")}]} if where else {})


def _paths() -> _Schema:
    """Every address for machines but that of the description."""
    country = _named("country", _COUNTRY)
    event = _named("id", {"type": "string", "pattern": "^[A-Za-z0-9-]{1,80}$", "description": "of an event"})
    language = _named("language", {"enum": list(LANGUAGES), "description": "language of the feed"})
    text = {"type": "string"}
    paths = {
        "/data/countries.json": _answer("countries", "Countries with enough to show", _many("Country")),
        "/data/events.json": _answer("events", "All events", _many("ListedEvent")),
        "/data/events.csv": _answer("eventsTable", "All events, for spreadsheets", text, "text/csv"),
        "/data/events/{id}.json": {"parameters": [event]}
        | _answer("event", "One event with its evidence", {"$ref": f"{_HERE}CitedEvent"}),
        "/feed.{language}.atom": {"parameters": [language]}
        | _answer("feed", "The newest events as a feed (RFC 4287)", text, "application/atom+xml"),
    }
    for what, of, means in (("hours", "Hour", "Each hour of a country, UTC"),
                            ("services", "Service", "Each service on each network, of all days")):  # fmt: skip
        for form, schema, kind in (("json", _many(of), "application/json"), ("csv", text, "text/csv")):
            answer = _answer(f"{what}{'Table' if form == 'csv' else ''}", means, schema, kind)
            paths[f"/data/{{country}}/{what}.{form}"] = {"parameters": [country]} | answer
    return paths


def _answer(name: str, means: str, schema: Mapping[str, object], kind: str = "application/json") -> _Schema:
    return {"get": {"operationId": name, "summary": means, "responses": {
        "200": {"description": means, "content": {kind: {"schema": schema}}},
        "404": {
            "description": "There is no such thing, or too little is known of it to publish.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
    }}}  # fmt: skip


def _named(name: str, schema: Mapping[str, object]) -> _Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _many(of: str) -> _Schema:
    return {"type": "array", "items": {"$ref": f"{_HERE}{of}"}}


def _schemas() -> _Schema:
    """Events from the types that they are made of, so that the two cannot differ; what is counted, as it is written."""
    _, made = msgspec.json.schema_components([Found], ref_template=f"{_HERE}{{name}}")
    for schema in made.values():
        schema |= {"description": schema["description"].partition("\n")[0], "required": [*schema["properties"]]}
        schema["additionalProperties"] = False
    event, evidence = made["Event"]["properties"], made["Evidence"]["properties"]
    event |= {
        "kind": {"enum": [*KINDS]}, "country": _COUNTRY, "confidence": _SHARE, "mechanism": {"enum": sorted(Mechanism)},
        "hours": {"anyOf": [
            {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 23}}, {"type": "null"}
        ]},
    }  # fmt: skip
    event["hours"]["description"] = "of a curfew: hours of the local day in which it is in force"
    event["samples"]["description"] = "about so many measurements, or samples of signals"
    event["sources"]["description"] = "at least so many independent ones, or signals that fell"
    evidence |= {
        "state": {"enum": [*STATES]},
        "would_change": {"type": "array", "items": {"enum": [*CHANGES]}},
        "began_between": {
            "anyOf": [{"type": "array", "items": _MOMENT, "minItems": 2, "maxItems": 2}, {"type": "null"}]
        },
    }
    name = {"type": "string", "description": "stays the same"}
    return made | {
        "ListedEvent": _whole({"id": name, **event}),
        "CitedEvent": _whole({"id": name, "found": {"$ref": f"{_HERE}Found"}}),
        "Country": _whole({"country": _COUNTRY, "first": _MOMENT, "last": _MOMENT, **_TALLY}),
        "Hour": _whole({"hour": _MOMENT, **_TALLY}),
        "Service": _whole({
            "subject": {"type": "string", "description": "a service, or a host name that belongs to none"},
            "asn": {"type": "integer", "minimum": 0, "description": "number of an autonomous system"}, **_TALLY,
        }, mechanism=_MECHANISM),
    }  # fmt: skip


def _whole(properties: _Schema, **optional: Mapping[str, object]) -> _Schema:
    """An object of exactly these, and perhaps those."""
    return {
        "type": "object", "properties": properties | optional, "required": [*properties], "additionalProperties": False
    }  # fmt: skip
