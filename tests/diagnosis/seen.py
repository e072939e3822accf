"""Evidence in memory, written as what was seen: ``seen("tls.reset")`` was reset in the handshake."""

from collections.abc import Sequence

from rozaneh.core import Attempt, Failure, Observation, Op, Target
from rozaneh.core.observation import TagValue
from rozaneh.diagnosis import Canary, Control, Evidence, Role, Tried, Zone

SITE = "93.184.216.34"
ELSEWHERE = "203.0.113.80"
FORGED = "10.10.34.35"
ROUND_TRIP = 0.04

_F = Failure
_FAILURES: dict[str, tuple[Failure, dict[str, TagValue]]] = {
    "silence": (_F.GENERIC_TIMEOUT_ERROR, {}),
    "reset": (_F.CONNECTION_RESET, {}),
    "refused": (_F.CONNECTION_REFUSED, {}),
    "unreachable": (_F.NETWORK_UNREACHABLE, {}),
    "certificate": (_F.SSL_UNKNOWN_AUTHORITY, {}),
    "dated": (_F.SSL_INVALID_CERTIFICATE, {}),
    "alert": (_F.SSL_FAILED_HANDSHAKE, {"reason": "TLSV1_ALERT_ACCESS_DENIED"}),
    "garbage": (_F.SSL_FAILED_HANDSHAKE, {"reason": "WRONG_VERSION_NUMBER"}),
    "nxdomain": (_F.DNS_NXDOMAIN_ERROR, {}),
    "no_answer": (_F.DNS_NO_ANSWER, {}),
    "error": (_F.DNS_SERVFAIL_ERROR, {}),
    "interrupted": (_F.INTERRUPTED, {}),
}
_STAGES = {
    "https": ("resolve", "connect", "tls", "answer", "body"),
    "tls": ("resolve", "connect", "tls"),
    "http": ("resolve", "connect", "answer", "body"),
    "tcp": ("resolve", "connect", "answer"),
    "quic": ("resolve", "quic", "answer"),
    "udp": ("answer",),
}
_OPS = {
    "resolve": Op.RESOLVE, "connect": Op.CONNECT, "tls": Op.TLS, "quic": Op.QUIC, "answer": Op.FIRST_BYTE,
    "body": Op.THROUGHPUT,
}  # fmt: skip


def seen(
    how: str = "ok",
    *,
    name: str = "blocked.example",
    kind: str = "https",
    at: str = SITE,
    answers: Sequence[str] = (),
    late: Sequence[str] = (),
    status: int = 200,
    literal: bool = False,
    reset_after: float = ROUND_TRIP / 2,
    **tags: TagValue,
) -> Attempt:
    """An attempt that ended in this way: ``ok``, or stage and manner.

    Args:
        how: ``ok`` or ``stage.manner``.
        name: the name that was dialled.
        kind: of the target.
        at: the address that was connected to.
        answers: what the name was answered with; by default that address.
        late: further answers to the same question.
        status: of the answer, where one came.
        literal: nothing was looked up.
        reset_after: seconds that a handshake lasted.
        tags: of the last step, such as ``title`` or ``issuer``.
    """
    stage, _, manner = how.partition(".")
    steps: list[Observation] = []
    failure: Failure | None = None
    for each in _STAGES[kind]:
        if each == "resolve" and literal:
            continue
        fails = each == stage
        own: dict[str, TagValue] = {}
        if fails:
            failure, own = _FAILURES[manner]
        elif each == "tls":
            own["verified"] = tags.get("verified", True)
            own["issuer"] = tags.get("issuer", "CN=Lab")
        elif each == "answer":
            own = {"status": status}
        elif each == "resolve":
            own = {"answers": tuple(answers or (at,)), "late_answers": tuple(late)}
        last = fails or (each == "answer" and kind != "https") or (each == "body" and kind == "https")
        took = ROUND_TRIP if each == "connect" else reset_after
        peer = "" if each == "resolve" else f"{at}:443"
        steps.append(
            Observation(op=_OPS[each], t0=0.0, took=took, failure=failure, peer=peer, tags=own | (tags if last else {}))
        )
        if fails:
            break
    speaks = {"https": "https", "http": "http", "quic": "https"}.get(kind, "raw")
    target = Target(host=at if literal else name, port=443, speaks=speaks)  # type: ignore[arg-type]  # keywords of one kind are handed on
    return Attempt(target=target, spec="tcp", started=0.0, took=1.0, failure=failure, observations=tuple(steps))


def tried(**roles: Attempt | Sequence[Attempt]) -> tuple[Tried, ...]:
    """Attempts by their roles: ``tried(system=[one, another], neutral_name=third)``."""
    found: list[Tried] = []
    for role, attempts in roles.items():
        found += [Tried(Role(role), each) for each in ([attempts] if isinstance(attempts, Attempt) else attempts)]
    return tuple(found)


def twice(how: str, **options: object) -> list[Attempt]:
    """The same, seen two times."""
    return [seen(how, **options), seen(how, **options)]  # type: ignore[arg-type]  # keywords of one kind are handed on


def control(*, upto: str = "http", fails: str = "", status: int = 200) -> Control:
    """A vantage elsewhere that got as far as a step, or failed at one."""
    order = ("dns", "tcp", "tls", "http")
    steps: dict[str, bool] = {}
    for step in order[: order.index(fails or upto) + 1]:
        steps[step] = step != fails
    return Control(
        vantage="elsewhere", addresses=() if fails == "dns" else (SITE,), status=status if steps.get("http") else 0,
        dns=steps.get("dns"), tcp=steps.get("tcp"), tls=steps.get("tls"), http=steps.get("http"),
    )  # fmt: skip


def canaries(foreign: str = "ok", domestic: str = "ok", names: str = "") -> tuple[Canary, ...]:
    """Two domestic canaries and three foreign ones at literal addresses; ``names`` adds two foreign ones by name."""
    made = [
        Canary(
            name=f"home-{n}", network=f"home-{n}", zone=Zone.DOMESTIC, attempt=seen(domestic, name=f"home-{n}.example")
        )
        for n in range(2)
    ]
    made += [
        Canary(
            name=f"abroad-{n}", network=f"abroad-{n}", zone=Zone.FOREIGN,
            attempt=seen(foreign, name=f"abroad-{n}.example", at=f"198.18.0.{n}", literal=True),
        )
        for n in range(3)
    ]  # fmt: skip
    if names:
        made += [
            Canary(name=f"name-{n}", network=f"n-{n}", zone=Zone.FOREIGN, attempt=seen(names, name=f"n-{n}.example"))
            for n in range(2)
        ]
    return tuple(made)


def portal(location: str = "http://login.hotel.example/") -> tuple[Canary, ...]:
    """Plain requests that all lead to one other host."""
    return tuple(
        Canary(
            name=f"plain-{n}", network=f"plain-{n}", zone=Zone.FOREIGN,
            attempt=seen(kind="http", name=f"plain-{n}.example", status=302, location=location),
        )
        for n in range(2)
    )  # fmt: skip


def evidence(**known: object) -> Evidence:
    """Evidence about an HTTPS site whose right address is known and whose network lives, unless said otherwise."""
    return Evidence(**({"trusted_answers": (SITE,), "canaries": canaries()} | known))  # type: ignore[arg-type]  # keywords of one kind are handed on
