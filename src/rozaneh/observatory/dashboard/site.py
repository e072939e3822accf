"""The addresses of the site, and what stands at each. The same for a server and for a directory of files."""

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import ibis.expr.types as ir
import msgspec

from rozaneh.observatory.damage import told
from rozaneh.observatory.dashboard import event_view, exports, searching, views
from rozaneh.observatory.dashboard.addresses import name_of, of_service
from rozaneh.observatory.dashboard.description import description
from rozaneh.observatory.dashboard.figures import Country, Figures, Part, Span
from rozaneh.observatory.dashboard.foreseen import foreseen
from rozaneh.observatory.dashboard.method import method
from rozaneh.observatory.dashboard.tallies import at_least, fives
from rozaneh.observatory.events.event import OF_ALL, Event, Found, Withheld
from rozaneh.observatory.events.groups import domestic_subjects
from rozaneh.observatory.spreadsheet import csv
from rozaneh.words import LANGUAGES, Words

FIRST = "fa"
"""The language of the first page."""

_SUBJECT = r"[a-z0-9][a-z0-9.-]{0,99}"
_NEWEST_DAYS = 120
_ASKED = 80
_USUALLY_FAILS = 0.4


@dataclass(frozen=True)
class Holdings:
    """What is shown.

    Attributes:
        cells: the store's table of cells.
        countrywide: its table of cells of all networks together.
        daily: its table of days.
        found: the events.
        withheld: claims that there is not enough for.
        made: when it was put together.
        where: address under which the pages will stand, for feeds and citations; empty where it is not known.
        place: the store on disk, if it is one: what cannot be read there is named.
        simulated: whether some of it was measured by nobody, which every page says.
        searched: whether anybody has looked for events.
        too_large: countries in which nobody could: memory did not hold them.
    """

    cells: ir.Table
    countrywide: ir.Table
    daily: ir.Table
    found: tuple[Found, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    made: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    where: str = ""
    place: Path | None = None
    simulated: bool = False
    searched: bool = True
    too_large: frozenset[str] = frozenset()


class Page(NamedTuple):
    """The bytes at one address."""

    kind: str
    body: bytes


def event_id(event: Event) -> str:
    """A name for an event that stays the same as long as it begins where it begins; fit for an address."""
    whole = repr((event.country, event.kind, event.networks, event.services, event.start, event.mechanism))
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{event.country}-{event.kind.replace('_', '-')}-{event.start:%Y-%m-%d}-{digest}"


def coarse(found: Found) -> Found:
    """An event as it may be shown: to the last measurement, two copies of it would tell when somebody measured."""
    event, evidence = found.event, found.evidence
    share = {name: None if (of := getattr(evidence, name)) is None else _twentieths(of) for name in ("lowest", "usual")}
    # Where signals alone show it, what counts are signals, which are public.
    counts = {} if event.rule.startswith("signal-") else {
        "samples": fives(event.samples), "sources": at_least(event.sources)
    }  # fmt: skip
    # How sure it is comes of the exact number of sources; to three digits it would tell that.
    sure = int(20 * event.confidence) / 20  # of nothing it is quite sure
    return msgspec.structs.replace(
        found,
        event=msgspec.structs.replace(event, confidence=sure, **counts),
        evidence=msgspec.structs.replace(evidence, **share),
    )


def _twentieths(share: float) -> float:
    return round(20 * share) / 20


class Site:
    """All pages of one state of a store.

    Args:
        holdings: what is shown.
        interactive: whether somebody answers requests, so that a search form makes sense.
    """

    def __init__(self, holdings: Holdings, *, interactive: bool = False) -> None:
        self.holdings = holdings
        tables = holdings.cells, holdings.countrywide, holdings.daily
        self.figures = Figures(*tables, foreseen(holdings.place)) if holdings.place else Figures(*tables)
        self.interactive = interactive
        self.words = {language: Words(language) for language in LANGUAGES}
        self.events = {event_id(found.event): coarse(found) for found in holdings.found}
        self._routes: tuple[tuple[re.Pattern[str], Callable[..., Page | None]], ...] = tuple(
            (re.compile(pattern), answer)
            for pattern, answer in (
                (r"index\.html", self._first),
                (r"(en|fa)/index\.html", self._home),
                (r"(en|fa)/search\.html", self._search),
                (r"(en|fa)/method\.html", self._method),
                (r"(en|fa)/data\.html", self._data),
                (r"(en|fa)/events/([A-Za-z0-9-]{1,80})\.html", self._event),
                (r"(en|fa)/([A-Z]{2})/index\.html", self._country),
                (r"(en|fa)/([A-Z]{2})/(\d{4}-\d{2})\.html", self._month),
                (r"(en|fa)/([A-Z]{2})/AS(\d{1,10})\.html", self._network),
                (rf"(en|fa)/([A-Z]{{2}})/service/(_?{_SUBJECT})\.html", self._service),
                (r"feed\.(en|fa)\.atom", self._feed),
                (r"data/openapi\.json", self._openapi),
                (r"data/countries\.json", self._countries_json),
                (r"data/events\.(json|csv)", self._events_data),
                (r"data/events/([A-Za-z0-9-]{1,80})\.json", self._event_json),
                (r"data/([A-Z]{2})/(hours|services)\.(json|csv)", self._country_data),
            )
        )

    def page(self, path: str, asked: str = "") -> Page | None:
        """What stands at an address, or nothing.

        Args:
            path: the address below the site's top, without a leading slash.
            asked: what was typed into the search form.

        Raises:
            DamagedFile: a file of the store cannot be read.
        """
        with told(self.holdings.place):
            for pattern, answer in self._routes:
                if found := pattern.fullmatch(path):
                    more = {"asked": asked} if answer == self._search else {}
                    return answer(*found.groups(), **more)
        return None

    def missing(self, path: str) -> Page:
        """What is shown at an address where there is nothing, in the language of the address."""
        words = self.words[path[:2] if path[:3] in ("en/", "fa/") else FIRST]
        # As deep as it is asked for, so that its links lead on from there.
        here = "x/" * path.count("/") + "missing.html"
        return self._render(words.language, here, "missing.html", title=words.say("No such page"))

    def paths(self) -> list[str]:
        """Every address.

        Raises:
            DamagedFile: as for :meth:`page`.
        """
        with told(self.holdings.place):
            return [*self._paths()]

    def _paths(self) -> Iterator[str]:
        yield from ("index.html", "data/openapi.json", "data/countries.json", "data/events.json", "data/events.csv")
        yield from (f"data/events/{name}.json" for name in sorted(self.events))
        for country in self.countries.values():
            yield from (
                f"data/{country.code}/{what}.{form}" for what in ("hours", "services") for form in ("csv", "json")
            )
        for language in LANGUAGES:
            yield f"feed.{language}.atom"
            yield from (f"{language}/{name}.html" for name in ("index", "search", "method", "data"))
            yield from (f"{language}/events/{name}.html" for name in sorted(self.events))
            for code in sorted(self.countries):
                yield f"{language}/{code}/index.html"
                yield from (f"{language}/{code}/{month}.html" for month in self.months(code))
                yield from (f"{language}/{code}/AS{asn}.html" for asn in self.networks(code))
                yield from (of_service(language, code, name) for name in self.subjects(code))

    # ---------------------------------------------------------------------------------------------- what there is

    @cached_property
    def countries(self) -> dict[str, Country]:
        """The countries that have a page."""
        found = {country.code: country for country in self.figures.countries()}
        return {code: country for code, country in found.items() if re.fullmatch(r"[A-Z]{2}", code)}

    @cached_property
    def measurements(self) -> int:
        """How many verdicts are shown, about."""
        return sum(country.tally.n for country in self.countries.values())

    def months(self, code: str) -> list[str]:
        """The months of a country, as ``YYYY-MM`` of UTC."""
        country = self.countries[code]
        at, months = country.first.date().replace(day=1), []
        while at <= country.last.date():
            months.append(f"{at:%Y-%m}")
            at = (at + dt.timedelta(days=32)).replace(day=1)
        return months

    def networks(self, code: str) -> list[int]:
        """The networks of a country that have a page, the best known first."""
        found = self.figures.networks(code)
        return sorted(found, key=lambda asn: (-found[asn].n, asn))

    def subjects(self, code: str) -> list[str]:
        """The services and host names of a country that have a page, the best known first."""
        found = self.figures.subjects(code)
        return sorted((name for name in found if re.fullmatch(_SUBJECT, name)), key=lambda name: (-found[name].n, name))

    def usual(self, code: str, span: Span) -> tuple[str, ...]:
        """What is abroad and works most of the time: what is always blocked would hide what happens by the hour.

        What is at home works on through many a cut, and would hide it as well; so would what an event says is blocked.
        """
        found, home = self.figures.subjects(code, span), domestic_subjects(code)
        blocked = {name for each in self._within(code, span) for name in each.event.services}
        usual = {n for n, tally in found.items() if tally.failing < _USUALLY_FAILS and not home(n)}
        return tuple(sorted(usual - blocked or usual))

    def _within(self, code: str, span: Span) -> list[Found]:
        return [
            found
            for found in self.holdings.found
            if found.event.country == code
            if found.event.start < span.end and (found.event.end is None or found.event.end > span.start)
        ]

    def cut_networks(self, code: str, span: Span) -> tuple[int, ...]:
        """The networks on which all was cut at some time of a span, by the events; those that have a page."""
        whole = [found.event for found in self._within(code, span) if found.event.kind in OF_ALL]
        asns = {asn for event in whole for asn in event.asns}
        return tuple(asn for asn in self.networks(code) if asn in asns)

    def withheld(self, code: str) -> list[Withheld]:
        """Claims that there is not enough for, as far as their networks and services have enough to be shown at all."""
        asns, cells = set(self.networks(code)), self.figures.matrix(code)

        def shown(event: Event) -> bool:
            return asns.issuperset(event.asns) and all(
                (name, asn) in cells for name in event.services for asn in event.asns
            )

        return [held for held in self.holdings.withheld if held.event.country == code and shown(held.event)]

    def whole(self, code: str) -> Span:
        """All days of a country."""
        country = self.countries[code]
        return Span(country.first.replace(hour=0), country.last.replace(hour=0) + dt.timedelta(days=1))

    def newest(self, code: str) -> Span:
        """The days that a country's first page shows."""
        span = self.whole(code)
        return Span(max(span.start, span.end - dt.timedelta(days=_NEWEST_DAYS)), span.end)

    # --------------------------------------------------------------------------------------------------- the pages

    def _render(self, language: str, path: str, template: str, **context: object) -> Page:
        return Page("text/html; charset=utf-8", views.render(self, self.words[language], path, template, context))

    def _first(self) -> Page:
        return self._render(FIRST, "index.html", "home.html", **views.home(self, self.words[FIRST]))

    def _home(self, language: str) -> Page:
        return self._render(language, f"{language}/index.html", "home.html", **views.home(self, self.words[language]))

    def _search(self, language: str, asked: str = "") -> Page:
        context = searching.search(self, self.words[language], asked[:_ASKED])
        return self._render(language, f"{language}/search.html", "search.html", **context)

    def _method(self, language: str) -> Page:
        return self._render(language, f"{language}/method.html", "method.html", **method(self.words[language]))

    def _data(self, language: str) -> Page:
        return self._render(language, f"{language}/data.html", "data.html", **views.data(self, self.words[language]))

    def _event(self, language: str, name: str) -> Page | None:
        if name not in self.events:
            return None
        context = event_view.event(self, self.words[language], name, f"{language}/events/{name}.html")
        return self._render(language, f"{language}/events/{name}.html", "event.html", **context)

    def _country(self, language: str, code: str) -> Page | None:
        if code not in self.countries:
            return None
        context = views.country(self, self.words[language], code)
        return self._render(language, f"{language}/{code}/index.html", "country.html", **context)

    def _month(self, language: str, code: str, month: str) -> Page | None:
        if code not in self.countries or month not in self.months(code):
            return None
        context = views.month(self, self.words[language], code, month)
        return self._render(language, f"{language}/{code}/{month}.html", "part.html", **context)

    def _network(self, language: str, code: str, asn: str) -> Page | None:
        if code not in self.countries or int(asn) not in self.networks(code):
            return None
        context = views.network(self, self.words[language], code, int(asn))
        return self._render(language, f"{language}/{code}/AS{asn}.html", "part.html", **context)

    def _service(self, language: str, code: str, name: str) -> Page | None:
        subject = name.removeprefix("_")
        if name != name_of(subject) or code not in self.countries or subject not in self.subjects(code):
            return None
        context = views.service(self, self.words[language], code, subject)
        return self._render(language, of_service(language, code, subject), "part.html", **context)

    # ----------------------------------------------------------------------------------------------------- exports

    def _feed(self, language: str) -> Page:
        return Page("application/atom+xml; charset=utf-8", exports.atom(self, self.words[language]))

    def _openapi(self) -> Page:
        return Page("application/json", exports.as_json(description(self.holdings.where)))

    def _countries_json(self) -> Page:
        return Page("application/json", exports.as_json([exports.country(one) for one in self.countries.values()]))

    def _events_data(self, form: str) -> Page:
        rows = [exports.event_row(name, found) for name, found in sorted(self.events.items())]
        return _data(form, rows, exports.EVENT_COLUMNS)

    def _event_json(self, name: str) -> Page | None:
        found = self.events.get(name)
        return None if found is None else Page("application/json", exports.as_json({"id": name, "found": found}))

    def _country_data(self, code: str, what: str, form: str) -> Page | None:
        if code not in self.countries:
            return None
        if what == "hours":
            hours = self.figures.hours(Part(code, self.whole(code)))
            rows = [{"hour": hour, **exports.tally(t)} for hour, t in sorted(hours.items())]
            return _data(form, rows, ("hour", *exports.TALLY_COLUMNS))
        cells = sorted(self.figures.matrix(code).items())
        rows = [{"subject": subject, "asn": asn, **exports.tally(t)} for (subject, asn), t in cells]
        return _data(form, rows, ("subject", "asn", *exports.TALLY_COLUMNS, "mechanism"))


def _data(form: str, rows: list[dict[str, object]], columns: tuple[str, ...]) -> Page:
    if form == "csv":
        return Page("text/csv; charset=utf-8", csv(rows, columns))
    return Page("application/json", exports.as_json(rows))
