"""What several vantages say of one target, and whether they agree.

A vantage can be wrong: the site refuses its data centre, its own network fails, or it lies. So a step counts as working
elsewhere only when more vantages say so than say the opposite. Where they stand equal it counts as neither, no rule
that rests on a control decides, and the verdict says that they disagree. A single vantage is believed, because there is
nobody to compare it with, and the evidence names it. What a vantage said earlier shows that a name exists, and nothing
about whether the site works now.
"""

from collections.abc import Iterable, Iterator

from rozaneh.diagnosis.evidence import Control

CONTROL_FACTS = (
    "control.asked", "control.works", "control.down", "control.dns.ok", "control.dns.denies", "control.tcp.ok",
    "control.tcp.failed", "control.tls.ok", "control.tls.failed", "control.quic.ok", "control.fine",
    "control.forbidden", "control.disagrees", "control.remembered",
)  # fmt: skip
"""Every fact about vantages."""

FORBIDDEN = (401, 403, 451)
"""HTTP statuses by which a server says that it will not serve this."""


def control_facts(control: tuple[Control, ...]) -> Iterator[str]:
    """The facts that hold about what the vantages saw."""
    fresh = [seen for seen in control if not seen.age]
    if len(fresh) < len(control):
        yield "control.remembered"
        if majority(seen.dns for seen in control):
            yield "control.dns.ok"
    if fresh:
        yield "control.asked"
        yield from _step_facts(fresh)
        yield from _end_facts(fresh)


def _step_facts(control: list[Control]) -> Iterator[str]:
    for name in ("dns", "tcp", "tls", "quic"):
        most = majority(getattr(seen, name) for seen in control)
        if most:
            yield f"control.{name}.ok"
        elif most is False and name != "quic":
            yield "control.dns.denies" if name == "dns" else f"control.{name}.failed"


def _end_facts(control: list[Control]) -> Iterator[str]:
    works = [_works(seen) for seen in control]
    most = majority(works)
    if most is not None:
        yield "control.works" if most else "control.down"
    elif True in works:
        yield "control.disagrees"
    statuses = [seen.status for seen in control if seen.status]
    if any(200 <= status < 400 for status in statuses):
        yield "control.fine"
    elif any(status in FORBIDDEN for status in statuses):
        yield "control.forbidden"


def majority(said: Iterable[bool | None]) -> bool | None:
    """What more vantages say than say the opposite; none where they stand equal or say nothing."""
    balance = sum((word is True) - (word is False) for word in said)
    return None if not balance else balance > 0


def _works(control: Control) -> bool | None:
    """Whether the furthest step that this vantage took worked there; none if it took none."""
    steps = (control.http, control.quic, control.tls, control.tcp, control.dns)
    return next((step for step in steps if step is not None), None)
