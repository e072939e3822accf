"""Which cells a matrix has is decided without a lab."""

import msgspec
import pytest

from rozaneh.core import LocalFault
from rozaneh.lab.matrix import Finished, Matrix, choose_ways, differing, left_out, plan
from rozaneh.lab.matrix.plan import is_download, is_lossy
from rozaneh.lab.scenario import Scenario, load_scenario, parse_scenario


def scenario(text: str) -> Scenario:
    return parse_scenario(text, "test")


RULE = '[[rule]]\nmatch = { direction = "out", tls.sni = "blocked.example" }\naction = "drop"\n'


def test_a_scenario_without_expectations_is_asked_of_every_way() -> None:
    cells = plan([scenario(RULE)])
    assert [cell.way.name for cell in cells] == [way.name for way in choose_ways()]
    assert {(cell.expected, str(cell.target), cell.network) for cell in cells} == {
        ((), "https://blocked.example/", "mobile")
    }


def test_an_expectation_that_names_a_way_stands_before_one_for_all() -> None:
    both = scenario(
        RULE + '[[expect]]\nway = "*"\noutcome = "ok"\n[[expect]]\nway = "plain"\noutcome = "generic_timeout_error"\n'
    )
    expected = {cell.way.name: cell.expected for cell in plan([both])}
    assert expected["plain"] == ("generic_timeout_error",)
    assert expected["tlsfrag"] == ("ok",)


def test_networks_and_times_are_cells_of_their_own() -> None:
    curfew = plan([load_scenario("mobile-curfew")], choose_ways(["plain"]))
    assert {cell.network for cell in curfew} == {"mobile", "fixed"}
    assert len({(cell.network, cell.at) for cell in curfew}) > 2


def test_every_cell_has_a_seed_of_its_own_that_never_changes() -> None:
    cells = plan([load_scenario("loss-5"), load_scenario("sni-reset")])
    assert len({cell.seed for cell in cells}) == len(cells)
    assert [cell.seed for cell in cells] == [
        cell.seed for cell in plan([load_scenario("loss-5"), load_scenario("sni-reset")])
    ]


def test_a_varied_value_makes_a_cell_for_each() -> None:
    varied = scenario(
        RULE.replace("action", 'state = { scope = "source", residual = 60 }\nvary = { residual = [60, 180] }\naction')
    )
    assert len({cell.vary for cell in plan([varied], choose_ways(["plain"]))}) == 2


def test_what_needs_packets_is_left_out_where_there_are_none_and_is_named() -> None:
    streams = scenario('tier = "streams"\n' + RULE)
    packets = msgspec.structs.replace(scenario(RULE), id="needs-packets")
    cells = plan([streams, packets], real_packets=False)
    assert {cell.scenario for cell in cells} == {streams.id}
    assert {cell.way.name for cell in cells} == {"plain", "dnstcp", "dot", "doh", "socks5", "connect", "ss"}
    assert left_out([streams, packets]) == ("needs-packets", "split", "tlsfrag", "both", "disorder")


@pytest.mark.parametrize("action", ["{ loss = 0.1 }", "{ reorder = 0.1 }"])
def test_loss_by_chance_is_told(action: str) -> None:
    assert is_lossy(scenario(f"[[rule]]\naction = {action}\n"))
    assert not is_lossy(scenario(RULE))


def test_downloads_are_told() -> None:
    (cell, *_) = plan([load_scenario("sni-throttled-20k")])
    assert is_download(cell.target)


@pytest.mark.parametrize("text", ["tcq", "tcq|tcp", "split:2", "doh:dns.google@8.8.8.8"])
def test_what_is_no_way_is_named(text: str) -> None:
    with pytest.raises(LocalFault, match="not a way"):
        choose_ways([text])


@pytest.mark.parametrize("wrong", ['way = "bogus|tcp"', 'way = "plain"\ntarget = "two words"'])
def test_an_expectation_that_cannot_be_asked_is_named_with_its_place(wrong: str) -> None:
    with pytest.raises(LocalFault, match=r"^test: expect\[1\]: not a"):
        plan([scenario(f'{RULE}[[expect]]\n{wrong}\noutcome = "ok"\n')])


def cell(**given: object) -> Finished:
    usual = {"scenario": "s", "vary": "", "network": "mobile", "at": None, "way": "plain", "spec": "tcp"}
    more = {"target": "https://x/", "expected": "ok", "observed": "ok", "ok": True, "seconds": 0.1}
    return msgspec.convert({**usual, **more, **given}, Finished)


def matrix(*cells: Finished) -> Matrix:
    return Matrix(cells=cells, controls=1, seconds=1.0)


def test_a_cell_that_differs_between_runs_is_not_ok_unless_packets_get_lost_there() -> None:
    unexpected = cell(expected=None, observed="connection_reset")
    result = differing([matrix(cell(), cell(lossy=True)), matrix(unexpected, cell(lossy=True, observed="eof_error"))])
    assert [each.ok for each in result.cells] == [False, True]
    assert "connection_reset, ok" in result.cells[0].reason


def test_a_cell_that_was_wrong_once_stays_wrong() -> None:
    wrong = cell(ok=False, reason="expected ok", observed="eof_error")
    assert not differing([matrix(wrong), matrix(wrong)]).ok
    assert differing([matrix(cell()), matrix(cell())]).ok
