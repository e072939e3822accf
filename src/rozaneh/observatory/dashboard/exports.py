"""What machines read: JSON, the columns of CSV, and an Atom feed."""

import datetime as dt
from typing import TYPE_CHECKING, Final
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec

from rozaneh.observatory.dashboard.figures import Country
from rozaneh.observatory.dashboard.tallies import Tally
from rozaneh.observatory.events.event import Found
from rozaneh.observatory.events.sentences import event_lines, what
from rozaneh.words import Words
from rozaneh.words.foreign import escaped

if TYPE_CHECKING:
    from rozaneh.observatory.dashboard.site import Site

TALLY_COLUMNS: Final = ("measurements", "sources", "failing", "blocked", "throttled", "refused")
EVENT_COLUMNS: Final = (
    "id", "kind", "country", "networks", "services", "start", "end", "hours", "mechanism", "confidence", "samples",
    "sources", "rule",
)  # fmt: skip


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
    """JSON, the same bytes for the same value, which a terminal may be shown; times in ISO 8601, UTC."""
    text = msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1).decode()
    return escaped(text).encode() + b"\n"


def atom(site: "Site", words: Words) -> bytes:
    """The newest events as a feed (RFC 4287). An entry's id stays; it has another in another language."""
    where = site.holdings.where
    feed = Element("feed", {"xmlns": _ATOM, "xml:lang": words.language})
    SubElement(feed, "title").text = words.say("Rozaneh observatory: events")
    if site.holdings.simulated:
        SubElement(feed, "subtitle").text = words.say("Simulated: nobody measured this.")
    here = f"{where}feed.{words.language}.atom"
    SubElement(feed, "id").text = here if where else _urn(here)
    newest = sorted(site.events.items(), key=lambda item: (item[1].event.start, item[0]), reverse=True)[:_NEWEST]
    SubElement(feed, "updated").text = _iso(max((_changed(found) for _, found in newest), default=site.holdings.made))
    SubElement(SubElement(feed, "author"), "name").text = "Rozaneh"
    SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": here})
    SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": f"{where}{words.language}/index.html"})
    for name, found in newest:
        entry = SubElement(feed, "entry")
        there = f"{words.language}/events/{name}.html"
        SubElement(entry, "id").text = _urn(there)
        SubElement(entry, "title").text = what(found.event, words)
        SubElement(entry, "updated").text = _iso(_changed(found))
        SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": f"{where}{there}"})
        SubElement(entry, "category", {"term": found.event.kind})
        SubElement(entry, "summary").text = " ".join(event_lines(found, words))
    body: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return body


def _changed(found: Found) -> dt.datetime:
    """When an event last became another: it began, could be known of, or ended."""
    event = found.event
    return max(moment for moment in (event.start, event.end, found.evidence.published) if moment is not None)


def _urn(name: str) -> str:
    """An id that is the same wherever the pages stand (RFC 9562, 5.5): ``urn:rozaneh`` is no registered namespace."""
    return uuid5(NAMESPACE_URL, f"rozaneh:{name}").urn


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
