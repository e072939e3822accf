"""The detectors take many series at once: what they find in one does not depend on those beside it."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest

from rozaneh.observatory.events.baseline import Baseline
from rozaneh.observatory.events.curfews import NetworkSettings, find_on_networks
from rozaneh.observatory.events.recurring import RecurrenceSettings
from rozaneh.observatory.events.rules import event_rules
from rozaneh.observatory.events.services import ServiceSettings, find_on_services
from rozaneh.observatory.events.states import likelihoods, most_for, of_one_step

_HOURS = 40 * 24 + 5
_START = dt.datetime(2022, 9, 1, tzinfo=dt.UTC)


def _series(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts of which a third is cut at night and a third blocked from some hour on."""
    rng = np.random.default_rng(seed)
    hour = np.arange(_HOURS)
    n = rng.poisson(rng.choice([1.0, 6.0, 700.0], rows)[:, None], (rows, _HOURS))
    share = np.full(n.shape, 0.05)
    share[::3, (hour > 500) & (hour % 24 >= 13) & (hour % 24 < 21)] = 0.8
    share[1::3, 700:850] = 0.9
    return n.astype(float), rng.binomial(n, share).astype(float)


def test_a_series_gives_the_same_alone_and_among_others() -> None:
    n, k = _series(7, 9)
    rules = event_rules()
    service = rules["service-states"].numbers(ServiceSettings)
    network = rules["network-states"].numbers(NetworkSettings)
    recurrence = rules["recurring-cuts"].numbers(RecurrenceSettings)
    together = find_on_services(n, k, 3, service)
    assert {stretch.row for stretch in together} >= {1, 4, 7}
    for row in range(len(n)):
        alone = find_on_services(n[row : row + 1], k[row : row + 1], 3, service)
        assert [(s.first, s.last, s.share) for s in alone] == [
            (s.first, s.last, s.share) for s in together if s.row == row
        ]
    many = find_on_networks(n, k, _START, dt.UTC, network, recurrence)
    assert [len(each.curfews) for each in many] == [1, 0, 0] * 3
    assert [len(each.cuts) for each in many] == [0, 1, 0] * 3
    assert many == [
        find_on_networks(n[row : row + 1], k[row : row + 1], _START, dt.UTC, network, recurrence)[0]
        for row in range(len(n))
    ]


@pytest.mark.parametrize("most", [40, 5000])
def test_likelihoods_are_those_of_the_beta_binomial_distribution(most: int) -> None:
    from scipy.stats import betabinom

    rng = np.random.default_rng(2)
    n = rng.integers(0, most, (3, 30)).astype(float)
    k = rng.binomial(n.astype(int), 0.3).astype(float)
    share, spread = rng.uniform(0.05, 0.4, (3, 24)), np.array([0.01, 0.05, 0.2])
    gains = likelihoods(n, k, Baseline(share, spread), 5, (1.6,))[0]
    usual = share[:, (5 + np.arange(30)) % 24]
    more = 1 / (1 + np.exp(-(np.log(usual / (1 - usual)) + 1.6)))
    size = (1 / spread - 1)[:, None]
    wanted = betabinom.logpmf(k, n, more * size, (1 - more) * size)
    wanted -= betabinom.logpmf(k, n, usual * size, (1 - usual) * size)
    np.testing.assert_allclose(gains, wanted, atol=1e-6)


def test_the_bound_holds_for_every_stretch_of_hours() -> None:
    gains = np.random.default_rng(4).normal(-0.2, 1, (2, 3, 40))
    sums = [gains[:, :, a:b].sum(2).max(0) for a in range(40) for b in range(a + 1, 41)]
    np.testing.assert_allclose(most_for(gains), np.max(sums, axis=0))


def test_the_recursions_are_the_sum_over_all_ways_through_two_states() -> None:
    enter, leave, gain = 0.1, 0.3, np.array([[0.5, 2.0, -1.0, 1.5]])
    first, found, total = enter / (enter + leave), np.zeros(4), 0.0
    for path in np.ndindex(2, 2, 2, 2):
        weight = first if path[0] else 1 - first
        weight *= np.exp(sum(g * s for g, s in zip(gain[0], path, strict=True)))
        for one, other in pairwise(path):
            weight *= {(0, 0): 1 - enter, (0, 1): enter, (1, 0): leave, (1, 1): 1 - leave}[one, other]
        total += weight
        found += weight * np.array(path)
    odds = of_one_step(gain[None], enter, leave)[0]
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), found / total, atol=1e-9)


def test_hours_in_which_nobody_measured_do_not_end_a_cut_and_phases_at_home_are_told_apart() -> None:
    from rozaneh.observatory.events import StoreFindings
    from rozaneh.observatory.events.counts import KINDS, Counts
    from rozaneh.observatory.events.on_store import claims_of
    from rozaneh.observatory.events.settings import settings_of

    rng = np.random.default_rng(11)
    subjects = ["github", "instagram", "signal", "wikipedia", "digikala"]
    n = rng.poisson(2.0, (5, _HOURS))
    share = np.full(n.shape, 0.04)
    share[:, 500:644] = 0.97  # everything, six days
    share[:4, 644:800] = 0.97  # then only what is abroad
    n[:, 540:600] = 0
    n[:, 500:800] = rng.binomial(n[:, 500:800], 0.3)  # few measure while it lasts
    kinds = {kind: np.zeros(n.shape, np.uint16) for kind in KINDS}
    kinds["failed"] = rng.binomial(n, share).astype(np.uint16)
    series = [(44244, subject) for subject in subjects]
    counts = Counts(country="IR", start=_START, series=series, n=n.astype(np.uint16), kinds=kinds)
    found = [
        (each.kind, each.start, each.end) for each in claims_of(counts, settings_of(event_rules()), StoreFindings())
    ]
    assert [kind for kind, _, _ in found] == ["domestic_only", "outage"]
    (_, change, end), (_, begin, also) = found
    assert (abs(begin - 500) <= 3, abs(change - 644) <= 12, also == change, abs((end or 0) - 800) <= 3) == (True,) * 4
