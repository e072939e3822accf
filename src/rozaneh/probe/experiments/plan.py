"""What experiments share: evidence from attempts, pairs of traffic, and trials within a budget."""

import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import anyio

from rozaneh.codecs.tls import server_answer
from rozaneh.core import Attempt, DialFailed, Failure, Op, RemoteFault, Target
from rozaneh.diagnosis import Evidence, Role, Slowness, Tried
from rozaneh.net import ByteStream, Exchange, Trace
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments.finding import Trial, Trials
from rozaneh.probe.services import Endpoint

ANSWER_SECONDS = 2.5
_LONGEST_ANSWER = 16_384


def evidence_of(
    tools: Tools,
    endpoint: Endpoint,
    tried: Sequence[Tried],
    *,
    trusted: tuple[str, ...] = (),
    slowness: Slowness | None = None,
) -> Evidence:
    """Evidence about an endpoint, with what the canaries of the run have shown."""
    return Evidence(
        tried=tuple(tried),
        trusted_answers=trusted or endpoint.addresses,
        canaries=tuple(tools.canaries.seen),
        slowness=slowness,
        kind=endpoint.kind,
        issuer=endpoint.issuer,
    )


def pair(shaped: Sequence[Attempt], neutral: Sequence[Attempt]) -> list[Tried]:
    """A kind of traffic and a harmless kind, at one server, as the rules know them.

    The harmless kind stands for how programs reach the server, so that where both get through the verdict is that it
    works.
    """
    return [
        *(Tried(Role.SYSTEM, attempt) for attempt in neutral[:1]),
        *(Tried(Role.SHAPED_NEUTRAL, attempt) for attempt in neutral),
        *(Tried(Role.SHAPED, attempt) for attempt in shaped),
    ]


def sends(target: Target, payload: bytes, *, expects: Callable[[bytes], bool] = bool) -> Exchange:
    """Send bytes over TCP and wait for an answer.

    Args:
        target: what the stream leads to.
        payload: the bytes.
        expects: whether what came so far is an answer.
    """

    async def exchange(stream: ByteStream, trace: Trace) -> None:
        async with trace.step(Op.REQUEST, peer=target.authority) as step:
            if payload:
                await stream.send(payload)
            step.sent += len(payload)
        async with trace.step(Op.FIRST_BYTE, peer=target.authority, deadline=ANSWER_SECONDS) as step:
            heard = b""
            while len(heard) < _LONGEST_ANSWER:
                heard += await stream.receive()
                step.received = len(heard)
                if expects(heard):
                    step.tag(answer=heard[:64].hex())
                    return
            raise DialFailed(Failure.UNKNOWN_FAILURE, "the answer has no end")

    return exchange


def is_server_hello(heard: bytes) -> bool:
    """Whether a TLS server has answered, be it with an alert."""
    try:
        return server_answer(heard) is not None
    except RemoteFault:
        return False


def client_hello(name: str) -> bytes:
    """The first record of a TLS handshake as this system's library makes it; without a name where none is given."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = context.wrap_bio(incoming, outgoing, server_hostname=name or None)
    with contextlib.suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()


@dataclass(frozen=True)
class Try:
    """A trial that can be made."""

    group: str
    name: str
    make: Callable[[], Awaitable[Attempt]]


async def within(seconds: float, groups: Sequence[Sequence[Try]]) -> tuple[Trials, dict[str, Attempt]]:
    """Make trials, group after group, those of a group side by side, until the time is up.

    Returns:
        The results, and the attempts by ``group name``.
    """
    done: list[Trial] = []
    attempts: dict[str, Attempt] = {}

    async def one(each: Try) -> None:
        attempt = await each.make()
        attempts[f"{each.group} {each.name}"] = attempt
        done.append(Trial.of(each.group, each.name, attempt))

    with anyio.move_on_after(seconds):
        for group in groups:
            async with anyio.create_task_group() as tasks:
                for each in group:
                    tasks.start_soon(one, each)
    order = [f"{each.group} {each.name}" for group in groups for each in group]
    done.sort(key=lambda trial: order.index(f"{trial.group} {trial.name}"))
    untried = tuple(name for name in order if name not in attempts)
    return Trials(trials=tuple(done), untried=untried), attempts
