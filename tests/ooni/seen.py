"""Attempts as the probe records them, for tests that write measurements."""

from rozaneh.core import Attempt, Failure, Observation, Op, TagValue, Target
from rozaneh.diagnosis import Control, Evidence, Role, Tried

SITE = "93.184.216.34"
TARGET = Target(host="www.example.com", port=443, speaks="https")
STARTED = 1_664_640_000.0


def step(op: Op, failure: Failure | None = None, peer: str = f"{SITE}:443", **tags: TagValue) -> Observation:
    return Observation(op=op, t0=0.1 * list(Op).index(op), took=0.05, failure=failure, peer=peer, tags=tags)


RESOLVED = step(Op.RESOLVE, peer="", engine="system", query=TARGET.host, answers=(SITE,), rcode=0, ttl=60)
CONNECTED = step(Op.CONNECT)
SHAKEN = step(Op.TLS, peer=TARGET.authority, sni=TARGET.host, verified=True, version="TLSv1.3", alpn="http/1.1")
ASKED = step(Op.REQUEST, peer=TARGET.authority)
BEGAN = step(Op.FIRST_BYTE, peer=TARGET.authority)
READ = step(
    Op.THROUGHPUT, peer=TARGET.authority, status=200, title="A page", server="nginx", location="", body_length=20,
    body_head="<title>A page</title>"[:20], samples=("0.250 10", "0.500 20"),
)  # fmt: skip
PAGE = (RESOLVED, CONNECTED, SHAKEN, ASKED, BEGAN, READ)


def attempt(*steps: Observation, target: Target = TARGET, started: float = STARTED) -> Attempt:
    failed = [one.failure for one in steps if one.failure is not None]
    return Attempt(
        target=target,
        spec="tcp",
        started=started,
        took=1.0,
        failure=failed[-1] if failed else None,
        observations=steps,
    )


def evidence(*attempts: Attempt, role: Role = Role.SYSTEM, control: tuple[Control, ...] = ()) -> Evidence:
    return Evidence(
        tried=tuple(Tried(role, one) for one in attempts), trusted_answers=(SITE,), control=control, kind="https"
    )
