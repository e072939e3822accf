"""Evidence at random: every role, every way to end, with and without a control, a trusted answer, canaries, rates."""

import random
from typing import TYPE_CHECKING, cast

from rozaneh.core import Attempt, Failure, Observation, Op, Target
from rozaneh.diagnosis import Canary, Control, Evidence, Role, Slowness, Tried, Zone

if TYPE_CHECKING:
    from rozaneh.diagnosis.evidence import Kind

ADDRESSES = ("5.9.1.1", "5.9.1.2", "151.101.1.1", "10.10.34.35", "216.239.38.120", "2a01:4f8::1")
KINDS = ("https", "http", "tls", "tcp", "udp", "quic")
TEXTS = ("", "hello", 'iframe src="http://10.10.34.35"', "not available in your country", "captcha")
ISSUERS = ("", "CN=R3,O=Let's Encrypt,C=US", "CN=Russian Trusted Sub CA")
FAILURES = tuple(Failure)


def attempt(rng: random.Random, host: str) -> Attempt:
    """One dial that came somewhere."""
    target = Target(host=host, port=443, speaks="https")
    steps: list[Observation] = []
    failure: Failure | None = None

    def step(op: Op, odds: float, failures: tuple[Failure, ...], peer: str = "", **tags: object) -> bool:
        nonlocal failure
        failed = rng.choice(failures) if rng.random() < odds else None
        failure = failed
        steps.append(
            Observation(op=op, t0=0.0, took=rng.choice((0.01, 0.05, 0.1, 0.2)), failure=failed, peer=peer, tags=tags)  # type: ignore[arg-type]  # tags are plain values
        )
        return failed is None

    answers = tuple(rng.sample(ADDRESSES, rng.randint(1, 2)))
    late = tuple(rng.sample(ADDRESSES, 1)) if rng.random() < 0.1 else ()
    names = tuple(f for f in FAILURES if f.value.startswith(("dns", "android", "generic", "interr")))
    wire = (Failure.GENERIC_TIMEOUT_ERROR, Failure.CONNECTION_RESET, Failure.CONNECTION_REFUSED, Failure.EOF_ERROR)
    shakes = (*wire[:2], *(f for f in FAILURES if f.value.startswith("ssl")))
    peer = f"{answers[0]}:443"
    if host != "5.9.1.1" and not step(Op.RESOLVE, 0.2, names, answers=answers, late_answers=late):
        steps[-1] = Observation(op=Op.RESOLVE, t0=0.0, took=0.1, failure=failure)
    elif step(Op.CONNECT, 0.25, (*wire, Failure.HOST_UNREACHABLE), peer) and step(
        Op.TLS, 0.3, shakes, peer, verified=rng.random() < 0.7, issuer=rng.choice(ISSUERS),
        reason=rng.choice(("", "TLSV1_ALERT_INTERNAL_ERROR")),
    ) and step(Op.FIRST_BYTE, 0.2, wire, peer):  # fmt: skip
        step(
            Op.THROUGHPUT, 0.1, wire, peer, status=rng.choice((200, 204, 301, 403, 451, 500)),
            body_head=rng.choice(TEXTS), location=rng.choice(("", "https://other.example/")),
        )  # fmt: skip
    if rng.random() < 0.05:
        failure = Failure.INTERRUPTED
    return Attempt(
        target=target, spec="tcp", started=1663779600.0, took=1.0, failure=failure, observations=tuple(steps)
    )


def control(rng: random.Random) -> Control:
    """One vantage."""

    def told() -> bool | None:
        return rng.choice((True, True, False, None))

    return Control(
        vantage="v", dns=told(), tcp=told(), tls=told(), http=told(), quic=told(),
        status=rng.choice((0, 200, 302, 403, 451, 500)), age=rng.choice((0, 0, 0, 3600)),
    )  # fmt: skip


def canary(rng: random.Random, number: int, *, works: bool) -> Canary:
    """A place that has nothing to do with the target."""
    zone = rng.choice((Zone.DOMESTIC, Zone.FOREIGN))
    failure = None if works else rng.choice((Failure.GENERIC_TIMEOUT_ERROR, Failure.CONNECTION_RESET))
    steps = (
        Observation(op=Op.CONNECT, t0=0, took=0.1, failure=failure, peer="9.9.9.9:443"),
        *(() if failure else (Observation(op=Op.TLS, t0=0, took=0.1),)),
    )
    target = Target(host="9.9.9.9", port=443, speaks="https")
    tried = Attempt(target=target, spec="tcp", started=0, took=1, failure=failure, observations=steps)
    return Canary(name=f"c{number}", network=f"n{number}", zone=zone, attempt=tried)


def evidence(rng: random.Random) -> Evidence:
    """All that is known about one target."""
    roles = rng.choice(((Role.SYSTEM,), (Role.SYSTEM, Role.TRUSTED), tuple(Role)))
    host = "5.9.1.1" if rng.random() < 0.1 else "site.example"
    alike = [attempt(rng, host) for _ in range(3)]
    tried = tuple(
        Tried(rng.choice(roles), rng.choice(alike) if rng.random() < 0.6 else attempt(rng, host))
        for _ in range(rng.randint(0, 8))
    )
    works = rng.random() < 0.5
    rates = tuple(rng.choice((1e3, 5e4, 1e6)) for _ in range(4))
    return Evidence(
        tried=tried,
        trusted_answers=tuple(rng.sample(ADDRESSES, rng.randint(0, 2))),
        trusted_failure=rng.choice((None, Failure.DNS_NXDOMAIN_ERROR, Failure.GENERIC_TIMEOUT_ERROR)),
        control=tuple(control(rng) for _ in range(rng.randint(0, 2))),
        canaries=tuple(canary(rng, n, works=works) for n in range(rng.choice((0, 0, 6)))),
        slowness=Slowness(target=rates[:2], neutral=rates[2:]) if rng.random() < 0.2 else None,
        kind=cast("Kind", rng.choice(KINDS)),
        domestic=rng.random() < 0.1,
        tainted=rng.random() < 0.1,
    )
