"""Events in tables of hours that are made here: blocks, curfews, floods, dilution, late data."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from rozaneh.observatory import schema
from rozaneh.observatory.events import StoreFindings, store_events
from rozaneh.observatory.events import counts as loading
from rozaneh.observatory.signals.signal import Signal

_START = dt.datetime(2022, 9, 1, tzinfo=dt.UTC)
_DAYS = 30
_SUBJECTS = ("instagram", "wikipedia", "github", "signal", "google-search", "digikala")
_SOURCES = 9
_ASNS = (44244, 58224)

Table = dict[str, list[Any]]


def _people(
    cut: Mapping[int, tuple[int, int]] | None = None,
    block: Mapping[str, int] | None = None,
    seed: int = 1,
    *,
    rate: float = 0.3,
    home: str = "digikala",
) -> pa.Table:
    """Nine sources on each network measure six services, about sixteen times an hour in all.

    Args:
        cut: networks, and the hours (UTC) of each day from the 20th in which nothing abroad works there.
        block: services, and the hour from which they are blocked on the first network.
        seed: of all chances.
        rate: measurements of a source and service in an hour.
        home: what works while what is abroad is cut.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, str, int, int, int, str, str]] = []
    for asn in _ASNS:
        for subject in _SUBJECTS:
            n = rng.poisson(rate, (_DAYS * 24, _SOURCES))
            for hour, source in np.argwhere(n):
                number = int(n[hour, source])
                share, mechanism, reading = 0.04, "unknown", "connect.silence"
                first, last = (cut or {}).get(asn, (0, 0))
                if hour >= 19 * 24 and first <= hour % 24 < last and subject != home:
                    share, reading = 0.9, "resolve.silence"
                elif asn == _ASNS[0] and hour >= (block or {}).get(subject, 10**6):
                    share, mechanism, reading = 0.95, "dns_forgery", ""
                failed = int(rng.binomial(number, share))
                rows.append((asn, subject, int(hour), asn * 100 + int(source), failed, mechanism, reading))
                rows.append((asn, subject, int(hour), asn * 100 + int(source), failed - number, "none", ""))
    return _table(rows)


def _flood(hours: range, sources: int, per_hour: int, *, failing: bool, subject: str = "wikipedia") -> pa.Table:
    sign = 1 if failing else -1
    return _table(
        [
            (_ASNS[0], subject, hour, source, sign * per_hour, "tls_name_reset" if failing else "none", "")
            for hour in hours
            for source in range(sources)
        ]
    )


def _table(rows: list[tuple[int, str, int, int, int, str, str]]) -> pa.Table:
    """Rows of network, subject, hour, source, failures (negative: works), mechanism and reading."""
    kept = [row for row in rows if row[4]]
    hours = [(_START + dt.timedelta(hours=row[2])).replace(tzinfo=None) for row in kept]
    worked = [max(-row[4], 0) for row in kept]
    failed = [max(row[4], 0) for row in kept]
    slowed = [row[5] == "throttling" for row in kept]
    known = [bool(row[5] not in ("unknown", "none", "throttling")) for row in kept]
    nought = [0] * len(kept)
    columns: Table = {
        "country": ["IR"] * len(kept),
        "day": [hour.date() for hour in hours],
        "asn": [row[0] for row in kept],
        "network_type": [""] * len(kept),
        "subject": [row[1] for row in kept],
        "test_name": ["web_connectivity"] * len(kept),
        "mechanism": [row[5] for row in kept],
        "reading": [row[6] for row in kept],
        "hour": hours,
        "source": [row[3] for row in kept],
        "n": [w + f for w, f in zip(worked, failed, strict=True)],
        "ok": worked,
        "blocked": [f if k else 0 for f, k in zip(failed, known, strict=True)],
        "throttled": [f if s else 0 for f, s in zip(failed, slowed, strict=True)],
        "refused": nought,
        "down": nought,
        "outage": nought,
        "domestic_only": nought,
        "void": nought,
        "failed": [0 if k or s else f for f, k, s in zip(failed, known, slowed, strict=True)],
        "compared": [abs(row[4]) if s else 0 for row, s in zip(kept, slowed, strict=True)],
        "received": hours,
    }
    return pa.Table.from_pydict(columns, schema=schema.HOUR)


def _found(*tables: pa.Table, marks: tuple[dt.datetime, ...] = (), signals: Sequence[Signal] = ()) -> StoreFindings:
    connection = ibis.duckdb.connect()
    connection.con.register("hourly", pa.concat_tables(tables))
    return store_events(connection, marks=marks, signals=signals)


@pytest.fixture(scope="module")
def quiet() -> pa.Table:
    return _people()


@pytest.fixture(scope="module")
def blocked() -> pa.Table:
    return _people(block={"instagram": 20 * 24 + 7})


