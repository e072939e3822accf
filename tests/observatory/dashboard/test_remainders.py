"""What is left over beside what is shown is enough to be shown itself, or counts nowhere."""

import datetime as dt
import json

from rozaneh.observatory.dashboard.site import Holdings, Site
from tests.observatory.dashboard import autumn

AT = autumn.FIRST
PLENTY = [autumn.row(AT, 1, subject, source, ok=20) for source in "ab" for subject in ("x", "y")]


def told(rows: list[dict[str, object]]) -> tuple[int, int, int, set[int]]:
    """The counts of the country, of its hours, of its services, and the networks that are named."""
    site = Site(Holdings(*autumn.tables(rows), made=autumn.MADE))
    sums = []
    for path in ("data/countries.json", "data/IR/hours.json", "data/IR/services.json"):
        page = site.page(path)
        assert page is not None
        sums.append(sum(row["measurements"] for row in json.loads(page.body)))
    return sums[0], sums[1], sums[2], set(site.networks("IR"))


def test_a_lone_network_counts_nowhere_however_loud() -> None:
    lone = autumn.row(AT, 2, "x", "me", blocked=50, mechanism="dns_forgery")
    assert told([*PLENTY, lone]) == (80, 80, 80, {1})


def test_a_service_that_one_alone_asked_for_counts_nowhere() -> None:
    assert told([*PLENTY, autumn.row(AT, 1, "z", "a", ok=30)]) == (80, 80, 80, {1})


def test_what_is_enough_together_counts_in_totals_though_no_part_is_shown() -> None:
    two = [autumn.row(AT, asn, "x", f"of {asn}", ok=10) for asn in (2, 3)]
    assert told([*PLENTY, *two]) == (100, 100, 80, {1})


def test_an_hour_of_one_alone_is_in_no_total() -> None:
    late = autumn.row(AT + dt.timedelta(hours=30), 1, "x", "a", ok=50)
    assert told([*PLENTY, late]) == (80, 80, 80, {1})


def test_the_mechanism_of_one_among_many_is_not_named() -> None:
    rows = [*PLENTY, autumn.row(AT, 1, "x", "a", blocked=4, mechanism="dns_forgery")]
    site = Site(Holdings(*autumn.tables(rows), made=autumn.MADE))
    tally = site.figures.matrix("IR")["x", 1]
    assert (tally.n, tally.mechanism) == (45, "")
