"""Dial, and keep what was seen: the primitive of the whole house."""

import time
from types import TracebackType
from typing import Self

import anyio

from rozaneh.core import Attempt, DialFailed, Failure, Target
from rozaneh.net.api import ByteStream, Dialer, Exchange, Report
from rozaneh.net.streams import forsake
from rozaneh.net.trace import Deadlines, Trace


class Measured:
    """A dial that has ended, and its stream while that is open.

    The trace stays attached until the stream is closed, because throttling, late resets and freezes happen after the
    handshake. Use it as an async context manager, or call :meth:`aclose`.
    """

    def __init__(self, target: Target, dialer: Dialer, trace: Trace, report: Report | None) -> None:
        self.stream: ByteStream | None = None
        self.trace = trace
        self.failure: Failure | None = Failure.INTERRUPTED
        self.detail = ""
        self._target = target
        self._spec = dialer.spec.redacted()
        self._started = time.time() - trace.elapsed
        self._report = report

    @property
    def ok(self) -> bool:
        """Whether the dial and its exchange succeeded."""
        return self.failure is None

    @property
    def attempt(self) -> Attempt:
        """What has been seen so far, as a value."""
        return Attempt(
            target=self._target,
            spec=self._spec,
            started=self._started,
            took=round(self.trace.elapsed, 6),
            failure=self.failure,
            observations=self.trace.observations,
        )

    def detach(self) -> ByteStream:
        """Hand the open stream to somebody who will close it; the attempt is reported now."""
        stream, self.stream = self.stream, None
        if stream is None:
            raise DialFailed(self.failure or Failure.CONNECTION_ALREADY_CLOSED, self.detail)
        self._tell()
        return stream

    async def aclose(self) -> None:
        """Close the stream, if one is open, and report the attempt once."""
        stream, self.stream = self.stream, None
        try:
            if stream is not None:
                with anyio.CancelScope(shield=True), anyio.move_on_after(self.trace.deadlines.close):
                    await (anyio.aclose_forcefully(stream) if self.ok else forsake(stream))
        finally:
            self._tell()

    def _tell(self) -> None:
        report, self._report = self._report, None
        if report is not None:
            report(self.attempt)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def measure(
    dialer: Dialer,
    target: Target,
    *,
    exchange: Exchange | None = None,
    report: Report | None = None,
    deadlines: Deadlines | None = None,
    trace: Trace | None = None,
) -> Measured:
    """Dial a target in one way and return what happened.

    Args:
        dialer: the way.
        target: what to reach.
        exchange: what to do on the open stream as part of the same attempt, for instance a TLS handshake and a request.
        report: called exactly once with the finished attempt: when it failed, was interrupted, or its stream closed.
        deadlines: seconds for each kind of step.
        trace: of an attempt that has begun already, which the dialer goes on with; its own deadlines hold then.

    Returns:
        The attempt and, when nothing failed, the open stream. A failure of the network is in ``failure``, never raised.
    """
    measured = Measured(target, dialer, trace or Trace(deadlines), report)
    try:
        measured.stream = await dialer.dial(target, measured.trace)
        if exchange is not None:
            await exchange(measured.stream, measured.trace)
        measured.failure = None
    except DialFailed as failed:
        measured.failure = failed.failure
        measured.detail = failed.detail
    finally:
        if measured.failure is not None:
            await measured.aclose()
    return measured
