"""What is answered to a name, by whom: plain and encrypted resolvers side by side, forged answers told from true ones.

Injectors on the path are counted in two ways: by the number of answers to one question, listened for after the first;
and by asking an address where no resolver listens. Whatever answers there stands on the path.
"""

import secrets

import anyio
import msgspec

from rozaneh.codecs.dns import Response, parse, question
from rozaneh.core import DialFailed, Failure, Op, RemoteFault
from rozaneh.core.addresses import is_bogon
from rozaneh.diagnosis import Role, Tried, signatures
from rozaneh.net import Trace
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments.finding import Finding, Line, found
from rozaneh.probe.experiments.plan import evidence_of
from rozaneh.probe.services import Endpoint
from rozaneh.words import mark

NAME = "dns"
_LISTEN = 2.0
_LONGEST = 32
_PAUSE = 0.05


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one resolver, or whoever was faster, answered.

    Attributes:
        resolver: whom was asked.
        carrier: ``system``, ``udp``, ``tcp``, ``dot``, ``doh``, or ``nowhere``: a place where no resolver listens.
        answers: each answer that came, in order, as its addresses; an empty one is a denial.
        ttls: the time to live that each states.
        failure: how asking failed.
        forged: how many of the answers are no true ones.
    """

    resolver: str
    carrier: str
    answers: tuple[tuple[str, ...], ...] = ()
    ttls: tuple[int, ...] = ()
    failure: str = ""
    forged: int = 0


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The result.

    Attributes:
        name: the name.
        answered: by resolver.
        true_addresses: what encrypted resolvers say.
        injectors: how many answer in the place of resolvers, at least.
    """

    name: str
    answered: tuple[Answered, ...]
    true_addresses: tuple[str, ...] = ()
    injectors: int = 0


async def run(tools: Tools, endpoint: Endpoint) -> Finding:
    """Ask everybody at once, then compare."""
    host = endpoint.target.host
    made: list[Answered] = []
    tried: list[Tried] = []

    async def system() -> None:
        attempt = await tools.dials.plain(endpoint)
        tried.append(Tried(Role.SYSTEM, attempt))
        for step in attempt.steps(Op.RESOLVE):
            both = [step.names("answers"), step.names("late_answers")]
            made.append(
                Answered(
                    resolver=str(step.tag("resolver") or "system"), carrier="system",
                    answers=tuple(each for each in both if each),
                    failure=step.failure.value if step.failure else "",
                )
            )  # fmt: skip

    async def datagrams(resolver: str, carrier: str) -> None:
        made.append(await _by_datagrams(tools, resolver, carrier, host))

    async def way(carrier: str, spec: str) -> None:
        attempt = await tools.lookups.by(spec, host)
        step = next(iter(attempt.steps(Op.RESOLVE)), None)
        answers = step.names("answers") if step else ()
        made.append(
            Answered(
                resolver=spec, carrier=carrier, answers=(answers,) if answers else (),
                failure=step.failure.value if step and step.failure else "" if answers else str(attempt.failure or ""),
            )
        )  # fmt: skip

    plain = tools.vantages.plain_resolvers
    async with anyio.create_task_group() as group:
        group.start_soon(system)
        for resolver in plain:
            group.start_soon(datagrams, resolver, "udp")
            group.start_soon(way, "tcp", f"dnstcp:{resolver}")
        for address in tools.vantages.no_resolver:
            group.start_soon(datagrams, address, "nowhere")
        for spec in tools.vantages.resolvers:
            group.start_soon(way, spec.partition(":")[0], spec)
    true = tuple(
        dict.fromkeys(a for each in made if each.carrier in ("doh", "dot") for one in each.answers for a in one)
    )
    judged = tuple(_judged(each, true) for each in made)
    injectors = max((each.forged for each in judged), default=0)
    keys = Names(name=host, answered=judged, true_addresses=true, injectors=injectors)
    return found(NAME, host, evidence_of(tools, endpoint, tried, trusted=true), keys, *_said(host, keys))


async def _by_datagrams(tools: Tools, resolver: str, carrier: str, host: str) -> Answered:
    """Ask for the IPv4 address over UDP, and hear every answer that comes within two seconds."""
    heard: list[Response] = []
    failure = ""
    async with tools.dials.pace.turn(resolver):
        try:
            await _hear(tools, resolver, host, heard)
        except DialFailed as failed:
            failure = failed.failure.value
    return Answered(
        resolver=resolver, carrier=carrier, failure=failure,
        answers=tuple(tuple(each.addresses) for each in heard), ttls=tuple(each.ttl for each in heard),
    )  # fmt: skip


async def _hear(tools: Tools, resolver: str, host: str, heard: list[Response]) -> None:
    identifier = secrets.randbits(16)
    trace = Trace(tools.dials.deadlines)
    async with trace.step(Op.RESOLVE, peer=f"{resolver}:53", engine="udp", query=host):
        socket = await tools.dials.network.connect_udp(resolver, 53)
        try:
            await socket.send(question(host, "A", identifier))
            with anyio.move_on_after(_LISTEN):
                while len(heard) < _LONGEST:
                    try:
                        heard.append(parse(await socket.receive(), host, "A", identifier))
                    except RemoteFault:
                        continue
                    except OSError:
                        # Where no resolver listens the host says so, in the middle of what others answer.
                        await anyio.sleep(_PAUSE)
        finally:
            await socket.aclose()
        if not heard:
            raise DialFailed(Failure.GENERIC_TIMEOUT_ERROR, "no answer came")


def _judged(each: Answered, true: tuple[str, ...]) -> Answered:
    """How many answers are forged: any from where no resolver is; a known or impossible address; one too many."""
    known = signatures()
    forged = 0
    for number, answer in enumerate(each.answers):
        impossible = any(is_bogon(a) or known.address_kind(a) for a in answer) and not set(answer) & set(true)
        surplus = number > 0 and each.carrier == "udp"
        forged += each.carrier == "nowhere" or impossible or (surplus and bool(true) and not set(answer) & set(true))
    return msgspec.structs.replace(each, forged=forged)


def _said(host: str, keys: Names) -> tuple[Line, ...]:
    lines = []
    if keys.injectors:
        lines.append(
            Line(
                mark(
                    "Forged answers come for {name}: at least {count} boxes on the path answer in the resolvers' place."
                ),
                {"name": host, "count": keys.injectors},
            )
        )
    else:
        lines.append(Line(mark("No forged answers were seen for {name}."), {"name": host}))
    dead = sorted(
        {each.carrier for each in keys.answered if each.failure and each.carrier not in ("nowhere", "system")}
    )
    alive = sorted({each.carrier for each in keys.answered if not each.failure and each.carrier != "nowhere"})
    lines.append(Line(mark("Carriers that brought an answer: {alive}."), {"alive": ", ".join(alive) or "-"}))
    if dead:
        lines.append(Line(mark("Carriers of which at least one got no answer: {dead}."), {"dead": ", ".join(dead)}))
    return tuple(lines)
