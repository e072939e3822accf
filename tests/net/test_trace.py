import ssl
from collections.abc import Iterator
from contextlib import suppress

import anyio
import pytest
from trio.testing import MockClock

from rozaneh.core import DialFailed, Failure, LocalFault, Op, RemoteFault
from rozaneh.net import Deadlines, Trace
from rozaneh.net.trace import dial_failed

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def failures(trace: Trace) -> list[tuple[str, str | None]]:
    return [(step.op.value, step.failure) for step in trace.observations]


async def test_a_step_records_what_it_was_told() -> None:
    trace = Trace()
    await anyio.sleep(1)
    async with trace.step(Op.CONNECT, peer="1.2.3.4:5", first=1) as step:
        await anyio.sleep(2)
        step.tag(second="x")
        step.sent += 3
        step.received += 4
    (seen,) = trace.observations
    assert (seen.t0, seen.took, seen.failure, seen.peer) == (1, 2, None, "1.2.3.4:5")
    assert (seen.sent, seen.received, seen.tags) == (3, 4, {"first": 1, "second": "x"})


async def test_a_black_hole_is_a_timeout_of_its_own_step() -> None:
    trace = Trace(Deadlines(connect=5))
    with pytest.raises(DialFailed, match="generic_timeout"):
        async with trace.step(Op.CONNECT):
            await anyio.sleep_forever()
    (seen,) = trace.observations
    assert (seen.failure, seen.took) == (Failure.GENERIC_TIMEOUT_ERROR, 5)


async def test_a_cancelled_step_is_interrupted_and_nothing_else() -> None:
    trace = Trace()
    with anyio.move_on_after(1):
        async with trace.step(Op.CONNECT):
            await anyio.sleep_forever()
    assert failures(trace) == [("connect", "interrupted")]


async def test_a_child_that_its_parents_deadline_cuts_off_is_where_the_time_went() -> None:
    trace = Trace(Deadlines(resolve=3, connect=5))
    with pytest.raises(DialFailed, match="generic_timeout"):
        async with trace.step(Op.RESOLVE) as step, step.under.step(Op.CONNECT):
            await anyio.sleep_forever()
    assert failures(trace) == [("resolve", "generic_timeout_error"), ("connect", "generic_timeout_error")]
    assert trace.observations[1].parent == 0


async def test_a_child_that_somebody_else_cancels_is_interrupted() -> None:
    trace = Trace(Deadlines(resolve=30, connect=50))
    with anyio.move_on_after(1):
        async with trace.step(Op.RESOLVE) as step, step.under.step(Op.CONNECT):
            await anyio.sleep_forever()
    assert failures(trace) == [("resolve", "interrupted"), ("connect", "interrupted")]


async def test_parents_are_renumbered_while_steps_are_open() -> None:
    trace = Trace()
    async with trace.step(Op.PROXY), trace.step(Op.RESOLVE) as resolve:
        async with resolve.under.step(Op.CONNECT) as connect:
            connect.under.note(Op.CLOSE, None)
        assert [(step.op, step.parent) for step in trace.observations] == [(Op.CONNECT, None), (Op.CLOSE, 0)]
    assert [(step.op, step.parent) for step in trace.observations] == [
        (Op.PROXY, None),
        (Op.RESOLVE, None),
        (Op.CONNECT, 1),
        (Op.CLOSE, 2),
    ]


async def test_a_fault_of_ours_is_not_a_failure_of_the_network() -> None:
    trace = Trace()
    with pytest.raises(LocalFault):
        async with trace.step(Op.CONNECT):
            raise LocalFault
    assert failures(trace) == [("connect", "interrupted")]


def certificate_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code = code
    return error


def caused(cause: BaseException) -> anyio.BrokenResourceError:
    error = anyio.BrokenResourceError()
    error.__cause__ = cause
    return error


def errors() -> Iterator[tuple[BaseException, str]]:
    yield DialFailed(Failure.DNS_NO_ANSWER), "dns_no_answer"
    yield TimeoutError(), "generic_timeout_error"
    yield ConnectionResetError(104, "reset"), "connection_reset"
    yield ConnectionRefusedError(111, "refused"), "connection_refused"
    yield OSError(101, "unreachable"), "network_unreachable"
    yield anyio.EndOfStream(), "eof_error"
    yield anyio.IncompleteRead(), "eof_error"
    yield anyio.BrokenResourceError(), "connection_reset"
    yield caused(ConnectionResetError(104, "reset")), "connection_reset"
    yield caused(TimeoutError(110, "timed out")), "generic_timeout_error"
    yield caused(ssl.SSLEOFError()), "eof_error"
    yield anyio.ClosedResourceError(), "connection_already_closed"
    yield ssl.SSLError(1, "alert"), "ssl_failed_handshake"
    yield ssl.SSLZeroReturnError(), "eof_error"
    yield certificate_error(62), "ssl_invalid_hostname"
    yield certificate_error(64), "ssl_invalid_hostname"
    yield certificate_error(18), "ssl_unknown_authority"
    yield certificate_error(20), "ssl_unknown_authority"
    yield certificate_error(10), "ssl_invalid_certificate"
    yield RemoteFault("garbage"), "unknown_failure"


@pytest.mark.parametrize(("error", "failure"), list(errors()))
async def test_what_the_network_raises_becomes_a_failure(error: BaseException, failure: str) -> None:
    assert dial_failed(error).failure == failure
    trace = Trace()
    with suppress(DialFailed):
        async with trace.step(Op.TLS):
            raise error
    assert failures(trace) == [("tls_handshake", failure)]


async def test_deadlines_scale() -> None:
    slow = Deadlines(connect=5).scaled(2)
    assert slow.connect == 10
    assert slow.of(Op.CONNECT) == 10
    assert slow.listen_late == 0