def test_a_quiet_country_has_no_event(quiet: pa.Table) -> None:
    findings = _found(quiet)
    assert findings.found == []
    assert findings.heard == 2


def test_a_block_on_one_network_is_found_within_six_hours_with_its_mechanism_and_sources(blocked: pa.Table) -> None:
    (found,) = _found(blocked).found
    event = found.event
    assert (event.kind, event.networks, event.services) == ("block", ("AS44244",), ("instagram",))
    assert abs((event.start - _START) / dt.timedelta(hours=1) - (20 * 24 + 7)) <= 6
    assert event.end is None
    assert event.mechanism == "dns_forgery"
    assert event.sources == _SOURCES
    assert "works-again" in found.evidence.would_change


def test_a_curfew_of_all_that_is_abroad_is_one_event_with_its_hours_in_tehran() -> None:
    # 12:30 to 20:30 UTC is 16:00 to 24:00 there once summer time is over; whole hours of UTC are half hours off.
    findings = _found(_people(cut={44244: (13, 21)}))
    (found,) = findings.found
    assert (found.event.kind, found.event.networks) == ("curfew", ("AS44244",))
    assert found.event.hours is not None
    assert abs(found.event.hours[0] - 16) <= 1
    assert len(found.event.hours) in (7, 8, 9)
    assert found.event.mechanism == "domestic_only"
    assert found.evidence.second_opinion == "agrees"


def test_services_that_are_blocked_for_good_on_the_day_on_which_a_curfew_begins_hide_it_not() -> None:
    begin = 19 * 24 + 8
    found = _found(_people(cut={44244: (13, 21)}, block={"instagram": begin, "signal": begin + 1})).found
    assert sorted((each.event.kind, each.event.services) for each in found) == [
        ("block", ("instagram",)), ("block", ("signal",)), ("curfew", ()),
    ]  # fmt: skip
    assert all(each.event.end is None for each in found)


@pytest.mark.parametrize("hours", [range(500, 508), range(450, 570)], ids=["8-hours", "5-days"])
@pytest.mark.parametrize("subject", ["wikipedia", "unheard.example"])
def test_one_source_however_loud_makes_no_event(quiet: pa.Table, hours: range, subject: str) -> None:
    findings = _found(quiet, _flood(hours, 1, 60, failing=True, subject=subject))
    assert findings.found == []


def test_what_two_sources_say_is_published_as_not_enough(quiet: pa.Table) -> None:
    findings = _found(quiet, _flood(range(450, 570), 2, 60, failing=True))
    assert findings.found == []
    assert [(each.reason, each.event.services) for each in findings.withheld] == [("sources", ("wikipedia",))]
    assert findings.withheld[0].had < findings.withheld[0].wanted


def test_a_network_on_which_one_source_says_so_is_no_part_of_an_event(blocked: pa.Table) -> None:
    other, hours = _ASNS[1], range(20 * 24, _DAYS * 24, 2)
    kept = blocked.filter((pc.field("asn") != other) | (pc.field("subject") != "instagram"))
    alone = [(other, "instagram", hour, 7, -1, "none", "") for hour in range(0, 20 * 24, 2)]
    alone += [(other, "instagram", hour, 7, 1, "dns_forgery", "") for hour in hours]
    (found,) = _found(kept, _table(alone)).found
    assert found.event.networks == (f"AS{_ASNS[0]}",)


def test_five_sources_that_flood_must_outnumber_those_that_measure(quiet: pa.Table) -> None:
    assert _found(quiet, _flood(range(450, 570), 5, 10, failing=True)).found == []
    # More invented sources than real ones do not suffice either, when they appear with what they say.
    fresh = _found(quiet, _flood(range(450, 570), 2 * _SOURCES, 10, failing=True))
    assert fresh.found == []
    assert [each.reason for each in fresh.withheld] == ["software"]
    # The cost of an attack: as many, who tell the truth for a time before they lie, on that network.
    honest = _flood(range(200, 450, 10), 2 * _SOURCES, 1, failing=False)
    many = _found(quiet, honest, _flood(range(450, 570), 2 * _SOURCES, 10, failing=True)).found
    assert [found.event.services for found in many] == [("wikipedia",)]


def test_a_flood_of_clean_data_does_not_hide_a_block(blocked: pa.Table) -> None:
    diluted = _flood(range(20 * 24, _DAYS * 24), 1, 200, failing=False, subject="instagram")
    assert [found.event.services for found in _found(blocked, diluted).found] == [("instagram",)]


def _clean(hours: range, subjects: Sequence[str] = _SUBJECTS) -> pa.Table:
    """One source that says three times an hour that all is well."""
    return pa.concat_tables([_flood(hours, 1, 3, failing=False, subject=subject) for subject in subjects])


