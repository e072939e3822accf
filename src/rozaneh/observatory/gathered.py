"""What facts are read from: the dials of a target, put together into few integers.

Theory of operation. Rules ask many things of a target, and most of them are whether *one of some dials* did something.
So what a dial did is written into bits of two integers, and one bitwise or of each puts the dials of a target together:
``views`` has five bits (:data:`STATES`) for each view (the path, or one role), and ``marks`` has one for whatever else
is asked (:data:`MARKS`). Which dial came furthest is the largest of one integer that holds step, whether it was a
reset, order and manner. How often a manner ended a step is counted in sums in which every manner has five bits of its
own, which is why a target has at most 31 dials. Only what is asked for is gathered.

What stands in every row of a target alike is taken from its first.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from operator import add
from typing import Any, Final

import ibis

from rozaneh.core import Failure
from rozaneh.diagnosis.controls import FORBIDDEN
from rozaneh.diagnosis.evidence import Role
from rozaneh.diagnosis.readings import MANNERS, STAGES, manner_of
from rozaneh.diagnosis.worked import BEHIND, PAGED
from rozaneh.observatory import schema
from rozaneh.observatory.engine import united

Table = Any
"""An Ibis table."""
Column = Any
"""An Ibis column expression."""

KEY: Final = ("measurement", "target")
VIEWS: Final = ("path", *(role.value for role in Role))
STATES: Final = ("won", "lost", "met", "spoke", "valid")
"""What dials of a view did: worked, failed, connected, got an answer in TLS, showed a certificate for the name."""
ORDERS: Final = 32
"""More than a target has dials."""
BITS: Final = 5
"""Bits of a number of dials."""
MANNER_BITS: Final = 4
MANNERS_ROOM: Final = 1 << MANNER_BITS
"""More than there are manners."""
STAGE_BITS: Final = 10
"""What lies below the step in the integer of how far a dial came: a reset, the order, the manner."""

_NO: Final = ibis.literal(value=False)
_RESETS: Final = [told.value for told in Failure if manner_of(told) == "reset"]


def gathered(observations: Table, wanted: Iterable[str]) -> Table:
    """One row for each measurement and target: what its first row says of both, and what its dials did together.

    Beside ``views`` and ``marks`` there is, for each view of which that is asked, ``VIEW_end``: how it ended if all of
    its dials failed (:func:`end_number`), else -1.

    Args:
        observations: a table of :data:`rozaneh.observatory.schema.OBSERVATION`.
        wanted: names of the facts that will be read from it.
    """
    names = set(wanted)
    rows = _read(_sorted_out(observations))
    counted = _of_views(names, lambda rest: rest in _COUNTED)
    # How the path and the system's own dials ended is always told.
    ends = {"path", "system", *counted, *_of_views(names, lambda rest: "." in rest)}
    found: dict[str, Column] = {"views": united(_views(rows)), "marks": united(_marks(rows, names))}
    for view in VIEWS:
        lost = _inside(rows, view) & ~rows.worked
        if view in ends:
            found[f"{view}_far"] = ibis.ifelse(lost, rows.far, -1).max()
        if view in counted:
            for index, stage in enumerate(STAGES):
                found[f"{view}_at_{stage}"] = ibis.ifelse(lost & (rows.stage == index), rows.one, 0).sum()
    if any(name.startswith("reset.") for name in names):
        found |= _times(rows)
    sums = rows.group_by(KEY).aggregate(**found)
    first = observations.filter(observations.dial == 0).select(*_OF_TARGET)
    together = first.join(sums, list(KEY))
    return together.mutate(**{f"{view}_end": _end(together, view) for view in sorted(ends)})


_COUNTED: Final = ("repeated", "residual")
_OF_TARGET: Final = (*schema.MEASUREMENT.names, *schema.TARGET.names)
_OF_DIAL: Final = (
    "dial", "role", "ended", "failure", "alert", "dns_asked", "dns_answers", "answered_bogon", "answered_trusted",
    "answered_block", "answered_substitute", "answered_twice", "connected", "tcp_failure", "tcp_took", "answered",
    "verified", "tls_failure", "tls_took", "issuer_known", "status", "page_block", "page_refusal", "page_challenge",
    "kind",
)  # fmt: skip


def _of_views(facts: Iterable[str], asked: Callable[[str], bool]) -> set[str]:
    parts = (fact.partition(".") for fact in facts)
    return {view for view, _, rest in parts if view in VIEWS and asked(rest)}


def _end(t: Table, view: str) -> Column:
    far = t[f"{view}_far"]
    won = (t.views & number(state_bits(view, "won"))) != 0
    return ibis.ifelse(won, -1, (far >> STAGE_BITS) * MANNERS_ROOM + (far & (MANNERS_ROOM - 1))).cast("int64")


def repeated(t: Table, view: str) -> Column:
    """All dials of a view failed, and more than one of them as the one that came furthest; or a penalty lasts."""
    return ibis.ifelse(t[f"{view}_end"] >= 0, (_times_ended(t, view, t[f"{view}_end"]) > 1) | residual(t, view), _NO)


def residual(t: Table, view: str) -> Column:
    """Some dials came as far as the name, and others could not even connect any more: a penalty that lasts."""
    silence, end = end_number("connect", "silence"), t[f"{view}_end"]
    return (end >= 0) & (end != silence) & (_times_ended(t, view, number(silence)) > 0)


def _times_ended(t: Table, view: str, end: Column) -> Column:
    """How many dials of a view ended so."""
    stage, manner = end >> MANNER_BITS, end & (MANNERS_ROOM - 1)
    packed = ibis.cases(*((stage == i, t[f"{view}_at_{name}"]) for i, name in enumerate(STAGES)), else_=0)
    return (packed.cast("int64") >> (manner * BITS)) & (ORDERS - 1)


def end_number(stage: str, manner: str) -> int:
    """The number of a way to end."""
    return STAGES.index(stage) * MANNERS_ROOM + MANNERS.index(manner)


def number(value: int) -> Column:
    """A number, of the kind that bits are in."""
    return ibis.literal(value, "int64")


def state_bits(view: str, *states: str) -> int:
    """The bits of some states of a view, in ``views``."""
    return sum(1 << len(STATES) * VIEWS.index(view) + STATES.index(state) for state in states)


def mark_bit(name: str) -> int:
    """The bit of a mark, in ``marks``."""
    return 1 << list(MARKS).index(name)


def _sorted_out(t: Table) -> Table:
    """Rows with what is asked of them more than once."""
    seen = t.failure.isnull() | (t.failure != Failure.INTERRUPTED.value)
    right = (
        t.verified
        | t.literal
        | (
            t.dns_failure.isnull()
            & ~t.answered_bogon
            & ~t.ip_bogon
            & (~t.trusted_known | t.answered_trusted | t.ip_trusted)
        )
    ).fill_null(_NO)
    own = seen & (t.role == Role.SYSTEM.value)
    in_path = (seen & (t.role == Role.TRUSTED.value)) | (own & right)
    return t.select(*KEY, *_OF_DIAL, seen=seen, own=own, in_path=in_path, worked=t.failure.isnull())


def _read(t: Table) -> Table:
    """Rows with where, and in which manner, those that failed ended."""
    stage = _number(t.ended, {name: index for index, name in enumerate(STAGES)}, STAGES.index("connect"))
    lost = t.mutate(
        stage=ibis.ifelse(t.worked, -1, stage), manner=ibis.ifelse(t.worked, 0, _manner(t.failure, t.alert))
    )
    is_reset = (lost.manner == MANNERS.index("reset")).cast("int64")
    order = ORDERS - 1 - lost.dial.cast("int64")
    return lost.mutate(
        far=((lost.stage * 2 + is_reset) * ORDERS + order) * MANNERS_ROOM + lost.manner,
        one=ibis.literal(1, "int8").cast("int64")
        << (lost.manner * BITS),  # the cast keeps ClickHouse from taking a byte
    )


def _manner(failure: Column, alert: Column) -> Column:
    """The number of the manner that a failure stands for; how a broken handshake ended is told apart by the alert."""
    plain = {told.value: MANNERS.index(manner_of(told)) for told in Failure if told is not Failure.SSL_FAILED_HANDSHAKE}
    broken = ibis.cases(
        (alert.fill_null(_NO), MANNERS.index("alert")),
        (alert.isnull(), MANNERS.index("other")),
        else_=MANNERS.index("garbage"),
    ).cast("int64")
    return ibis.ifelse(
        failure == Failure.SSL_FAILED_HANDSHAKE.value, broken, _number(failure, plain, MANNERS.index("other"))
    )


def _number(text: Column, numbers: Mapping[str, int], otherwise: int) -> Column:
    by_number: dict[int, list[str]] = {}
    for word, number in numbers.items():
        by_number.setdefault(number, []).append(word)
    branches = [(text.isin(words), number) for number, words in by_number.items() if number != otherwise]
    return ibis.cases(*branches, else_=otherwise).cast("int64")


def _inside(t: Table, view: str) -> Column:
    known = {"path": t.in_path, "system": t.own}
    return known[view] if view in known else t.seen & (t.role == view)


def _views(t: Table) -> Column:
    state = ibis.ifelse(t.worked, 1 << STATES.index("won"), 1 << STATES.index("lost")).cast("int64")
    for flag, name in ((t.connected, "met"), (t.answered, "spoke"), (t.verified, "valid")):
        state += ibis.ifelse(flag, 1 << STATES.index(name), 0).cast("int64")
    # Times one bit for each view that the dial is in: states of different views do not touch.
    role = ibis.cases(
        (t.own, state_bits("system", "won")),
        *((t.seen & (t.role == view), state_bits(view, "won")) for view in VIEWS if view not in ("path", "system")),
        else_=0,
    ).cast("int64")
    return state * (role + t.in_path.cast("int64"))


def _marks(t: Table, wanted: Iterable[str]) -> Column:
    asked = [name for name, (_, facts) in MARKS.items() if not facts.isdisjoint(wanted)]
    return reduce(add, (ibis.ifelse(MARKS[name][0](t), mark_bit(name), 0).cast("int64") for name in asked), number(0))


def _shown(t: Table) -> Column:
    return t.own | (t.seen & (t.role == Role.TRUSTED.value))


def _ended_in(t: Table, *stages: str) -> Column:
    return t.stage.isin([STAGES.index(stage) for stage in stages])


def _by_tcp(t: Table) -> Column:
    return ~t.kind.isin(("udp", "quic"))


def _over_quic(t: Table, right: Column) -> Column:
    """Whether a dial was one over QUIC: of a target of that kind, or beside one of another."""
    return (right & (t.kind == "quic")) | (t.seen & (t.role == Role.QUIC.value))


MARKS: Final[Mapping[str, tuple[Callable[[Table], Column], frozenset[str]]]] = {
    "page.block": (lambda t: t.page_block & _shown(t), frozenset(("page.block",))),
    "page.refusal": (lambda t: t.page_refusal & _shown(t), frozenset(("page.refusal",))),
    "page.challenge": (lambda t: t.page_challenge & _shown(t), frozenset(("page.challenge",))),
    "page.forbidden": (lambda t: t.in_path & t.status.isin(FORBIDDEN), frozenset(("page.forbidden",))),
    "page.legal": (lambda t: t.in_path & (t.status == 451), frozenset(("page.legal",))),
    "page.fine": (lambda t: t.in_path & (t.status >= 200) & (t.status < 400), frozenset(("page.fine",))),
    "page.issuer": (
        lambda t: t.issuer_known & (_shown(t) | (t.seen & (t.role == Role.UNVERIFIED.value))),
        frozenset(("page.issuer",)),
    ),
    "dns.asked": (lambda t: t.own & t.dns_asked, frozenset(("dns.asked",))),
    "dns.answered": (lambda t: t.own & (t.dns_answers.length() > 0), frozenset(("dns.answered", "dns.disjoint"))),
    "bogon": (lambda t: t.answered_bogon & t.own, frozenset(("dns.bogon",))),
    "agreed": (lambda t: t.answered_trusted & t.own, frozenset(("dns.disjoint",))),
    "dns.signature": (lambda t: t.answered_block & t.own, frozenset(("dns.signature",))),
    "dns.substitute": (lambda t: t.answered_substitute & t.own, frozenset(("dns.substitute",))),
    "dns.two_answers": (lambda t: t.answered_twice & t.own, frozenset(("dns.two_answers",))),
    "layer.dns.seen": (lambda t: t.own & t.dns_asked, frozenset(("layer.dns.seen",))),
    "layer.dns.ok": (lambda t: t.own & t.in_path & t.dns_asked, frozenset(("layer.dns.ok",))),
    "layer.tcp.seen": (
        lambda t: _shown(t) & _by_tcp(t) & (t.connected | _ended_in(t, "connect")),
        frozenset(("layer.tcp.seen",)),
    ),
    "layer.tcp.ok": (lambda t: t.in_path & _by_tcp(t) & t.connected, frozenset(("layer.tcp.ok",))),
    "layer.tls.seen": (
        lambda t: _shown(t) & (t.verified | t.answered | _ended_in(t, "tls")),
        frozenset(("layer.tls.seen",)),
    ),
    "layer.tls.ok": (lambda t: t.in_path & t.verified, frozenset(("layer.tls.ok",))),
    "layer.quic.seen": (
        lambda t: _over_quic(t, _shown(t)) & (t.worked | _ended_in(t, "quic", *BEHIND)),
        frozenset(("layer.quic.seen",)),
    ),
    "layer.quic.ok": (
        lambda t: _over_quic(t, t.in_path) & (t.worked | _ended_in(t, *BEHIND)),
        frozenset(("layer.quic.ok",)),
    ),
    "layer.udp.seen": (
        lambda t: _shown(t) & (t.kind == "udp") & ~_ended_in(t, "resolve"),
        frozenset(("layer.udp.seen",)),
    ),
    "layer.udp.ok": (lambda t: t.in_path & (t.kind == "udp") & t.worked, frozenset(("layer.udp.ok",))),
    "layer.http.seen": (
        lambda t: _shown(t) & t.kind.isin(PAGED) & (t.worked | _ended_in(t, *BEHIND)),
        frozenset(("layer.http.seen",)),
    ),
    "layer.http.ok": (lambda t: t.in_path & t.kind.isin(PAGED) & t.worked, frozenset(("layer.http.ok",))),
}
"""What else a dial can have shown, and for which facts that is asked."""


def _times(t: Table) -> dict[str, Column]:
    """How soon resets came, and how long the way to the server takes."""
    timed = t.in_path | (t.seen & (t.role == Role.NEUTRAL_NAME.value))
    was_reset = timed & t.tls_failure.isin(_RESETS)
    none = ibis.null("float64")
    return {
        "resets": ibis.ifelse(was_reset, 1, 0).cast("int64").sum(),
        "reset_soonest": ibis.ifelse(was_reset, t.tls_took, none).min(),
        "trip_soonest": ibis.ifelse(timed & t.connected & t.tcp_failure.isnull(), t.tcp_took, none).min(),
    }
