"""A thin network: what a cut of it does to one service is not told as a block, nor is chance."""

import datetime as dt

import msgspec
import numpy as np
import pytest

from rozaneh.observatory.events import StoreFindings
from rozaneh.observatory.events.beside import BesideSettings, lacking
from rozaneh.observatory.events.claims import Claim
from rozaneh.observatory.events.counts import KINDS, Counts
from rozaneh.observatory.events.event import Evidence
from rozaneh.observatory.events.on_store import claims_of
from rozaneh.observatory.events.rules import event_rules
from rozaneh.observatory.events.settings import settings_of

_RULES = settings_of(event_rules())
_DAYS, _CUT = 30, slice(20 * 24 + 8, 20 * 24 + 16)
_ABROAD = ("github", "google-search", "instagram", "signal", "wikipedia", "youtube")
_BLOCK = Claim(
    kind="block", networks=(1,), services=("github",), windows=((480, 500),), start=480, end=500,
    evidence=Evidence(), share=0.9, tried=20, failed=18, working=5, rule="service-states",
)  # fmt: skip


def _claims(failing: dict[int, dict[str, float]], rates: dict[int, float], skip: tuple[str, ...] = ()) -> list[Claim]:
    """Networks with these rates of measurements; shares of what fails on each in eight hours, by service."""
    rng = np.random.default_rng(8)
    series = sorted((asn, subject) for asn in rates for subject in _ABROAD if subject not in skip)
    n = np.stack([rng.poisson(rates[asn], _DAYS * 24) for asn, _ in series]).astype(np.uint16)
    share = np.full(n.shape, 0.03)
    for row, (asn, subject) in enumerate(series):
        share[row, _CUT] = failing.get(asn, {}).get(subject, 0.03)
    kinds = {kind: np.zeros(n.shape, np.uint16) for kind in KINDS}
    kinds["failed"] = rng.binomial(n, share).astype(np.uint16)
    start = dt.datetime(2022, 9, 1, tzinfo=dt.UTC)
    return claims_of(Counts(country="IR", start=start, series=series, n=n, kinds=kinds), _RULES, StoreFindings())


def _reason(claim: Claim, mechanism: str = "dns_silence") -> str:
    lacks = lacking(claim, mechanism, _RULES.beside)
    return "" if lacks is None else lacks[0]


def test_a_cut_that_showed_in_half_of_the_services_of_a_thin_network_is_the_cut_of_the_others() -> None:
    half = dict.fromkeys(("google-search", "wikipedia"), 0.95)
    skip = ("instagram", "youtube")
    alone = _claims({2: half}, {1: 3.0, 2: 1.0}, skip)
    assert {(claim.kind, claim.services, _reason(claim)) for claim in alone} == {
        ("block", ("google-search",), "beside"), ("block", ("wikipedia",), "beside"),
    }  # fmt: skip
    (one,) = _claims({1: dict.fromkeys(_ABROAD, 0.95), 2: half}, {1: 3.0, 2: 1.0}, skip)
    assert (one.kind, one.networks, one.services) == ("outage", (1, 2), ())


def test_a_block_beside_which_others_work_is_told_and_one_by_a_forged_answer_in_any_case() -> None:
    (many,) = _claims({1: {"github": 0.95}}, {1: 1.5})
    assert (many.services, _reason(many)) == (("github",), "")
    assert many.working == len(_ABROAD) - 1
    (few,) = _claims({1: {"github": 0.95}}, {1: 1.5}, _ABROAD[2:])
    assert few.working == 1
    assert (_reason(few), _reason(few, "dns_forgery"), _reason(few, "tls_name_reset")) == ("beside", "", "")


@pytest.mark.parametrize(
    ("tried", "failed", "reason"),
    [(14, 8, "chance"), (8, 6, "chance"), (5, 5, ""), (14, 13, ""), (400, 230, ""), (400, 205, "chance")],
)
def test_that_most_of_it_fails_has_to_be_sure(tried: int, failed: int, reason: str) -> None:
    claim = msgspec.structs.replace(_BLOCK, tried=tried, failed=failed, share=failed / tried)
    assert _reason(claim) == reason


def test_the_numbers_of_the_rule_are_taken() -> None:
    strict = BesideSettings(services_least=6, share_least=0.5, sure=0.95)
    assert lacking(_BLOCK, "unknown", strict) == ("beside", 6, 5)