def test_a_flood_of_clean_data_on_a_thin_network_leaves_an_outage_as_it_is() -> None:
    """Three measurements an hour of nine sources, beside eighteen of one; hardly any of them is of what is at home."""
    thin = _people(cut=dict.fromkeys(_ASNS, (0, 24)), rate=0.05, home="")
    (alone,) = _found(thin).found
    assert (alone.event.kind, alone.event.end) == ("outage", None)
    for hours in (range(20 * 24, 22 * 24 + 7), range(22 * 24 + 19, 23 * 24 + 4), range(19 * 24, 21 * 24)):
        (found,) = _found(thin, _clean(hours)).found
        assert (found.event.kind, found.event.networks, found.event.end) == ("outage", alone.event.networks, None)
        assert abs(found.event.start - alone.event.start) <= dt.timedelta(hours=2)


@pytest.mark.parametrize("rate", [0.05, 0.015], ids=["three-in-a-quarter", "one-in-a-quarter"])
def test_ten_days_of_clean_data_on_a_thin_network_may_break_an_outage_but_hide_it_not(rate: float) -> None:
    thin = _people(cut=dict.fromkeys(_ASNS, (0, 24)), rate=rate, home="", seed=13)
    first, *_ = _found(thin, _clean(range(20 * 24, _DAYS * 24))).found
    assert (first.event.kind, first.event.networks, first.event.end) == ("outage", ("AS44244", "AS58224"), None)
    assert abs(first.event.start - _START - dt.timedelta(days=19)) <= dt.timedelta(hours=2)


@pytest.mark.parametrize("subjects", [_SUBJECTS, ("instagram",)], ids=["of-everything", "of-what-is-blocked"])
def test_a_flood_of_clean_data_on_a_thin_network_ends_no_block(subjects: Sequence[str]) -> None:
    thin = _people(block={"instagram": 18 * 24}, rate=0.05)
    for hours in (range(22 * 24, 26 * 24), range(22 * 24 + 5, 23 * 24 + 3)):
        (found,) = _found(thin, _clean(hours, subjects)).found
        assert (found.event.services, found.event.end) == (("instagram",), None)
        assert abs((found.event.start - _START) / dt.timedelta(hours=1) - 18 * 24) <= 6


def test_who_is_alone_on_a_network_of_one_person_a_day_is_not_too_loud(blocked: pa.Table) -> None:
    own = [row["source"] % 100 == row["day"].day % _SOURCES for row in blocked.select(["source", "day"]).to_pylist()]
    (found,) = _found(blocked.filter(pa.array(own))).found
    assert (found.event.kind, found.event.services) == ("block", ("instagram",))


def test_a_clock_that_is_years_behind_hides_no_event(blocked: pa.Table) -> None:
    """What is usual is learnt from the first days, which held nothing but one measurement of ten years before."""
    weekly = [(_ASNS[0], "wikipedia", -hour, 7, -1, "none", "") for hour in (10 * 365 * 24, *range(400, 8000, 168))]
    assert _found(blocked, _table(weekly)) == _found(blocked)


