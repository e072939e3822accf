import errno

import anyio
import pytest

from rozaneh.core import Attempt, Failure, Op, Target
from rozaneh.dialers import build
from rozaneh.net import Deadlines, measure
from rozaneh.net.memory import MemoryNetwork, echo
from tests.dialers.world import NAME, SITE, SITE6, outline

pytestmark = pytest.mark.anyio

TARGET = Target(host=NAME, port=443, speaks="https")
OTHER = "93.184.216.35"


async def test_resolves_then_connects() -> None:
    async with MemoryNetwork(names={NAME: [SITE]}) as network:
        network.serve(SITE, 443, echo)
        async with await measure(build("tcp", network), TARGET) as measured:
            assert outline(measured.attempt) == ["resolve", f"connect {SITE}:443"]
            (resolve,) = measured.attempt.steps(Op.RESOLVE)
            assert resolve.tags == {"engine": "system", "query": NAME, "answers": (SITE,), "resolver": "memory"}


async def test_known_addresses_and_literals_are_not_resolved() -> None:
    async with MemoryNetwork() as network:
        network.serve(SITE, 443, echo)
        for target in (TARGET.at(SITE), Target(host=SITE, port=443)):
            async with await measure(build("tcp", network), target) as measured:
                assert outline(measured.attempt) == [f"connect {SITE}:443"]


async def test_families_take_turns_and_losers_are_interrupted() -> None:
    async with MemoryNetwork() as network:
        network.black_hole(SITE6, 443)
        network.black_hole(OTHER, 443)
        network.serve(SITE, 443, echo)
        async with await measure(build("tcp", network), TARGET.at(OTHER, SITE, SITE6)) as measured:
            steps = measured.attempt.observations
    assert [step.peer for step in steps] == [f"[{SITE6}]:443", f"{OTHER}:443", f"{SITE}:443"]
    assert [step.t0 for step in steps] == pytest.approx([0, 0.25, 0.5])
    assert [step.failure for step in steps] == ["interrupted", "interrupted", None]


async def test_a_failure_starts_the_next_at_once() -> None:
    async with MemoryNetwork() as network:
        network.fail(SITE6, 443, errno.ENETUNREACH)
        network.serve(SITE, 443, echo)
        async with await measure(build("tcp", network), TARGET.at(SITE, SITE6)) as measured:
            assert measured.attempt.took == 0
            assert [step.failure for step in measured.attempt.observations] == ["network_unreachable", None]


async def test_when_all_fail_the_one_that_tells_most_is_the_failure() -> None:
    async with MemoryNetwork() as network:
        network.fail(SITE6, 443, errno.ENETUNREACH)
        network.black_hole(SITE, 443)
        measured = await measure(build("tcp", network), TARGET.at(SITE, SITE6), deadlines=Deadlines(connect=5))
    assert measured.failure is Failure.GENERIC_TIMEOUT_ERROR
    async with MemoryNetwork() as network:
        network.fail(SITE6, 443, errno.ENETUNREACH)
        measured = await measure(build("tcp", network), TARGET.at(SITE6))
    assert measured.failure is Failure.NETWORK_UNREACHABLE


async def test_two_that_connect_leave_one_open() -> None:
    async with MemoryNetwork(delay=0.2) as network:
        network.serve(SITE, 443, echo)
        network.serve(OTHER, 443, echo)
        async with await measure(build("tcp", network), TARGET.at(SITE, OTHER)) as measured:
            assert [step.failure for step in measured.attempt.observations] == [None, "interrupted"]


async def test_a_bounded_number_of_addresses_is_tried() -> None:
    async with MemoryNetwork() as network:
        await measure(build("tcp", network), TARGET.at(*(f"93.184.216.{n}" for n in range(100))))
        assert len(network.connections) == 8


async def test_a_forged_answer_never_gets_the_users_bytes() -> None:
    async with MemoryNetwork(names={NAME: ["10.10.34.36", "d0::11"]}) as network:
        network.serve("10.10.34.36", 443, echo)
        measured = await measure(build("tcp", network), TARGET)
        assert measured.failure is Failure.DNS_BOGON_ERROR
        assert outline(measured.attempt) == ["resolve dns_bogon_error"]
        assert measured.attempt.observations[0].names("answers") == ("10.10.34.36", "d0::11")
        measured = await measure(build("tcp", network), TARGET.at("10.10.34.36"))
        assert outline(measured.attempt) == ["connect 10.10.34.36:443 dns_bogon_error"]
        assert network.connections == []


async def test_forged_answers_among_true_ones_are_passed_over() -> None:
    async with MemoryNetwork(names={NAME: ["10.10.34.36", SITE]}) as network:
        network.serve(SITE, 443, echo)
        async with await measure(build("tcp", network), TARGET) as measured:
            assert outline(measured.attempt) == ["resolve", f"connect {SITE}:443"]


async def test_whoever_wants_to_look_at_such_an_address_dials_it_as_a_literal() -> None:
    async with MemoryNetwork() as network:
        network.serve("10.10.34.36", 80, echo)
        async with await measure(build("tcp", network), Target(host="10.10.34.36", port=80)) as measured:
            assert measured.ok


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (Failure.DNS_SERVFAIL_ERROR, "dns_servfail_error"),
        (None, "generic_timeout_error"),
        (Failure.DNS_NXDOMAIN_ERROR, "dns_nxdomain_error"),
    ],
)
async def test_a_lookup_that_fails_ends_the_dial(script: Failure | None, failure: str) -> None:
    async with MemoryNetwork(names={NAME: script}) as network:
        measured = await measure(build("tcp", network), TARGET)
        assert outline(measured.attempt) == [f"resolve {failure}"]


async def test_an_outer_cancellation_interrupts_all() -> None:
    async with MemoryNetwork() as network:
        network.black_hole(SITE, 443)
        network.black_hole(OTHER, 443)
        seen: list[Attempt] = []
        with anyio.move_on_after(1):
            await measure(build("tcp", network), TARGET.at(SITE, OTHER), report=seen.append)
    assert [step.failure for step in seen[0].observations] == ["interrupted", "interrupted"]
