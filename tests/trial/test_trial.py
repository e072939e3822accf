"""The whole gateway in the lab's scenarios, and the figures that are made of the answers."""

from functools import partial

import anyio
import msgspec
import pytest

from rozaneh.lab.lab import Lab, world_for
from rozaneh.lab.matrix import choose_ways, plan
from rozaneh.lab.scenario import load_scenario
from rozaneh.trial import Trial, Tried, questions, run

NAMES = ("clear", "sni-reset", "address-drop", "no-network")


def cell(**facts: object) -> Tried:
    usual: dict[str, object] = {
        "scenario": "a", "vary": "", "network": "mobile", "at": None, "target": "https://blocked.example/",
        "expected": "ok", "observed": "ok", "ok": True, "seconds": 0.3, "first_byte_seconds": 0.3,
        "warm_seconds": 0.2, "way_chosen": "tcp", "obstacle": "", "tried": 1, "oracle_way": "plain",
        "oracle_seconds": 0.2, "lossy": False,
    }  # fmt: skip
    return msgspec.convert(usual | facts, Tried)


def test_a_question_is_asked_once_whatever_the_way() -> None:
    cells = plan([load_scenario("sni-reset")])
    asked = questions(cells)
    assert len(asked) < len(cells)
    assert len({(str(one.target), one.network, one.at) for one in asked}) == len(asked)


def test_figures_count_only_what_some_way_leads_to() -> None:
    trial = Trial(
        cells=(
            cell(),
            cell(first_byte_seconds=0.6, warm_seconds=0.2),
            cell(observed="generic_timeout_error", oracle_way="", oracle_seconds=None, first_byte_seconds=None),
        ),
        seconds=1.0,
    )
    assert len(trial.reachable) == 2
    assert trial.cold == pytest.approx(0.45 / 0.2)
    assert trial.warm == pytest.approx(1.0)
    assert trial.slowest == 0.6
    assert Trial(cells=(), seconds=0.0).cold is None


@pytest.mark.namespaces
def test_the_gateway_comes_where_any_way_leads_and_nothing_false_comes_elsewhere() -> None:
    scenarios = [load_scenario(name) for name in NAMES]
    with Lab(world=world_for(scenarios)) as lab:
        asked = questions(plan(scenarios))
        ways = choose_ways(["plain", "tlsfrag", "ss"])
        trial = anyio.run(partial(run, asked, lab, ways), backend_options={"use_uvloop": True})
    assert trial.ok, [one for one in trial.cells if not one.ok]
    by_scenario = {one.scenario: one for one in trial.cells if one.target == "https://blocked.example/"}
    assert by_scenario["sni-reset"].way_chosen.endswith("tlsfrag:sni|tcp")
    assert by_scenario["address-drop"].way_chosen == "ss://***@45.76.10.11:8388|tcp"
    assert by_scenario["address-drop"].oracle_way == "ss"
    gone = by_scenario["no-network"]
    assert (gone.expected, gone.oracle_way, gone.way_chosen, gone.ok) == (None, "", "", True)
