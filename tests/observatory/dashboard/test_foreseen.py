"""What does not count is found when a store is judged, and what was found is used as long as the store is the same."""

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from rozaneh.observatory.dashboard.foreseen import foresee, foreseen
from rozaneh.observatory.dashboard.opening import open_site
from rozaneh.observatory.dashboard.remainders import GONE
from tests.observatory.dashboard import autumn
from tests.observatory.dashboard.test_remainders import AT, PLENTY

LONE = autumn.row(AT, 2, "x", "me", blocked=50, mechanism="dns_forgery")
PATHS = ("data/countries.json", "data/IR/hours.csv", "data/IR/services.json", "fa/index.html")


def shown(place: Path) -> list[bytes]:
    site = open_site(place)
    site.holdings = dataclasses.replace(site.holdings, made=autumn.MADE)
    return [page.body for page in map(site.page, PATHS) if page is not None]


def test_what_was_found_gives_the_same_pages_and_is_not_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = autumn.on_disk(tmp_path / "store", [*PLENTY, LONE])
    before = shown(place)
    assert len(before) == len(PATHS)
    foresee(place)
    out = foreseen(place)("IR")
    assert out is not None
    assert out.select(["asn", "n"]).to_pylist() == [{"asn": 2, "n": 50}]
    again = "rozaneh.observatory.dashboard.remainders._settled"
    monkeypatch.setattr(again, lambda *_: pytest.fail("it is looked for again"))
    assert shown(place) == before


def test_of_another_state_or_a_broken_file_nothing_is_known(tmp_path: Path) -> None:
    place = autumn.on_disk(tmp_path / "store", PLENTY)
    assert foreseen(place)("IR") is None
    foresee(place)
    found = foreseen(place)("IR")
    assert found is not None
    assert (found.num_rows, found.schema) == (0, GONE)
    assert foreseen(place)("IT") is None
    kept = place / "remainders" / "IR.parquet"
    whole = kept.read_bytes()
    for broken in (b"", whole[:-9], whole + b"x", b"PAR1" * 5):
        kept.write_bytes(broken)
        assert foreseen(place)("IR") is None
    kept.write_bytes(whole)
    later = AT + dt.timedelta(days=1)
    autumn.on_disk(place, [autumn.row(later, 1, "x", "a", ok=50)])
    assert foreseen(place)("IR") is None, "who is alone on the new day would be told"
    foresee(place)
    again = foreseen(place)("IR")
    assert again is not None
    assert again["n"].to_pylist() == [50]
