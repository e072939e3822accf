"""From an attempt to one word: what a way got.

The words are OONI's failures, and for answers that came but were not the site's: ``forged`` (the name led elsewhere),
``block_page``, ``refused_by_service``, ``wrong_content``, ``throttled``. Only the lab can say them so surely, for only
the lab knows which addresses a name truly has and what each site's page says.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from rozaneh.core import Attempt, Failure, Op, Target

CERTIFICATE_FAILURES = frozenset(
    {Failure.SSL_INVALID_CERTIFICATE, Failure.SSL_INVALID_HOSTNAME, Failure.SSL_UNKNOWN_AUTHORITY}
)
_BLOCK_PAGE_MARKS = ("//10.10.34.", "policy=MainPolicy")
_TIMES_SLOWER = 3.0
_LEAST_BYTES = 10_000


def outcome_of(
    attempt: Attempt, target: Target, truth: Mapping[str, Sequence[str]], usual_rate: float | None = None
) -> str:
    """What one attempt got.

    Args:
        attempt: the finished attempt, with an HTTP exchange where it came that far.
        target: what was asked for.
        truth: every name of the lab's world with its addresses.
        usual_rate: bytes per second of the same download without the scenario, where known.
    """
    if is_forged(attempt, target, truth):
        return "forged"
    if attempt.failure is not None:
        return str(attempt.failure)
    if target.speaks not in ("http", "https"):
        return "ok"
    return _of_answer(attempt, target, usual_rate)


def is_forged(attempt: Attempt, target: Target, truth: Mapping[str, Sequence[str]]) -> bool:
    """Whether a resolver answered with an address that the name does not have."""
    known = {ip_address(address) for address in truth.get(target.host, ())}
    if target.is_literal or not known:
        return False
    return any(
        ip_address(answer) not in known
        for step in attempt.steps(Op.RESOLVE)
        if step.tag("query") == target.host
        for answer in step.names("answers")
    )


def answer_of(status: int, location: str, body: str, target: Target, length: int) -> str:
    """What an HTTP answer is: the site's own page (``ok``), a block page, a refusal, or something else."""
    if any(mark in body or mark in location for mark in _BLOCK_PAGE_MARKS):
        return "block_page"
    if status in (403, 451):
        return "refused_by_service"
    wanted = target.path.removeprefix("/bytes/")
    if wanted != target.path and wanted.isascii() and wanted.isdigit():
        return "ok" if status == 200 and length == int(wanted) and not body.strip("x\n") else "wrong_content"
    host = "" if target.is_literal else target.host
    return "ok" if status == 200 and f"rozaneh lab: {host}" in body else "wrong_content"


def is_throttled(rate: float, size: int, usual_rate: float | None) -> bool:
    """Whether a download was several times slower than usual, and long enough to tell."""
    return usual_rate is not None and size >= _LEAST_BYTES and rate * _TIMES_SLOWER < usual_rate


def rate_of(attempt: Attempt) -> float | None:
    """Bytes per second of the last download in an attempt, the wait for its first byte included.

    A throttled line shows in that wait first: what the queue lets through at once must not count as speed.
    """
    waited = 0.0
    found = None
    for step in attempt.observations:
        if step.op is Op.FIRST_BYTE:
            waited = step.took
        elif step.op is Op.THROUGHPUT and isinstance(size := step.tag("bytes"), int) and waited + step.took > 0:
            found = size / (waited + step.took)
    return found


def is_expected(expected: Sequence[str], observed: str) -> bool:
    """Whether what was observed is among what was expected; ``failure`` and ``intercepted`` stand for several words."""
    words = {observed}
    if observed in set(map(str, Failure)):
        words.add("failure")
    if observed in set(map(str, CERTIFICATE_FAILURES)):
        words.add("intercepted")
    return not words.isdisjoint(expected)


def _of_answer(attempt: Attempt, target: Target, usual_rate: float | None) -> str:
    facts: dict[str, object] = {}
    for step in attempt.observations:
        facts.update(step.tags)
    status, length = facts.get("status"), facts.get("body_length")
    size = length if isinstance(length, int) else 0
    found = answer_of(
        status if isinstance(status, int) else 0,
        str(facts.get("location", "")),
        str(facts.get("body_head", "")),
        target,
        size,
    )
    if found == "ok" and is_throttled(rate_of(attempt) or usual_rate or 1.0, size, usual_rate):
        return "throttled"
    return found
