"""What machines read, held to what it is described as: OpenAPI 3.1, and RFC 4287 for the feeds."""

import csv
import dataclasses
import datetime as dt
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import openapi_spec_validator
import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from rozaneh.observatory.dashboard.site import Holdings, Page, Site
from tests.observatory.dashboard import autumn

ATOM = "{http://www.w3.org/2005/Atom}"
WHERE = "https://observatory.example/rozaneh/"
ONCE = {"id", "title", "updated"}
AT_MOST_ONCE = {"generator", "icon", "logo", "published", "rights", "subtitle", "summary"}
MANY = {"author", "category", "contributor", "entry", "link"}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ABSOLUTE = re.compile(r"https://[^\s/]+/\S*|urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def sites() -> tuple[Site, Site, Site]:
    """One that does not know where it stands, one that does, and one without measurements."""
    here = autumn.site()
    empty = Holdings(*autumn.tables([]), made=autumn.MADE)
    return here, Site(dataclasses.replace(here.holdings, where=WHERE)), Site(empty)


def for_machines(site: Site) -> Iterator[tuple[str, Page]]:
    for path in site.paths():
        if not path.endswith(".html") and (page := site.page(path)) is not None:
            yield path, page


def described_as(description: dict[str, Any], path: str) -> tuple[str, dict[str, Any]]:
    """The kind of answer and the schema that an address is described with."""
    for template, item in description["paths"].items():
        shape = template.lstrip("/")
        for each in item.get("parameters", ()):
            within = each["schema"].get("pattern", f"({'|'.join(each['schema'].get('enum', ()))})").strip("^$")
            shape = shape.replace(f"{{{each['name']}}}", within)
        if re.fullmatch(shape, path):
            ((kind, content),) = item["get"]["responses"]["200"]["content"].items()
            return kind, content["schema"]
    raise AssertionError(f"nothing is said of {path}")


def test_the_description_is_one_and_says_where_it_stands(sites: tuple[Site, Site, Site]) -> None:
    for site, stands in zip(sites, (None, [{"url": WHERE.rstrip("/")}], None), strict=True):
        page = site.page("data/openapi.json")
        assert page is not None
        description = json.loads(page.body)
        openapi_spec_validator.validate(description)
        assert description.get("servers") == stands


def test_every_answer_is_what_the_description_says(sites: tuple[Site, Site, Site]) -> None:
    for site in (sites[0], sites[2]):
        pages = dict(for_machines(site))
        description = json.loads(pages.pop("data/openapi.json").body)
        components = {"components": description["components"]}
        for path, page in pages.items():
            kind, schema = described_as(description, path)
            assert page.kind.partition(";")[0] == kind, path
            found = json.loads(page.body) if kind == "application/json" else page.body.decode()
            holds = OAS31Validator({**schema, **components}, format_checker=oas31_format_checker)
            holds.validate(found)
            row = found[0] if isinstance(found, list) and found else found
            if isinstance(row, dict):  # and nothing less, nothing more, and no moment without its zone
                for wrong in (dict([*row.items()][1:]), {**row, "more": 1}):
                    assert not holds.is_valid([wrong] if isinstance(found, list) else wrong), path
                if "hour" in row:
                    assert not holds.is_valid([{**row, "hour": "2022-09-21 12:00"}])


def test_nothing_is_described_that_is_not_there(sites: tuple[Site, Site, Site]) -> None:
    paths = [path for path, _ in for_machines(sites[0])]
    described = json.loads(dict(for_machines(sites[0]))["data/openapi.json"].body)
    for template in described["paths"]:
        shape = re.sub(r"\\\{\w+\\\}", "[A-Za-z0-9-]+", re.escape(template.lstrip("/")))
        assert any(re.fullmatch(shape, path) for path in paths), template


def test_a_table_holds_what_its_json_holds(sites: tuple[Site, Site, Site]) -> None:
    pages = dict(for_machines(sites[0]))
    for path in ("data/IR/hours", "data/IR/services", "data/events"):
        (header, *lines) = csv.reader(io.StringIO(pages[f"{path}.csv"].body.decode()))
        rows = json.loads(pages[f"{path}.json"].body)
        assert len(lines) == len(rows)
        assert {*rows[0]} <= {*header}


def test_the_feed_holds_what_an_atom_feed_must(sites: tuple[Site, Site, Site]) -> None:
    """RFC 4287: 3.1 texts, 3.3 moments, 4.1 and 4.2 what stands where and how often, 4.2.6 ids, 4.2.7 links."""
    ids: Counter[str] = Counter()
    for site in sites:
        for language in ("en", "fa"):
            page = site.page(f"feed.{language}.atom")
            assert page is not None
            feed = ET.fromstring(page.body)  # noqa: S314 - what we made ourselves
            assert feed.tag == f"{ATOM}feed"
            assert feed.attrib["{http://www.w3.org/XML/1998/namespace}lang"] == language
            entries = feed.findall(f"{ATOM}entry")
            assert len(entries) == len(site.events)
            assert (feed.findtext(f"{ATOM}author/{ATOM}name") or "").strip(), "who wrote all of it"
            for each in (feed, *entries):
                atom_holds(each, site)
            own = [each.findtext(f"{ATOM}id", "") for each in (feed, *entries)]
            assert len({*own}) == len(own)
            if site is sites[0]:
                ids.update(own)
            assert feed.findtext(f"{ATOM}updated") == max(
                (each.findtext(f"{ATOM}updated", "") for each in entries), default="2022-10-12T09:00:00Z"
            )
            (this,) = (link.attrib for link in feed.iterfind(f"{ATOM}link") if link.attrib["rel"] == "self")
            assert this == {
                "rel": "self",
                "type": "application/atom+xml",
                "href": f"{site.holdings.where}feed.{language}.atom",
            }
    assert ids.most_common(1)[0][1] == 1, "what is said in another language is another entry"


def atom_holds(each: ET.Element, site: Site) -> None:
    """What a feed must hold is what an entry must hold; relative links lead to pages, as the site is."""
    named = Counter(child.tag.removeprefix(ATOM) for child in each)
    assert {*named} <= ONCE | AT_MOST_ONCE | MANY
    assert all(named[name] == 1 for name in ONCE)
    assert all(named[name] <= 1 for name in AT_MOST_ONCE)
    for name in ("title", "summary"):
        for text in each.findall(f"{ATOM}{name}"):
            assert (text.text or "").strip()
            assert len(text) == 0, "plain text has no elements"
            assert text.get("type", "text") == "text"
    moment = each.findtext(f"{ATOM}updated", "")
    assert MOMENT.fullmatch(moment)
    assert dt.datetime.fromisoformat(moment).tzinfo is not None
    assert ABSOLUTE.fullmatch(each.findtext(f"{ATOM}id", ""))
    links = [link.attrib for link in each.findall(f"{ATOM}link")]
    alternate = [link for link in links if link["rel"] == "alternate"]
    assert len(alternate) == 1, "without content there is one, and of one type no two"
    assert all(category.attrib["term"] for category in each.findall(f"{ATOM}category"))
    for link in alternate:
        assert link["href"].startswith(site.holdings.where)
        assert site.page(link["href"].removeprefix(site.holdings.where)) is not None
