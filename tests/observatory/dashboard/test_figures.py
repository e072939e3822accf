import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from rozaneh.observatory.dashboard.figures import Figures, Part, Span
from rozaneh.observatory.dashboard.site import Holdings, Site
from rozaneh.observatory.dashboard.withhold import LEAST_MEASUREMENTS, LEAST_SOURCES
from tests.observatory.dashboard import autumn

WHOLE = Span(autumn.FIRST, autumn.FIRST + dt.timedelta(days=autumn.DAYS))


def test_counts_are_rounded_and_shares_of_few_are_shares_of_such_counts() -> None:
    rows = [autumn.row(autumn.FIRST, 1, "x", source, ok=2, blocked=1) for source in "abcd"]
    tally = Figures(*autumn.tables(rows)).hours(Part("IR", WHOLE))[autumn.FIRST]
    assert (tally.n, tally.sources, tally.blocked, tally.failing) == (10, 3, 0.5, 0.5)
    many = [autumn.row(autumn.FIRST, 1, "x", source, ok=20, blocked=10) for source in "abcd"]
    tally = Figures(*autumn.tables(many)).hours(Part("IR", WHOLE))[autumn.FIRST]
    assert (tally.n, tally.failing) == (120, 1 / 3)


def test_what_the_service_refuses_does_not_count_as_failing_on_the_path() -> None:
    rows = [autumn.row(autumn.FIRST, 1, "x", source, refused=4, mechanism="service_refusal") for source in "abc"]
    tally = Figures(*autumn.tables(rows)).matrix(Part("IR", WHOLE))["x", 1]
    assert (tally.failing, tally.refused, tally.mechanism) == (0.0, 1.0, "service_refusal")


def test_the_most_frequent_mechanism_is_named_and_what_works_has_none() -> None:
    rows = [autumn.row(autumn.FIRST, 1, "x", source, blocked=3, mechanism="tls_name_reset") for source in "abc"]
    rows += [autumn.row(autumn.FIRST, 1, "x", source, blocked=1, mechanism="dns_forgery") for source in "abc"]
    rows += [autumn.row(autumn.FIRST, 1, "y", source, ok=9) for source in "abc"]
    cells = Figures(*autumn.tables(rows)).matrix(Part("IR", WHOLE))
    assert (cells["x", 1].mechanism, cells["y", 1].mechanism) == ("tls_name_reset", "")


def test_one_source_however_loud_and_few_measurements_show_nothing() -> None:
    figures = Figures(*autumn.tables(autumn.hours()))
    part = Part("IR", WHOLE)
    assert set(figures.networks("IR")) == {44244, 58224}, "AS31549 has one source, AS16322 has two measurements"
    assert "signal" in figures.subjects(part), "together they are enough"
    assert ("signal", 31549) not in figures.matrix(part)
    assert ("signal", 16322) not in figures.matrix(part)


def test_a_country_without_enough_is_absent() -> None:
    rows = [autumn.row(autumn.FIRST, 1, "x", "only", ok=500, country="TM")]
    assert Figures(*autumn.tables(rows)).countries() == []


hourly_rows = st.lists(
    st.builds(
        lambda hour, asn, subject, source, ok, blocked: autumn.row(
            autumn.FIRST + dt.timedelta(hours=hour),
            asn,
            subject,
            source,
            ok=ok,
            blocked=blocked,
            mechanism="dns_forgery",
        ),
        st.integers(0, 30),
        st.sampled_from((44244, 58224, 1)),
        st.sampled_from(("instagram", "signal")),
        st.sampled_from("abc"),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=6)
@given(hourly_rows)
def test_no_export_shows_a_cell_behind_which_too_little_stands(rows: list[dict[str, object]]) -> None:
    """Every address for machines is read back and held against the rows that it was made from."""
    import json

    site = Site(Holdings(*autumn.tables(rows), made=autumn.MADE))
    for code in site.countries:
        for what, key in (("hours", ("hour",)), ("services", ("subject", "asn"))):
            page = site.page(f"data/{code}/{what}.json")
            assert page is not None
            for cell in json.loads(page.body):
                behind = [row for row in rows if all(_as_json(row[name]) == cell[name] for name in key)]
                assert sum(int(str(row["n"])) for row in behind) >= LEAST_MEASUREMENTS
                assert len({row["source"] for row in behind}) >= LEAST_SOURCES
                assert cell["measurements"] % 5 == 0


@settings(max_examples=8)
@given(hourly_rows)
def test_a_total_minus_its_parts_does_not_tell_what_was_left_out(rows: list[dict[str, object]]) -> None:
    """Whoever subtracts what is shown of networks from what is shown of all cannot tell whether there is a rest."""
    figures = Figures(*autumn.tables(rows))
    for hour, whole in figures.hours(Part("IR", WHOLE)).items():
        here = [row for row in rows if _as_json(row["hour"]) == _as_json(hour)]
        shown = {
            asn: figures.hours(Part("IR", WHOLE, (asn,))).get(hour) for asn in {int(str(row["asn"])) for row in here}
        }
        parts = [part for part in shown.values() if part is not None]
        left = [row for row in here if shown[int(str(row["asn"]))] is None]
        if not left or sum(int(str(row["n"])) for row in left) >= LEAST_MEASUREMENTS:
            continue
        unsure = 2.5 * (len(parts) + 1)
        for total, of_parts, true in (
            (whole.n, [part.n for part in parts], "n"),
            (whole.blocked * whole.n, [part.blocked * part.n for part in parts], "blocked"),
        ):
            rest = total - sum(of_parts)
            assert rest - unsure <= 0, f"there is a rest: {true}"
            assert rest + unsure >= LEAST_MEASUREMENTS - 1, f"the rest is small: {true}"
        assert whole.sources in (2, 3)


def _as_json(value: object) -> object:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, dt.datetime) else value
