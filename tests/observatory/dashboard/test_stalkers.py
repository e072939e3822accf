"""Row 12 of the threats: whoever reads all that is published, also twice, does not find one volunteer in it."""

import datetime as dt
import json

import msgspec
import pytest

from rozaneh.observatory.dashboard.site import Holdings, Site
from tests.observatory.dashboard import autumn

LONE, PAIR = "31549", "16322"
"""Networks of the autumn behind which a single source stands, and too few measurements."""


def everything(site: Site) -> dict[str, bytes]:
    return {path: page.body for path in site.paths() if (page := site.page(path)) is not None}


@pytest.fixture(scope="module")
def pages() -> dict[str, bytes]:
    return everything(autumn.site())


def test_what_stands_behind_too_little_is_named_nowhere_not_even_as_not_enough(pages: dict[str, bytes]) -> None:
    assert len(pages) > 30
    for path, body in pages.items():
        assert LONE.encode() not in body, path
        assert PAIR.encode() not in body, path


def test_a_claim_that_is_not_made_is_told_without_how_few_say_so() -> None:
    held = autumn.withheld()[0]
    known = msgspec.structs.replace(held, event=msgspec.structs.replace(held.event, networks=("AS44244",),
                                                                        services=("instagram",)))  # fmt: skip
    page = Site(Holdings(*autumn.own_tables(), withheld=(known,), made=autumn.MADE)).page("en/IR/index.html")
    assert page is not None
    assert "Not enough independent sources say so." in page.body.decode()
    assert "1 independent" not in page.body.decode()


def test_the_first_and_last_hour_are_not_those_of_one_volunteer() -> None:
    lone = [autumn.row(autumn.FIRST - dt.timedelta(days=40), 44244, "wikipedia", "me", ok=3),
            autumn.row(autumn.FIRST - dt.timedelta(hours=5), 44244, "wikipedia", "me", ok=3),
            autumn.row(autumn.FIRST + dt.timedelta(days=75), 44244, "wikipedia", "me", ok=30)]  # fmt: skip
    alone = Site(Holdings(*autumn.tables([*autumn.hours(), *lone]), made=autumn.MADE))
    (country,) = alone.countries.values()
    assert (country.first, country.last) == (autumn.FIRST, autumn.FIRST + dt.timedelta(hours=autumn.DAYS * 24 - 1))
    assert alone.months("IR") == ["2022-09", "2022-10"]


def test_two_copies_of_an_event_do_not_tell_when_one_more_measured() -> None:
    def of(samples: int, sources: int) -> dict[str, bytes]:
        curfew, block = autumn.found()
        more = msgspec.structs.replace(
            block, event=msgspec.structs.replace(block.event, samples=samples, sources=sources),
            evidence=msgspec.structs.replace(block.evidence, lowest=round(0.93 + samples / 1e7, 4)),
        )  # fmt: skip
        site = Site(Holdings(*autumn.own_tables(), found=(curfew, more), made=autumn.MADE))
        about = [path for path in site.paths() if "event" in path or path.endswith(("atom", "en/IR/index.html"))]
        return {path: page.body for path in about if (page := site.page(path)) is not None}

    assert of(2001, 6) == of(2002, 7)


def test_shares_are_no_more_exact_than_they_are_shown(pages: dict[str, bytes]) -> None:
    for path in ("data/countries.json", "data/IR/hours.json", "data/IR/services.json"):
        for row in json.loads(pages[path]):
            shares = [value for value in row.values() if isinstance(value, float)]
            assert shares == [round(share, 2) for share in shares]


EVIL = (
    "'; DROP TABLE hourly; --", "' OR 1=1 --", '"><script>alert(1)</script>', "{{7*7}}", "${jndi:ldap://x}", "%00",
    "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "C:\\windows", "\x00\x1b[2J", "\u202egnp.exe", "\ud800",
    "9" * 400, str(10**20), "-1", "AS99999999999999999999", "a" * 5000, "=cmd|' /C calc'!A0", "\n\n",
    "read_csv('/etc/passwd')",
)  # fmt: skip
ROUTES = (
    "{}", "en/{}.html", "fa/IR/{}.html", "en/IR/AS{}.html", "en/IR/service/{}.html", "en/events/{}.html",
    "data/{}/hours.csv", "data/events/{}.json", "en/{}/index.html", "feed.{}.atom",
)  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
def test_whatever_is_asked_for_is_there_or_is_nothing(route: str) -> None:
    site = autumn.site(interactive=True)
    for evil in EVIL:
        assert site.page(route.format(evil)) is None
    missing = site.missing(route.format(EVIL[2])).body.decode()
    assert "<script" not in missing


def test_whatever_is_searched_for_is_shown_as_text() -> None:
    site = autumn.site(interactive=True)
    for evil in EVIL:
        page = site.page("en/search.html", evil)
        assert page is not None
        text = page.body.decode()
        assert "<script" not in text
        assert "\u202e" not in text
        assert "49" not in text.partition("<main>")[2].partition("</main>")[0], "nothing is worked out"
