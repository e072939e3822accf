"""What machines read: JSON, CSV that a spreadsheet cannot be tricked with, an Atom feed, and their description."""

import csv as csv_module
import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec

from rozaneh.observatory.dashboard.figures import Country, Tally
from rozaneh.observatory.events.event import Found
from rozaneh.observatory.events.sentences import what
from rozaneh.words import Words

if TYPE_CHECKING:
    from rozaneh.observatory.dashboard.site import Site

TALLY_COLUMNS: Final = ("measurements", "sources", "failing", "blocked", "throttled", "refused")
EVENT_COLUMNS: Final = (
    "id", "kind", "country", "networks", "services", "start", "end", "hours", "mechanism", "confidence", "samples",
    "sources", "rule",
)  # fmt: skip

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the wide forms, which some spreadsheets take for the same."""

_NEWEST = 50
_ATOM = "http://www.w3.org/2005/Atom"


def tally(of: Tally) -> dict[str, object]:
    """A tally as columns. ``mechanism`` is in it where there is one."""
    row: dict[str, object] = {
        "measurements": of.n, "sources": of.sources, "failing": round(of.failing, 2), "blocked": round(of.blocked, 2),
        "throttled": round(of.throttled, 2), "refused": round(of.refused, 2),
    }  # fmt: skip
    return {**row, "mechanism": of.mechanism} if of.mechanism else row


def country(of: Country) -> dict[str, object]:
    """A country as columns."""
    return {"country": of.code, "first": of.first, "last": of.last, **tally(of.tally)}


def event_row(name: str, found: Found) -> dict[str, object]:
    """An event as columns."""
    return {"id": name, **msgspec.structs.asdict(found.event)}


def as_json(value: object) -> bytes:
    """JSON, the same bytes for the same value; times in ISO 8601, UTC."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1) + b"\n"


def csv(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """CSV (RFC 4180). A cell that a spreadsheet would take for a formula is quoted with an apostrophe (CWE-1236)."""
    out = io.StringIO()
    writer = csv_module.writer(out)
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(column)) for column in columns] for row in rows])
    return out.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, tuple | list):
        return _cell(" ".join(map(str, value)))
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def atom(site: "Site", words: Words) -> bytes:
    """The newest events as a feed (RFC 4287)."""
    where = site.holdings.where
    feed = Element("feed", {"xmlns": _ATOM, "xml:lang": words.language})
    SubElement(feed, "title").text = words.say("Rozaneh observatory: events")
    SubElement(feed, "id").text = f"{where}feed.{words.language}.atom" if where else f"urn:rozaneh:{words.language}"
    newest = sorted(site.events.items(), key=lambda item: (item[1].event.start, item[0]), reverse=True)[:_NEWEST]
    changed = [found.event.end or found.event.start for _, found in newest]
    SubElement(feed, "updated").text = _iso(max(changed, default=site.holdings.made))
    SubElement(SubElement(feed, "author"), "name").text = "Rozaneh"
    SubElement(feed, "link", {"rel": "self", "href": f"{where}feed.{words.language}.atom"})
    SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": f"{where}{words.language}/index.html"})
    for name, found in newest:
        entry = SubElement(feed, "entry")
        SubElement(entry, "id").text = f"urn:rozaneh:event:{name}"
        SubElement(entry, "title").text = what(found.event, words)
        SubElement(entry, "updated").text = _iso(found.event.end or found.event.start)
        there = f"{where}{words.language}/events/{name}.html"
        SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": there})
        SubElement(entry, "summary").text = what(found.event, words)
    body: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return body


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def openapi() -> bytes:
    """The description of what machines can read here (OpenAPI 3.1)."""

    def answer(means: str, kind: str, schema: Mapping[str, object]) -> Mapping[str, object]:
        return {"get": {"summary": means, "responses": {
            "200": {"description": means, "content": {kind: {"schema": schema}}},
            "404": {"description": "There is no such thing, or too little is known of it to publish."},
        }}}  # fmt: skip

    def many(of: Mapping[str, object]) -> Mapping[str, object]:
        return {"type": "array", "items": of}

    def named(name: str, pattern: str, means: str) -> Mapping[str, object]:
        schema = {"type": "string", "pattern": pattern}
        return {"name": name, "in": "path", "required": True, "description": means, "schema": schema}

    country = named("country", "^[A-Z]{2}$", "ISO 3166-1, two capitals; ZZ where unknown")
    event = {"$ref": "#/components/schemas/Event"}
    row = {"$ref": "#/components/schemas/Tally"}
    moment = {"type": "string", "format": "date-time"}
    texts = many({"type": "string"})
    paths: dict[str, object] = {
        "/data/countries.json": answer(
            "Countries with enough to show", "application/json", many({"$ref": "#/components/schemas/Country"})
        ),
        "/data/events.json": answer("All events", "application/json", many(event)),
        "/data/events.csv": answer("All events, for spreadsheets", "text/csv", {"type": "string"}),
        "/data/events/{id}.json": {
            "parameters": [named("id", "^[A-Za-z0-9-]{1,80}$", "id of an event")],
            **answer("One event with its evidence", "application/json", {"type": "object", "properties": {
                "id": {"type": "string"},
                "found": {"type": "object", "properties": {"event": event, "evidence": {"type": "object"}}},
            }}),
        },
        "/feed.{language}.atom": {
            "parameters": [named("language", "^(en|fa)$", "language of the feed")],
            **answer("The newest events as a feed (RFC 4287)", "application/atom+xml", {"type": "string"}),
        },
    }  # fmt: skip
    for what_, means in (("hours", "Each hour of a country"), ("services", "Each service on each network")):
        for form, kind in (("json", "application/json"), ("csv", "text/csv")):
            schema = many(row) if form == "json" else {"type": "string"}
            paths[f"/data/{{country}}/{what_}.{form}"] = {"parameters": [country], **answer(means, kind, schema)}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    return as_json({
        "openapi": "3.1.0",
        "info": {
            "title": "Rozaneh observatory", "version": "1",
            "description": "Figures behind which fewer than five measurements or a single source stand are left out, "
            "counts are rounded to fives, shares of fewer than fifty are shares of such counts, and there are at least "
            "as many sources as is said.",
        },
        "paths": paths,
        "components": {"schemas": {
            "Event": {"type": "object", "required": list(EVENT_COLUMNS), "properties": {
                "id": {"type": "string"}, "kind": {"type": "string"}, "country": {"type": "string"},
                "networks": texts, "services": texts, "start": moment, "end": {"anyOf": [moment, {"type": "null"}]},
                "hours": {"anyOf": [many({"type": "integer", "minimum": 0, "maximum": 23}), {"type": "null"}]},
                "mechanism": {"type": "string"}, "confidence": share,
                "samples": {"type": "integer", "multipleOf": 5, "description": "about"},
                "sources": {"type": "integer", "description": "at least so many"}, "rule": {"type": "string"},
            }},
            "Country": {"allOf": [row, {"type": "object", "properties": {
                "country": {"type": "string"}, "first": moment, "last": moment,
            }}]},
            "Tally": {"type": "object", "properties": {
                "hour": moment, "subject": {"type": "string"}, "asn": {"type": "integer"},
                "measurements": {"type": "integer", "multipleOf": 5},
                "sources": {"type": "integer", "minimum": 2, "description": "at least so many"},
                "failing": share, "blocked": share, "throttled": share, "refused": share,
                "mechanism": {"type": "string"},
            }},
        }},
    })  # fmt: skip
