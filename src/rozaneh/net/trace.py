"""The record of one attempt while it runs.

Theory of operation. A trace is handed down the stack of dialers explicitly; there are no context variables. Whoever
does something that takes time opens a step::

    async with trace.step(Op.CONNECT, peer="192.0.2.1:443") as step:
        stream = await network.connect_tcp("192.0.2.1", 443)

The step has its own deadline, so that a black hole is recorded as ``generic_timeout_error`` at the step where it is and
not as an interruption of the whole. It is recorded in ``finally``, so that the losers of a race do not vanish. A
cancellation from outside is recorded as ``interrupted``. A step is itself a place to open steps in, and they become its
children; a child that is cut off by its parent's deadline is where the time went, and records the timeout as its own.
"""

import math
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Self

import anyio
import msgspec

from rozaneh.core import DialFailed, Failure, Observation, Op, RemoteFault, TagValue
from rozaneh.core.failure import failure_of_errno

_NO_TAGS: Mapping[str, TagValue] = MappingProxyType({})


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that each kind of step may take. A repeated SYN leaves after 1 s and 3 s: connect allows for both.

    ``listen_late`` is no deadline: it is how many seconds a lookup over UDP goes on listening after it has its answers,
    so that a measurement sees the true answer behind a forged one. Whoever only wants to connect leaves it at 0.
    """

    resolve: float = 4.0
    connect: float = 5.0
    proxy: float = 8.0
    tls_handshake: float = 5.0
    quic_handshake: float = 5.0
    request: float = 5.0
    first_byte: float = 8.0
    throughput: float = 15.0
    close: float = 1.0
    listen_late: float = 0.0

    def of(self, op: Op) -> float:
        """The seconds for one kind of step."""
        return float(getattr(self, op.value))

    def scaled(self, factor: float) -> "Deadlines":
        """All deadlines times a factor, for a line known to be slow or a lab known to be fast."""
        return Deadlines(**{name: getattr(self, name) * factor for name in self.__struct_fields__})


class Step:
    """One open step. Dialers tag it and count bytes on it; it turns into an :class:`Observation` when it ends."""

    def __init__(self, trace: "Trace", index: int) -> None:
        self.peer = ""
        self.sent = 0
        self.received = 0
        self.tags: dict[str, TagValue] = {}
        self._trace = trace
        self._index = index
        self._until = math.inf

    def tag(self, **facts: TagValue) -> None:
        """Add facts of the protocol."""
        self.tags.update(facts)

    @property
    def under(self) -> "Trace":
        """A view of the trace in which new steps become children of this one."""
        return self._trace._under(self._index, self._until)  # noqa: SLF001 - a step and its trace are one mechanism

    @classmethod
    def _opened(cls, trace: "Trace", index: int, peer: str, tags: dict[str, TagValue]) -> Self:
        step = cls(trace, index)
        step.peer = peer
        step.tags.update(tags)
        return step


class Trace:
    """The record of an attempt; see the module's text for how it is used."""

    def __init__(self, deadlines: Deadlines | None = None, *, clock: Callable[[], float] | None = None) -> None:
        self.deadlines = deadlines or Deadlines()
        self._clock = clock or anyio.current_time
        self._start = self._clock()
        self._records: list[Observation | None] = []
        self._parent: int | None = None
        self._until = math.inf

    @property
    def elapsed(self) -> float:
        """Seconds since the attempt began."""
        return self._clock() - self._start

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The steps that have ended so far, in the order in which they began, with parents renumbered to match."""
        if None not in self._records:
            return tuple(self._records)  # type: ignore[arg-type]  # mypy does not see that none is None
        ended = [index for index, record in enumerate(self._records) if record is not None]
        place = {index: position for position, index in enumerate(ended)}
        found = []
        for index in ended:
            record = self._records[index]
            if record is not None:
                parent = place.get(record.parent) if record.parent is not None else None
                found.append(record if record.parent == parent else msgspec.structs.replace(record, parent=parent))
        return tuple(found)

    def note(self, op: Op, failure: Failure | None = None, *, peer: str = "", **tags: TagValue) -> None:
        """Record something that took no time of its own."""
        now = round(self.elapsed, 6)
        self._records.append(
            Observation(op=op, t0=now, took=0.0, failure=failure, peer=peer, parent=self._parent, tags=dict(tags))
        )

    def ended(
        self,
        op: Op,
        since: float,
        *,
        peer: str = "",
        sent: int = 0,
        received: int = 0,
        tags: Mapping[str, TagValue] = _NO_TAGS,
    ) -> None:
        """Record a step that has just ended well, for whoever waits in the event loop's callbacks.

        Args:
            op: what kind of step.
            since: when it began, on the clock of the event loop.
            peer: ``address:port`` of the other end, where there is one.
            sent: bytes written during it.
            received: bytes read during it.
            tags: facts of the protocol.
        """
        t0 = since - self._start
        self._records.append(
            Observation(
                op=op,
                t0=round(t0, 6),
                took=round(self.elapsed - t0, 6),
                peer=peer,
                parent=self._parent,
                sent=sent,
                received=received,
                tags=dict(tags),
            )
        )

    @asynccontextmanager
    async def step(
        self,
        op: Op,
        *,
        peer: str = "",
        deadline: float | None = None,
        since: float | None = None,
        **tags: TagValue,
    ) -> AsyncIterator[Step]:
        """Open a step; the body is what takes time.

        Args:
            op: what kind of step.
            peer: ``address:port`` of the other end, where there is one.
            deadline: seconds, instead of the attempt's deadline for this kind of step.
            since: when what it waits for began, on the clock of the event loop, if that was before now.
            tags: facts known before it begins.

        Raises:
            DialFailed: the body failed in a way that the network can cause, or its deadline passed.
        """
        index = len(self._records)
        self._records.append(None)
        step = Step._opened(self, index, peer, tags)  # noqa: SLF001 - as above
        began = self.elapsed if since is None else since - self._start
        failure: Failure | None = Failure.INTERRUPTED
        seconds = (self.deadlines.of(op) if deadline is None else deadline) - (self.elapsed - began)
        try:
            with anyio.fail_after(None if math.isinf(seconds) else seconds) as scope:
                step._until = min(scope.deadline, self._until)  # noqa: SLF001 - a step and its trace are one mechanism
                yield step
            failure = None
        except NETWORK_ERRORS as error:
            failed = dial_failed(error)
            failure = failed.failure
            raise failed from error
        finally:
            if failure is Failure.INTERRUPTED and anyio.current_time() >= self._until:
                failure = Failure.GENERIC_TIMEOUT_ERROR
            self._records[index] = Observation(
                op=op,
                t0=round(began, 6),
                took=round(self.elapsed - began, 6),
                failure=failure,
                peer=step.peer,
                parent=self._parent,
                sent=step.sent,
                received=step.received,
                tags=step.tags,
            )

    def _under(self, index: int, until: float) -> "Trace":
        view = object.__new__(Trace)
        view.__dict__ = dict(self.__dict__, _parent=index, _until=until)
        return view


NETWORK_ERRORS = (
    DialFailed,
    RemoteFault,
    TimeoutError,
    OSError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.IncompleteRead,
    anyio.DelimiterNotFound,
)
"""What a network may raise at us: the one boundary at which foreign errors become failures."""


def dial_failed(error: BaseException) -> DialFailed:
    """The failure that an error of :data:`NETWORK_ERRORS` stands for."""
    if isinstance(error, DialFailed):
        return error
    cause = error.__cause__
    if isinstance(error, anyio.BrokenResourceError) and isinstance(cause, OSError):
        return dial_failed(cause)
    return DialFailed(failure_of(error), str(error)[:200])


def failure_of(error: BaseException) -> Failure:
    """The failure alone."""
    if isinstance(error, DialFailed):
        return error.failure
    cause = error.__cause__
    if isinstance(error, anyio.BrokenResourceError) and isinstance(cause, OSError):
        return failure_of(cause)
    if isinstance(error, OSError):
        return _failure_of_system(error)
    if isinstance(error, anyio.EndOfStream | anyio.IncompleteRead):
        return Failure.EOF_ERROR
    if isinstance(error, anyio.BrokenResourceError):
        return Failure.CONNECTION_RESET
    if isinstance(error, anyio.ClosedResourceError):
        return Failure.CONNECTION_ALREADY_CLOSED
    return Failure.UNKNOWN_FAILURE


def _failure_of_system(error: OSError) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _failure_of_certificate(error)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure.EOF_ERROR
    if isinstance(error, ssl.SSLError):
        return Failure.SSL_FAILED_HANDSHAKE
    if isinstance(error, TimeoutError):
        return Failure.GENERIC_TIMEOUT_ERROR
    return failure_of_errno(error.errno)


_HOSTNAME_MISMATCH = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)  # issuer not found, self-signed, unable to verify the first certificate


def _failure_of_certificate(error: ssl.SSLCertVerificationError) -> Failure:
    if error.verify_code in _HOSTNAME_MISMATCH:
        return Failure.SSL_INVALID_HOSTNAME
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return Failure.SSL_UNKNOWN_AUTHORITY
    return Failure.SSL_INVALID_CERTIFICATE
