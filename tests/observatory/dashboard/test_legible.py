"""Every kind of page: on a phone in both languages and on a desk in one, readable, and worked by keys alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

from rozaneh.observatory.dashboard.site import Holdings, Page, Site
from tests.browser import chromium
from tests.legible import charts_hold_in_grey, complaints, tabbed
from tests.observatory.dashboard import autumn

SCREENS = ((360, 740), (1280, 800))


def kinds(site: Site, empty: Site, language: str) -> Iterator[tuple[str, Page | None]]:
    """One page of each kind, errors and a store without measurements among them."""
    events = [*site.events]
    for path in ("index", "method", "data", "IR/index", "IR/AS44244"):
        yield path, site.page(f"{language}/{path}.html")
    for name in events:
        yield name, site.page(f"{language}/events/{name}.html")
    yield "search", site.page(f"{language}/search.html")
    yield "hits", site.page(f"{language}/search.html", "a")
    yield "missing", site.missing(f"{language}/nothing.html")
    yield "empty", empty.page(f"{language}/index.html")


def test_everybody_can_read_and_work_the_pages(peer: Callable[[str], str], tmp_path: Path) -> None:
    site, empty = autumn.site(interactive=True), Site(Holdings(*autumn.tables([]), made=autumn.MADE))
    with chromium(peer("chromium"), peer("chromedriver"), *SCREENS[0]) as browser:
        for language in ("fa", "en"):
            for kind, page in kinds(site, empty, language):
                assert page is not None
                shown = tmp_path / f"{language}-{kind.replace('/', '-')}.html"
                shown.write_bytes(page.body)
                browser.get(shown.as_uri())
                for screen in SCREENS if language == "en" else SCREENS[:1]:
                    assert complaints(browser, *screen) == [], f"{shown.name} at {screen}"
                if kind == "IR/index":
                    charts_hold_in_grey(browser)
                    places = tabbed(browser)
                    assert len(places) > 10
                    assert places == sorted(places), "the order of keys is that of the page"
