"""Whether something on the path rewrites or answers plain HTTP: odd requests to a server that sends back what it gets.

After OONI's http_header_field_manipulation and http_invalid_request_line (ooni/spec, ts-006 and ts-007), whose keys
the result has. A transparent proxy normalises header names, refuses what is no HTTP, or answers in the server's
place.
"""

import random
import string

import msgspec

from rozaneh.core import Attempt, Op, Target
from rozaneh.diagnosis import Evidence, Mechanism, Outcome, Role, Tried, Verdict, Who
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments.finding import Finding, Line
from rozaneh.probe.experiments.plan import sends
from rozaneh.probe.services import Endpoint
from rozaneh.words import mark

NAME = "middlebox"
_PORT = 80
_CONFIDENCE = 0.9


class Echoed(msgspec.Struct, frozen=True, kw_only=True):
    """One odd request: what was sent, what came back, and whether that differs; ``None`` where nothing came."""

    name: str
    sent: str
    received: str
    tampered: bool | None
    failure: str = ""


class Middlebox(msgspec.Struct, frozen=True, kw_only=True):
    """The result, with OONI's names.

    Attributes:
        sent: the requests.
        received: what came back for each.
        tampering_list: whether that differs, for each.
        failure_list: how each failed.
        tampering: whether any differs.
        requests: the same by name.
    """

    sent: tuple[str, ...]
    received: tuple[str, ...]
    tampering_list: tuple[bool, ...]
    failure_list: tuple[str | None, ...]
    tampering: bool
    requests: tuple[Echoed, ...]


async def run(tools: Tools, _endpoint: Endpoint) -> Finding:
    """Send each, one after another, to the server that echoes."""
    chance = random.SystemRandom()
    word = "".join(chance.choices(string.ascii_uppercase, k=8))
    odd = "".join(c.upper() if chance.random() < 0.5 else c.lower() for c in "accept-language")
    requests = {
        "header names": f"GET / HTTP/1.1\r\nhOsT: {word.lower()}.example\r\n{odd}: en-US\r\nX-{word}: {word}\r\n\r\n",
        "method": f"{word[:4]} / HTTP/1.1\r\nHost: {word.lower()}.example\r\n\r\n",
        "version": f"GET / HTTP/{word[:3]}\r\n\r\n",
        "too many fields": f"GET / {word} {word} HTTP/1.1\r\n\r\n",
    }
    target = Target(host=tools.vantages.echo, port=_PORT, speaks="http").at(tools.vantages.echo)
    seen: list[Echoed] = []
    attempts: list[Attempt] = []
    for name, text in requests.items():
        payload = text.encode()
        heard = bytearray()

        def whole(so_far: bytes, into: bytearray = heard, least: int = len(payload)) -> bool:
            into[:] = so_far
            return len(so_far) >= least

        attempt = await tools.dials.attempt(target, sends(target, payload, expects=whole))
        attempts.append(attempt)
        received = heard.decode("utf-8", "replace")
        seen.append(
            Echoed(
                name=name, sent=text, received=received, tampered=(received != text) if heard else None,
                failure=attempt.failure.value if attempt.failure else "",
            )
        )  # fmt: skip
    keys = Middlebox(
        sent=tuple(each.sent for each in seen),
        received=tuple(each.received for each in seen),
        tampering_list=tuple(bool(each.tampered) for each in seen),
        failure_list=tuple(each.failure or None for each in seen),
        tampering=any(each.tampered for each in seen),
        requests=tuple(seen),
    )
    evidence = Evidence(
        tried=tuple(Tried(Role.SHAPED, attempt) for attempt in attempts),
        canaries=tuple(tools.canaries.seen),
        kind="http",
    )
    return Finding(
        experiment=NAME, target=str(target), verdict=_verdict(keys, attempts), evidence=evidence, keys=keys,
        said=(_said(keys),),
    )  # fmt: skip


def _verdict(keys: Middlebox, attempts: list[Attempt]) -> Verdict:
    """That something rewrites is no blocking; so the most that is said is that it works."""
    connected = any(step.failure is None for attempt in attempts for step in attempt.steps(Op.CONNECT))
    heard = any(each.received for each in keys.requests)
    if not (connected and heard):
        return Verdict(verdict=Outcome.CANNOT_TELL, mechanism=Mechanism.UNKNOWN, missing=("shaped_neutral.ok",))
    return Verdict(verdict=Outcome.OK, mechanism=Mechanism.NONE, who=Who.NOBODY, confidence=_CONFIDENCE)


def _said(keys: Middlebox) -> Line:
    if keys.tampering:
        names = ", ".join(each.name for each in keys.requests if each.tampered)
        return Line(mark("Something on the path rewrites or answers plain HTTP requests: {names}."), {"names": names})
    unanswered = [each.name for each in keys.requests if each.tampered is None]
    if len(unanswered) == len(keys.requests):
        return Line(mark("The server that sends back what it gets did not answer: nothing can be told."))
    if unanswered:
        return Line(mark("Odd HTTP requests that got no answer: {names}."), {"names": ", ".join(unanswered)})
    return Line(mark("Odd HTTP requests arrive as they were sent: nothing on the path touches them."))
