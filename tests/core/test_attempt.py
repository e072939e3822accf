import errno

import msgspec

from rozaneh.core import Attempt, Failure, Observation, Op, Target
from rozaneh.core.failure import failure_of_errno


def attempt(*steps: Observation) -> Attempt:
    return Attempt(
        target=Target(host="a.example", port=443), spec="tcp", started=0.0, took=1.0, observations=tuple(steps)
    )


def test_what_ended_it_is_the_last_that_failed_by_itself() -> None:
    refused = Observation(op=Op.CONNECT, t0=0.0, took=0.1, failure=Failure.CONNECTION_REFUSED)
    loser = Observation(op=Op.CONNECT, t0=0.2, took=0.1, failure=Failure.INTERRUPTED)
    fine = Observation(op=Op.TLS, t0=0.3, took=0.1)
    seen = attempt(refused, loser, fine)
    assert seen.last_failed() is refused
    assert list(seen.steps(Op.CONNECT)) == [refused, loser]
    assert attempt(loser, fine).last_failed() is None


def test_survives_a_file() -> None:
    step = Observation(op=Op.RESOLVE, t0=0.0, took=0.1, tags={"answers": ("1.2.3.4",), "engine": "udp", "ttl": 60})
    text = msgspec.json.encode(attempt(step))
    assert msgspec.json.decode(text, type=Attempt) == attempt(step)
    assert step.names("answers") == ("1.2.3.4",)
    assert step.names("engine") == ()
    assert step.tag("absent", 7) == 7


def test_failures_are_those_of_ooni() -> None:
    assert failure_of_errno(errno.ECONNRESET) == "connection_reset"
    assert failure_of_errno(errno.ENETUNREACH) == "network_unreachable"
    assert failure_of_errno(None) == "unknown_failure"
    assert failure_of_errno(9999) == "unknown_failure"
