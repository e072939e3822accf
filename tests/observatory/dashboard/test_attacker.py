"""Whoever reads all that is published, and knows how it is made, solves for what was left out: it tells him nothing."""

import datetime as dt
import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from rozaneh.observatory.dashboard import charts
from rozaneh.observatory.dashboard.figures import Part, Span
from rozaneh.observatory.dashboard.site import Holdings, Site
from rozaneh.observatory.dashboard.withhold import LEAST_MEASUREMENTS, withheld
from tests.observatory.dashboard import autumn

HOURS = tuple(autumn.FIRST + dt.timedelta(hours=24 * day + hour) for day in range(3) for hour in (0, 1, 2))
ASNS, SUBJECTS, SOURCES = (1, 2, 3), ("x", "y", "z"), "abc"
ATOMS = tuple(itertools.product(HOURS, ASNS, SUBJECTS))
PLACE = {atom: 2 * number for number, atom in enumerate(ATOMS)}
"""Where what works of an atom stands among the unknowns; what fails stands behind it."""
WHOLE = Span(autumn.FIRST, autumn.FIRST + dt.timedelta(days=3))
Row = dict[str, object]
Atom = tuple[dt.datetime, int, str]


class Said(NamedTuple):
    """What a published figure says: of ``inner`` at most and of ``outer`` at least so many, or such a share, fail."""

    inner: frozenset[Atom]
    outer: frozenset[Atom]
    n: int | None
    failing: tuple[float, float]


def atoms(
    hours: Iterable[dt.datetime] = HOURS, asns: tuple[int, ...] = (), subjects: tuple[str, ...] = ()
) -> frozenset[Atom]:
    return frozenset(itertools.product(hours, asns or ASNS, subjects or SUBJECTS))


def read(site: Site) -> Iterator[Said]:
    """Everything with counts, read back from the exports. Whoever has a count knows how many fives fail."""
    shown = atoms(site.figures.hours(Part("IR", WHOLE)))
    tables: tuple[tuple[str, Callable[[dict[str, Any]], frozenset[Atom]]], ...] = (
        ("data/IR/hours.json", lambda row: atoms((dt.datetime.fromisoformat(row["hour"]),))),
        ("data/IR/services.json", lambda row: atoms(asns=(row["asn"],), subjects=(row["subject"],))),
        ("data/countries.json", lambda _: shown),
    )
    for path, of in tables:
        page = site.page(path)
        assert page is not None
        for row in json.loads(page.body):
            n = row["measurements"]
            yield Said(of(row), of(row), n, (share := 5 * round(row["failing"] * n / 5) / n, share))


COUNTRY = Part("IR", WHOLE)
BY_NETWORK = [msgspec.structs.replace(COUNTRY, asns=(asn,)) for asn in ASNS]
BY_SUBJECT = [msgspec.structs.replace(COUNTRY, subjects=(subject,)) for subject in SUBJECTS]
OTHERS = [msgspec.structs.replace(COUNTRY, subjects=SUBJECTS[:2]), Part("IR", WHOLE, (1, 2), ("x",))]


def looked_at(site: Site, parts: Iterable[Part], *, counts: bool = False) -> Iterator[Said]:
    """The charts of pages: six shades for an hour, a hundredth for a day. They may count more than their part.

    Args:
        site: the pages.
        parts: what they are about.
        counts: as if hours told how many there are, and how many fives of them fail.
    """
    for part in parts:
        hours = site.figures.hours(part)
        around = ((), part.subjects if part.asns or len(part.subjects) == 1 else ())
        for hour, tally in hours.items():
            shade = charts.shade(tally.failing) / charts.SHADES
            told = (tally.failing, tally.failing) if counts else (shade, shade + 1 / charts.SHADES)
            exactly = atoms((hour,), part.asns, part.subjects), atoms((hour,), *around)
            yield Said(*exactly, tally.n if counts else None, told)
        for day, tally in site.figures.days(part).items():
            of = [hour for hour in HOURS if hour.date() == day]
            inner = atoms((hour for hour in of if hour in hours), part.asns, part.subjects)
            yield Said(inner, atoms(of, *around), None, (tally.failing - 0.005, tally.failing + 0.005))


