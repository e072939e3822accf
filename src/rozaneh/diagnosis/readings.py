"""One attempt in one line: how far it came, and in which manner it ended there."""

from rozaneh.core import Attempt, Failure, Observation, Op

_STAGES = {
    Op.RESOLVE: "resolve",
    Op.CONNECT: "connect",
    Op.PROXY: "connect",
    Op.TLS: "tls",
    Op.QUIC: "quic",
    Op.REQUEST: "answer",
    Op.FIRST_BYTE: "answer",
    Op.THROUGHPUT: "body",
    Op.CLOSE: "body",
}
_MANNERS = {
    Failure.GENERIC_TIMEOUT_ERROR: "silence",
    Failure.CONNECTION_RESET: "reset",
    Failure.CONNECTION_ABORTED: "reset",
    Failure.CONNECTION_ALREADY_CLOSED: "reset",
    Failure.NETWORK_RESET: "reset",
    Failure.EOF_ERROR: "reset",
    Failure.CONNECTION_REFUSED: "refused",
    Failure.HOST_UNREACHABLE: "unreachable",
    Failure.NETWORK_UNREACHABLE: "unreachable",
    Failure.NETWORK_DOWN: "unreachable",
    Failure.SSL_INVALID_HOSTNAME: "certificate",
    Failure.SSL_UNKNOWN_AUTHORITY: "certificate",
    Failure.SSL_INVALID_CERTIFICATE: "certificate",
    Failure.DNS_NXDOMAIN_ERROR: "nxdomain",
    Failure.DNS_NO_ANSWER: "no_answer",
    Failure.DNS_BOGON_ERROR: "bogon",
    Failure.DNS_SERVFAIL_ERROR: "error",
    Failure.DNS_REFUSED_ERROR: "error",
    Failure.DNS_SERVER_MISBEHAVING: "error",
    Failure.DNS_TEMPORARY_FAILURE: "error",
    Failure.DNS_NON_RECOVERABLE_FAILURE: "error",
    Failure.ANDROID_DNS_CACHE_NO_DATA: "error",
}

STAGES = ("resolve", "connect", "tls", "quic", "answer", "body")
"""How far an attempt can come, in order."""

MANNERS = (
    "silence", "reset", "refused", "unreachable", "certificate", "alert", "garbage", "nxdomain", "no_answer", "bogon",
    "error", "other",
)  # fmt: skip
"""The ways in which it can end there."""


def reading(attempt: Attempt) -> str:
    """``ok``, or stage and manner of the failure, such as ``tls.reset``."""
    if attempt.failure is None:
        return "ok"
    step = ending(attempt)
    if step is None or step.failure is None:
        return f"connect.{_MANNERS.get(attempt.failure, 'other')}"
    return f"{_STAGES[step.op]}.{manner(step)}"


def ending(attempt: Attempt) -> Observation | None:
    """The step that ended the attempt: of those that failed as the attempt did, the last that served no other step."""
    failed = [step for step in attempt.observations if step.failure not in (None, Failure.INTERRUPTED)]
    own = [step for step in failed if step.parent is None] or failed
    alike = [step for step in own if step.failure is attempt.failure] or own
    return alike[-1] if alike else None


def manner(step: Observation) -> str:
    """In which manner a step failed; empty for one that did not."""
    if step.failure is None:
        return ""
    if step.failure is Failure.SSL_FAILED_HANDSHAKE:
        # An alert is the server's own word; anything else that breaks a handshake is no TLS at all. Which of the two it
        # was is not known of a measurement by others.
        if "reason" not in step.tags:
            return "other"
        return "alert" if "ALERT" in str(step.tag("reason")).upper() else "garbage"
    return manner_of(step.failure)


def manner_of(failure: Failure) -> str:
    """The manner that a failure stands for, where nothing but the failure is known."""
    return _MANNERS.get(failure, "other")


def connected(attempt: Attempt) -> bool:
    """Whether a TCP connection came about, whatever happened on it."""
    return any(step.failure is None for step in attempt.steps(Op.CONNECT))


def tls_answered(attempt: Attempt) -> bool:
    """Whether the other side spoke TLS: a handshake, a certificate that is wrong, or an alert."""
    return any(step.failure is None or manner(step) in ("certificate", "alert") for step in attempt.steps(Op.TLS))


def answers(attempt: Attempt) -> tuple[str, ...]:
    """The addresses that the attempt's own lookup gave."""
    return tuple(address for step in attempt.steps(Op.RESOLVE) for address in step.names("answers"))


def late_answers(attempt: Attempt) -> tuple[str, ...]:
    """Further addresses that came in answer to the same question, after the first answer was believed."""
    return tuple(address for step in attempt.steps(Op.RESOLVE) for address in step.names("late_answers"))


def status(attempt: Attempt) -> int:
    """The HTTP status, or 0."""
    values = [value for step in attempt.observations if isinstance(value := step.tag("status", 0), int) and value]
    return values[-1] if values else 0


def location(attempt: Attempt) -> str:
    """Where the answer sends the asker, or nothing."""
    values = [str(step.tag("location")) for step in attempt.observations if step.tag("location")]
    return values[-1] if values else ""


def verified(attempt: Attempt, issuer: str = "") -> bool:
    """Whether a certificate that is valid for the name was shown, or one of the issuer that is this target's own."""
    return any(
        step.failure is None and (step.tag("verified", default=False) is True or _is_by(step, issuer))
        for step in attempt.steps(Op.TLS)
    )


def _is_by(step: Observation, issuer: str) -> bool:
    return bool(issuer) and issuer in str(step.tag("issuer"))
