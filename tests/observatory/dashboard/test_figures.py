import datetime as dt

from rozaneh.observatory.dashboard.figures import Figures, Part, Span
from tests.observatory.dashboard import autumn

WHOLE = Span(autumn.FIRST, autumn.FIRST + dt.timedelta(days=autumn.DAYS))


def test_counts_are_rounded_and_shares_are_shares_of_such_counts() -> None:
    rows = [autumn.row(autumn.FIRST, 1, "x", source, ok=2, blocked=1) for source in "abcd"]
    tally = Figures(*autumn.tables(rows)).hours(Part("IR", WHOLE))[autumn.FIRST]
    assert (tally.n, tally.sources, tally.blocked, tally.failing) == (10, 3, 0.5, 0.5)
    many = [
        autumn.row(autumn.FIRST, 1, "x", source, ok=20, blocked=blocked) for source, blocked in (("a", 1), ("b", 6))
    ]
    tally = Figures(*autumn.tables(many)).hours(Part("IR", WHOLE))[autumn.FIRST]
    assert (tally.n, tally.failing) == (45, 5 / 45), "seven of 47"


def test_what_the_service_refuses_does_not_count_as_failing_on_the_path() -> None:
    rows = [autumn.row(autumn.FIRST, 1, "x", source, refused=4, mechanism="service_refusal") for source in "abc"]
    tally = Figures(*autumn.tables(rows)).matrix("IR")["x", 1]
    assert (tally.failing, tally.refused, tally.mechanism) == (0.0, 1.0, "service_refusal")


def test_the_most_frequent_mechanism_is_named_and_what_works_has_none() -> None:
    rows = [autumn.row(autumn.FIRST, 1, "x", source, blocked=3, mechanism="tls_name_reset") for source in "abc"]
    rows += [autumn.row(autumn.FIRST, 1, "x", source, blocked=1, mechanism="dns_forgery") for source in "abc"]
    rows += [autumn.row(autumn.FIRST, 1, "y", source, ok=9) for source in "abc"]
    cells = Figures(*autumn.tables(rows)).matrix("IR")
    assert (cells["x", 1].mechanism, cells["y", 1].mechanism) == ("tls_name_reset", "")


def test_one_source_however_loud_and_few_measurements_show_nothing() -> None:
    figures = Figures(*autumn.own_tables())
    assert set(figures.networks("IR")) == {44244, 58224}, "AS31549 has one source, AS16322 has two measurements"
    assert "signal" in figures.subjects("IR"), "together they are enough"
    assert ("signal", 31549) not in figures.matrix("IR")
    assert ("signal", 16322) not in figures.matrix("IR")


def test_a_country_without_enough_is_absent() -> None:
    rows = [autumn.row(autumn.FIRST, 1, "x", "only", ok=500, country="TM")]
    assert Figures(*autumn.tables(rows)).countries() == []
