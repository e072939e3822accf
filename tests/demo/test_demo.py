"""The evening, played in the lab."""

import json
import subprocess
import sys

import msgspec
import pytest

from rozaneh.demo import Claim, Ended, Fetch
from rozaneh.demo.proof import closed_not_leaking, domestic_goes_on, fixed_line_goes_on, stopped_then_through
from rozaneh.diagnosis import Mechanism

PAGE = Fetch(ok=True, exit=0, status=200, size=1500)
BROKEN = Fetch(ok=False, exit=35, says="curl: (35) Recv failure: Connection reset by peer")


class Pair(msgspec.Struct, frozen=True):
    mechanism: Mechanism
    direct: Fetch
    through: Fetch


@pytest.mark.parametrize(
    ("direct", "through", "holds"),
    [(BROKEN, PAGE, True), (PAGE, PAGE, False), (BROKEN, BROKEN, False), (PAGE, BROKEN, False)],
)
def test_a_service_counts_as_opened_only_if_it_was_closed_before(direct: Fetch, through: Fetch, *, holds: bool) -> None:
    pair = Pair(Mechanism.TLS_NAME_RESET, direct, through)
    assert stopped_then_through(Mechanism.TLS_NAME_RESET, [pair]).holds is holds
    assert fixed_line_goes_on([pair]).holds is holds


def test_another_obstacle_proves_nothing() -> None:
    assert not stopped_then_through(Mechanism.DNS_FORGERY, [Pair(Mechanism.TLS_NAME_RESET, BROKEN, PAGE)]).holds
    assert not stopped_then_through(Mechanism.DNS_FORGERY, []).holds
    assert not fixed_line_goes_on([]).holds


def test_after_the_hour_foreign_pages_stay_closed_and_domestic_ones_open() -> None:
    assert closed_not_leaking(Pair(Mechanism.DOMESTIC_ONLY, BROKEN, BROKEN)).holds
    assert not closed_not_leaking(Pair(Mechanism.DOMESTIC_ONLY, BROKEN, PAGE)).holds
    assert domestic_goes_on(Pair(Mechanism.NONE, PAGE, PAGE)).holds
    assert not domestic_goes_on(Pair(Mechanism.NONE, PAGE, BROKEN)).holds


def test_one_claim_that_fails_fails_the_evening() -> None:
    good, bad = Claim(says="a", holds=True), Claim(says="b", holds=False)
    assert Ended(claims=(good, good), seconds=1.0).ok
    assert not Ended(claims=(good, bad), seconds=1.0).ok


@pytest.mark.namespaces
def test_the_whole_evening_happens() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rozaneh.cli", "demo", "--json"], capture_output=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    scenes = json.loads(done.stdout)
    fetched = [scene for scene in scenes if scene["scene"] == "fetched"]
    opened = {scene["mechanism"] for scene in fetched if not scene["direct"]["ok"] and scene["through"]["ok"]}
    assert opened >= {"dns_forgery", "tls_name_reset", "tls_name_silence", "address_black_hole"}
    assert scenes[-1]["ok"] is True
    assert all(claim["holds"] for claim in scenes[-1]["claims"])