def equations(said: Iterable[Said]) -> tuple[np.ndarray, list[float]]:
    """All that is said, as sums of unknowns that are at most a number. What is rounded to fives is off by two."""
    rows, most = [], []

    def add(most_: float, *terms: tuple[frozenset[Atom], float, float]) -> None:
        row = np.zeros(2 * len(ATOMS))
        for of, works, fails in terms:
            for atom in of:
                row[PLACE[atom]] += works
                row[PLACE[atom] + 1] += fails
        rows.append(row)
        most.append(most_)

    for one in said:
        low, high = one.failing
        add(-LEAST_MEASUREMENTS, (one.outer, -1, -1))
        if one.n is not None:
            add(one.n + 2, (one.inner, 1, 1))
            add(2 - one.n, (one.outer, -1, -1))
            add(one.n * high + 2, (one.inner, 0, 1))
            add(2 - one.n * low, (one.outer, 0, -1))
        else:
            add(2 + 2 * max(low, 0), (one.inner, max(low, 0), max(low, 0)), (one.outer, 0, -1))
            add(2 + 2 * high, (one.inner, 0, 1), (one.outer, -high, -high))
    return np.array(rows), most


def least(said: tuple[np.ndarray, list[float]], of: frozenset[Atom]) -> float:
    """The least number of measurements in some atoms that all that is said allows for."""
    wanted = np.zeros(2 * len(ATOMS))
    for atom in of:
        wanted[PLACE[atom] : PLACE[atom] + 2] = 1
    found = linprog(wanted, A_ub=said[0], b_ub=said[1], bounds=(0, None))
    assert found.status == 0, found.message
    return float(found.fun)


def world(rng: random.Random) -> list[Row]:
    """Hours of which some have plenty, some a lone source beside plenty, some next to nothing."""
    rows = []
    for hour in HOURS:
        for _ in range(rng.choice((2, 6, 12))):
            asn, counts = rng.choice(ASNS), (rng.choice((0, 1, 2, 3, 8, 40)), rng.choice((0, 0, 1, 4, 20)))
            of = hour, asn, rng.choice(SUBJECTS), f"{asn}{rng.choice(SOURCES)}"
            rows.append(autumn.row(*of, ok=counts[0], blocked=counts[1]))
    return [row for row in rows if row["n"]]


def left_out(site: Site, parts: Iterable[Part]) -> Iterator[frozenset[Atom]]:
    """The hours that are not shown."""
    for part in parts:
        shown = site.figures.hours(part)
        yield from (atoms((hour,), part.asns, part.subjects) for hour in HOURS if hour not in shown)


@settings(max_examples=1, phases=(Phase.generate,))
@given(st.integers(0, 1 << 32))
def test_nothing_that_was_left_out_can_be_solved_for(seed: int) -> None:
    """Of no cell that is not shown can be told that anybody measured there.

    Of networks, and of services, not even if charts of hours told their counts.
    """
    rows = world(random.Random(seed))
    site = Site(Holdings(*autumn.tables(rows), made=autumn.MADE))
    exports = list(read(site))
    for one in exports:
        behind = [
            row for row in rows if (row["hour"], row["asn"], row["subject"]) in {naive(atom) for atom in one.inner}
        ]
        assert not withheld(sum(int(str(row["n"])) for row in behind), len({row["source"] for row in behind}))
    hours = [one for one in exports if len({atom[1:] for atom in one.inner}) > 1]
    seen = [*looked_at(site, BY_NETWORK), *looked_at(site, BY_SUBJECT), *looked_at(site, OTHERS)]
    pairs = site.figures.matrix("IR")
    no_pairs = [atoms(asns=(a,), subjects=(s,)) for a, s in itertools.product(ASNS, SUBJECTS) if (s, a) not in pairs]
    for known, wanted in (
        ([*exports, *seen], [*left_out(site, [COUNTRY, *BY_NETWORK, *BY_SUBJECT]), *no_pairs]),
        ([*hours, *looked_at(site, BY_NETWORK, counts=True)], left_out(site, BY_NETWORK)),
        ([*hours, *looked_at(site, BY_SUBJECT, counts=True)], left_out(site, BY_SUBJECT)),
    ):
        said = equations(known)
        for of in wanted:
            assert least(said, of) < 0.5, sorted(of)


def naive(atom: Atom) -> tuple[object, ...]:
    """An atom as the rows have it."""
    return (atom[0].replace(tzinfo=None), *atom[1:])
