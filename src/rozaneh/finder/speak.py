"""Say a client's first bytes on a stream, and listen until the answer can be told from a censor's."""

from dataclasses import dataclass

import anyio
from anyio.abc import ByteStream

from rozaneh.core import DialFailed, Op
from rozaneh.finder.flight import Answer, Flight
from rozaneh.net import Step, Trace

_CHUNK = 65536


@dataclass(slots=True)
class Heard:
    """What came back.

    Attributes:
        first: bytes already read from the other end, which belong to the client.
        told: after a failure, bytes that the client may see although the way is not good enough.
    """

    first: bytes = b""
    told: bytes = b""


def awaits_answer(flight: Flight) -> bool:
    """Whether an answer can be told from none: of TLS, and of a plain request that asks for nothing but a page."""
    return flight.kind == "tls" or (flight.kind == "http" and flight.replayable)


async def speak(
    flight: Flight, stream: ByteStream, trace: Trace, heard: Heard, *, picky: bool, since: float | None = None
) -> None:
    """Send the flight, and wait for the first bytes of an answer where one can be told.

    What is neither TLS nor HTTP is only sent: nobody knows whether such a server answers at all.

    Args:
        flight: what to say.
        stream: an open stream to the target.
        trace: where to record it.
        heard: filled with what came back, also when that is a failure.
        picky: whether a refusal by the service itself is a failure.
        since: when it was begun, on the clock of the event loop, if that was before now.

    Raises:
        DialFailed: there is no answer, or none that the true server would give.
    """
    answer = Answer(flight, picky=picky)
    if flight.kind == "tls":
        async with trace.step(Op.TLS, since=since, sni=flight.name) as step:
            await _say(flight, stream, step)
            await _listen(answer, stream, step, heard)
        return
    async with trace.step(Op.REQUEST) as step:
        await _say(flight, stream, step)
    if awaits_answer(flight):
        async with trace.step(Op.FIRST_BYTE, since=since) as step:
            await _listen(answer, stream, step, heard)


async def _say(flight: Flight, stream: ByteStream, step: Step) -> None:
    await stream.send(flight.data)
    step.sent += len(flight.data)


async def _listen(answer: Answer, stream: ByteStream, step: Step, heard: Heard) -> None:
    verdict = None
    while verdict is None:
        try:
            data = await stream.receive(_CHUNK)
        except anyio.EndOfStream:
            verdict = answer.end()
        else:
            step.received += len(data)
            verdict = answer.feed(data)
    step.tag(**verdict.facts)
    heard.first = answer.data
    if verdict.failure is not None:
        heard.told = verdict.told
        raise DialFailed(verdict.failure, f"an answer of {len(answer.data)} bytes that is none")