def test_a_country_of_more_names_than_memory_holds_costs_no_other_its_events(
    blocked: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [(1, f"s{n}.example", 0, 1, -1, "none", "") for n in range(200)]
    strange = pa.concat_tables([blocked, _table(names)])
    strange = strange.set_column(0, "country", pa.array(["ZZ"] * len(strange), strange.schema.field("country").type))
    monkeypatch.setattr(loading, "most_cells", lambda: 200 * _DAYS * 24)
    findings = _found(blocked, strange)
    assert [(large.country, large.series, large.days) for large in findings.too_large] == [("ZZ", 212, 30)]
    assert findings.found == _found(blocked).found


def test_a_third_of_the_sources_with_clocks_eleven_hours_off_leave_a_curfew_one_with_its_hours() -> None:
    """Their curfew, at other hours, is a second one that too few say."""
    rows = _people(cut={44244: (13, 21)}).to_pylist()
    for row in rows:
        if row["source"] % 100 < _SOURCES // 3:
            row["hour"] += dt.timedelta(hours=11)
            row["day"] = row["hour"].date()
    findings = _found(pa.Table.from_pylist(rows, schema=schema.HOUR))
    (found,) = findings.found
    assert (found.event.kind, found.event.networks) == ("curfew", ("AS44244",))
    assert found.event.hours is not None
    assert (abs(found.event.hours[0] - 16) <= 1, found.event.hours[-1]) == (True, 23)
    assert [each.reason for each in findings.withheld if each.event.kind == "curfew"] == ["sources"]


def test_measurements_years_apart_are_asked_for_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    real = loading._asked

    def noted(t: object) -> object:
        asked.append(t)
        return real(t)

    monkeypatch.setattr(loading, "_asked", noted)
    far = _table([(1, "wikipedia", hour, source, -1, "none", "") for hour in (0, 20, 90_000) for source in range(3)])
    findings = _found(far)
    assert len(asked) == 1
    assert (findings.found, findings.withheld) == ([], [])


def test_late_data_in_any_order_give_the_same_events(blocked: pa.Table) -> None:
    order = np.random.default_rng(5).permutation(len(blocked))
    late = blocked.take(order)
    assert _found(late) == _found(blocked)


def test_a_jump_that_comes_with_new_software_is_no_event(blocked: pa.Table) -> None:
    renewed = blocked.to_pylist()
    for row in renewed:
        if row["hour"] >= _START.replace(tzinfo=None) + dt.timedelta(hours=20 * 24 + 7):
            row["source"] = -row["source"]
    findings = _found(pa.Table.from_pylist(renewed, schema=schema.HOUR))
    assert findings.found == []
    assert [(each.reason, each.event.services) for each in findings.withheld] == [("software", ("instagram",))]


def _outside(first: int, last: int, name: str = "bgp") -> Signal:
    """A signal from elsewhere that falls in these hours."""
    hours = np.arange(_DAYS * 24, dtype=np.float64)
    values = np.random.default_rng(3).normal(100, 2, len(hours)) * np.where((hours >= first) & (hours < last), 0.1, 1)
    return Signal(name=name, country="IR", times=_START.timestamp() + 3600.0 * hours, values=values)


def test_silence_alone_is_not_enough_and_beside_a_signal_that_fell_it_is_an_outage(quiet: pa.Table) -> None:
    first, last = 20 * 24, 23 * 24
    inside = [first <= (hour - _START.replace(tzinfo=None)).total_seconds() / 3600 < last
              for hour in quiet.column("hour").to_pylist()]  # fmt: skip
    silent = quiet.filter(pa.array([not here for here in inside]))
    alone = _found(silent)
    assert alone.found == []
    assert {(each.event.kind, each.reason) for each in alone.withheld} == {("silence", "silence")}
    (found,) = _found(silent, signals=[_outside(first, last)]).found
    assert (found.event.kind, found.event.country, found.event.networks) == ("outage", "IR", ())
    assert [(vote.signal, vote.fell) for vote in found.evidence.votes] == [("bgp", True), ("measurements", True)]
    (without,) = _found(quiet, signals=[_outside(first, last)]).found
    assert without.event.confidence < found.event.confidence
    assert [vote.fell for vote in without.evidence.votes] == [True, False]


def test_measurements_and_signals_that_say_the_same_are_one_event_that_is_surer() -> None:
    cut = _people(cut={44244: (0, 24), 58224: (0, 24)})
    (alone,) = _found(cut).found
    (found,) = _found(cut, signals=[_outside(19 * 24, _DAYS * 24)]).found
    assert (found.event.kind, found.event.networks) == (alone.event.kind, alone.event.networks)
    assert found.event.kind == "domestic_only"
    assert found.event.confidence > alone.event.confidence
    assert [vote.signal for vote in found.evidence.votes if vote.fell] == ["bgp"]
    # A change of the measuring at that moment is refuted by the second witness.
    marked = (found.event.start,)
    assert [each.reason for each in _found(cut, marks=marked).withheld] == ["mark"]
    assert len(_found(cut, marks=marked, signals=[_outside(19 * 24, _DAYS * 24)]).found) == 1


def test_throttling_is_told_by_those_who_compare_and_by_nobody_else(quiet: pa.Table) -> None:
    """A tenth of all measurements comes from those who compare transfers; for the others the service works."""
    hours = range(0, _DAYS * 24, 2)
    pairs = [(_ASNS[0], "wikipedia", hour, hour // 2 % 4, 3 if hour >= 480 else -3, "throttling", "") for hour in hours]
    (found,) = _found(quiet, _table(pairs)).found
    assert (found.event.kind, found.event.services, found.event.mechanism) == (
        "throttling",
        ("wikipedia",),
        "throttling",
    )
    assert found.event.sources == 4
    assert abs((found.event.start - _START) / dt.timedelta(hours=1) - 480) <= 6


def test_no_block_begins_where_the_measuring_changed(blocked: pa.Table) -> None:
    (found,) = _found(blocked).found
    findings = _found(blocked, marks=(found.event.start,))
    assert findings.found == []
    assert [each.reason for each in findings.withheld] == ["mark"]


def test_too_little_history_is_said(quiet: pa.Table) -> None:
    short = quiet.filter(pa.compute.less(quiet.column("day"), pa.scalar(dt.date(2022, 9, 5))))
    one = quiet.filter(pa.compute.equal(quiet.column("hour"), quiet.column("hour")[0]))
    for little in (short, one):
        findings = _found(little)
        assert findings.found == []
        assert findings.short
        assert set(findings.short) <= {"IR AS44244", "IR AS58224"}
