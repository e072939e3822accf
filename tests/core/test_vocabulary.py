import errno

import msgspec
import pytest

from rozaneh.core import Attempt, DialFailed, Failure, Observation, Op, Target
from rozaneh.core.failure import failure_of_errno

_TARGET = Target(host="example.org", port=443)


def _step(op: Op, failure: Failure | None = None, **tags: str | tuple[str, ...]) -> Observation:
    return Observation(op=op, t0=0.0, took=0.1, failure=failure, tags=dict(tags))


def test_the_step_that_ended_an_attempt_is_the_last_that_failed_by_itself() -> None:
    reset = _step(Op.TLS, Failure.CONNECTION_RESET)
    attempt = Attempt(
        target=_TARGET,
        spec="tcp",
        started=0.0,
        took=1.0,
        failure=Failure.CONNECTION_RESET,
        observations=(_step(Op.RESOLVE), _step(Op.CONNECT), reset, _step(Op.CONNECT, Failure.INTERRUPTED)),
    )
    assert attempt.last_failed() is reset
    assert not attempt.ok
    assert len(list(attempt.steps(Op.CONNECT))) == 2


def test_an_interrupted_attempt_has_no_step_that_ended_it() -> None:
    attempt = Attempt(
        target=_TARGET,
        spec="tcp",
        started=0.0,
        took=1.0,
        failure=Failure.INTERRUPTED,
        observations=(_step(Op.CONNECT, Failure.INTERRUPTED),),
    )
    assert attempt.last_failed() is None


def test_a_tag_has_a_default_and_a_list_is_a_list() -> None:
    step = _step(Op.RESOLVE, answers=("192.0.2.1",), rcode="NOERROR")
    assert step.tag("rcode") == "NOERROR"
    assert step.tag("ttl", 0) == 0
    assert step.names("answers") == ("192.0.2.1",)
    assert step.names("rcode") == ()


def test_an_attempt_survives_json() -> None:
    attempt = Attempt(
        target=_TARGET, spec="tcp", started=1.5, took=0.2, observations=(_step(Op.RESOLVE, answers=("192.0.2.1",)),)
    )
    assert msgspec.json.decode(msgspec.json.encode(attempt), type=Attempt) == attempt


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.ECONNREFUSED, Failure.CONNECTION_REFUSED),
        (errno.ECONNRESET, Failure.CONNECTION_RESET),
        (errno.EHOSTUNREACH, Failure.HOST_UNREACHABLE),
        (errno.ETIMEDOUT, Failure.GENERIC_TIMEOUT_ERROR),
        (None, Failure.UNKNOWN_FAILURE),
        (99999, Failure.UNKNOWN_FAILURE),
    ],
)
def test_the_numbers_of_system_calls_have_names(number: int | None, failure: Failure) -> None:
    assert failure_of_errno(number) is failure


def test_failures_are_the_strings_of_ooni() -> None:
    assert str(Failure.CONNECTION_RESET) == "connection_reset"
    assert all(failure.value == failure.name.lower() for failure in Failure)


def test_a_failed_dial_says_what_and_why_on_one_line() -> None:
    assert str(DialFailed(Failure.EOF_ERROR)) == "eof_error"
    assert str(DialFailed(Failure.EOF_ERROR, "closed early")) == "eof_error: closed early"
