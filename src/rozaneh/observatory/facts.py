"""The facts of :mod:`rozaneh.diagnosis.facts` as boolean columns, computed from the rows of observations.

Theory of operation. Facts are asked for by name, and only those that rules name are computed. Facts of a *view* (the
path, or one role) are aggregates over the rows in it. Which dial came furthest is the largest of one integer that holds
step, whether it was a reset, order and manner; how often a manner ended a step is counted in sums in which every manner
has five bits of its own, which is why a target has at most 31 dials. Facts of the target, the control and the whole
network stand in every row alike and are read from the first.

Everything is written in Ibis, so each engine computes the same.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final

import ibis

from rozaneh.core import Failure
from rozaneh.diagnosis.evidence import Role
from rozaneh.diagnosis.facts import FACTS
from rozaneh.diagnosis.readings import MANNERS, STAGES, manner_of

Table = Any
"""An Ibis table."""
Column = Any
"""An Ibis column expression."""

KEY: Final = ("measurement", "target")
_VIEWS: Final = ("path", *(role.value for role in Role))
_NO = ibis.literal(value=False)
_ORDERS: Final = 32
_BITS: Final = 5
_MANNERS: Final = 16
_STAGE_BITS: Final = 10
"""What lies below the step in the integer of how far a dial came: a reset, the order, the manner."""
_FAR, _MIDWAY = 0.85, 0.7
_FORBIDDEN: Final = (401, 403, 451)
_DENIED: Final = (Failure.DNS_NXDOMAIN_ERROR.value, Failure.DNS_NO_ANSWER.value)


def with_facts(observations: Table, wanted: Iterable[str]) -> Table:
    """One row for each measurement and target, with all columns of its first dial and a boolean for each fact.

    Args:
        observations: a table of :data:`rozaneh.observatory.schema.OBSERVATION`.
        wanted: names of facts; the column of ``path.tls.reset`` is called ``path_tls_reset``.
    """
    names = sorted(set(wanted))
    rows = _prepared(observations)
    views = _views_of(names)
    counted = {name.partition(".")[0] for name in names if name.endswith((".repeated", ".residual"))}
    sums = rows.group_by(KEY).aggregate(**_aggregates(rows, views, counted))
    first = observations.filter(observations.dial == 0)
    joined = first.join(sums, list(KEY))
    return joined.mutate(
        **{column(name): _fact(joined, name).fill_null(_NO) for name in names}, reading=_reading(joined)
    )


def column(fact: str) -> str:
    """The name of a fact's column."""
    return fact.replace(".", "_")


def _views_of(names: Iterable[str]) -> list[str]:
    # The path and the system's own dials are always needed: they tell how it ended.
    found = {"path", "system", *(name.partition(".")[0] for name in names if name.partition(".")[0] in _VIEWS)}
    return [view for view in _VIEWS if view in found]


def _prepared(t: Table) -> Table:
    """Rows with what aggregates need: in which views, how far, and in which manner."""
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
    stage = _number(t.ended, {name: index for index, name in enumerate(STAGES)}, STAGES.index("connect"))
    manner = _manner(t.failure, t.alert)
    is_reset = (manner == MANNERS.index("reset")).cast("int64")
    return t.mutate(
        in_path=seen & ((t.role == Role.TRUSTED.value) | ((t.role == Role.SYSTEM.value) & right)),
        seen=seen,
        worked=t.failure.isnull(),
        stage=stage,
        manner=manner,
        far=((stage * 2 + is_reset) * _ORDERS + (_ORDERS - 1 - t.dial.cast("int64"))) * _MANNERS + manner,
        one=ibis.literal(1, "int8").cast("int64") << (manner * _BITS),  # the cast keeps ClickHouse from taking a byte
        was_reset=_manner(t.tls_failure, t.alert) == MANNERS.index("reset"),
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


def _aggregates(t: Table, views: Sequence[str], counted: Container[str]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for view in views:
        inside = _inside(t, view)
        lost = inside & ~t.worked
        found |= {
            f"{view}_n": inside.cast("int64").sum(),
            f"{view}_won": (inside & t.worked).cast("int64").sum(),
            f"{view}_met": (inside & t.connected.fill_null(_NO)).any(),
            f"{view}_spoke": (inside & t.answered.fill_null(_NO)).any(),
            f"{view}_valid": (inside & t.verified.fill_null(_NO)).any(),
            f"{view}_far": ibis.ifelse(lost, t.far, -1).max(),
        }
        if view in counted:
            for index, stage in enumerate(STAGES):
                found[f"{view}_at_{stage}"] = ibis.ifelse(lost & (t.stage == index), t.one, 0).sum()
    return found | _page_aggregates(t) | _dns_aggregates(t)


def _inside(t: Table, view: str) -> Column:
    return t.in_path if view == "path" else t.seen & (t.role == view)


def _page_aggregates(t: Table) -> dict[str, Column]:
    shown = t.seen & t.role.isin([Role.SYSTEM.value, Role.TRUSTED.value])
    timed = t.seen & (t.in_path | (t.role == Role.NEUTRAL_NAME.value))
    return {
        "saw_block": (shown & t.page_block).any(),
        "saw_refusal": (shown & t.page_refusal).any(),
        "saw_challenge": (shown & t.page_challenge).any(),
        "saw_forbidden": (t.in_path & t.status.isin(_FORBIDDEN)).any(),
        "saw_legal": (t.in_path & (t.status == 451)).any(),
        "saw_fine": (t.in_path & (t.status >= 200) & (t.status < 400)).any(),
        "saw_issuer": ((shown | (t.seen & (t.role == Role.UNVERIFIED.value))) & t.issuer_known).any(),
        "resets": (timed & t.was_reset).cast("int64").sum(),
        "reset_soonest": ibis.ifelse(timed & t.was_reset, t.tls_took, ibis.null("float64")).min(),
        "trip_soonest": ibis.ifelse(
            timed & t.connected & t.tcp_failure.isnull(), t.tcp_took, ibis.null("float64")
        ).min(),
    }


def _dns_aggregates(t: Table) -> dict[str, Column]:
    own = t.seen & (t.role == Role.SYSTEM.value)
    answered = t.dns_answers.length().fill_null(0) > 0
    return {
        "name_asked": (own & t.dns_asked).any(),
        "name_answered": (own & answered).any(),
        "name_bogon": (own & t.answered_bogon).any(),
        "name_trusted": (own & t.answered_trusted).any(),
        "name_block": (own & t.answered_block).any(),
        "name_substitute": (own & t.answered_substitute).any(),
        "name_twice": (own & t.answered_twice).any(),
    }


def _fact(t: Table, name: str) -> Column:
    """One fact, from aggregates and from what stands in the first row."""
    view, _, rest = name.partition(".")
    if view in _VIEWS:
        return _view_fact(t, view, rest)
    if view == "network":
        return t.network.contains(f" {name} ")
    if view == "speed":
        return t.speed.contains(f" {name} ")
    if view == "target" and rest in ("https", "http", "tls", "tcp", "udp", "quic"):
        return t.kind == rest
    return _PLAIN[name](t)


def _view_fact(t: Table, view: str, rest: str) -> Column:
    tried, won, far = t[f"{view}_n"] > 0, t[f"{view}_won"] > 0, t[f"{view}_far"]
    lost = tried & ~won
    stage, _, manner = rest.partition(".")
    if manner:
        return lost & (_stage_of(far) == STAGES.index(stage)) & (_manner_of(far) == MANNERS.index(manner))
    plain: dict[str, Callable[[], Column]] = {
        "tried": lambda: tried,
        "ok": lambda: won,
        "failed": lambda: lost,
        "unsteady": lambda: won & (t[f"{view}_n"] > t[f"{view}_won"]),
        "residual": lambda: lost & _residual(t, view),
        "repeated": lambda: lost & ((_times(t, view, _stage_of(far), _manner_of(far)) > 1) | _residual(t, view)),
        "connected": lambda: t[f"{view}_met"],
        "answered": lambda: t[f"{view}_spoke"],
        "verified": lambda: t[f"{view}_valid"],
    }
    return plain[rest]()


def _residual(t: Table, view: str) -> Column:
    """Some dials came as far as the name, and others could not even connect any more: a penalty that lasts."""
    connect, silence = STAGES.index("connect"), MANNERS.index("silence")
    far = t[f"{view}_far"]
    silent = _times(t, view, ibis.literal(connect), ibis.literal(silence)) > 0
    return silent & ~((_stage_of(far) == connect) & (_manner_of(far) == silence))


def _stage_of(far: Column) -> Column:
    return far >> _STAGE_BITS


def _manner_of(far: Column) -> Column:
    return far & (_MANNERS - 1)


def _times(t: Table, view: str, stage: Column, manner: Column) -> Column:
    """How many dials of a view ended in this step and manner."""
    packed = ibis.cases(
        *((stage == index, t[f"{view}_at_{name}"]) for index, name in enumerate(STAGES)),
        else_=ibis.literal(0, "int64"),
    )
    return (packed >> (manner.cast("int64") * _BITS)) & (_ORDERS - 1)


def _reading(t: Table) -> Column:
    """How the dial that came furthest ended."""
    far = ibis.ifelse((t.path_far >= 0) & (t.path_won == 0), t.path_far, t.system_far)
    stages = ibis.cases(*((_stage_of(far) == i, name) for i, name in enumerate(STAGES)), else_="")
    manners = ibis.cases(*((_manner_of(far) == i, name) for i, name in enumerate(MANNERS)), else_="")
    told = stages.concat(".").concat(manners)
    return ibis.cases((t.system_won > 0, "ok"), (far >= 0, told), else_="")


def _is_false(flag: Column) -> Column:
    return flag.notnull() & ~flag


_PLAIN: Final[Mapping[str, Callable[[Table], Column]]] = {
    "target.ok": lambda t: t.system_won > 0,
    "target.literal": lambda t: t.literal,
    "target.domestic": lambda t: t.domestic,
    "target.tainted": lambda t: t.tainted,
    "dns.asked": lambda t: t.name_asked,
    "dns.answered": lambda t: t.name_answered,
    "dns.bogon": lambda t: t.name_bogon & ~t.trusted_bogon,
    "dns.signature": lambda t: t.name_block,
    "dns.substitute": lambda t: t.name_substitute,
    "dns.two_answers": lambda t: t.name_twice,
    "dns.disjoint": lambda t: t.name_answered & t.trusted_known & ~t.name_trusted,
    "dns.trusted": lambda t: t.trusted_known,
    "dns.trusted_denies": lambda t: t.trusted_failure.isin(_DENIED),
    "page.block": lambda t: t.saw_block,
    "page.refusal": lambda t: t.saw_refusal,
    "page.challenge": lambda t: t.saw_challenge,
    "page.forbidden": lambda t: t.saw_forbidden,
    "page.differs": lambda _: _NO,  # tables keep no page of the control's to compare with
    "page.legal": lambda t: t.saw_legal,
    "page.fine": lambda t: t.saw_fine,
    "page.issuer": lambda t: t.saw_issuer,
    "reset.from_far": lambda t: (t.resets > 1) & (t.reset_soonest >= t.trip_soonest * _FAR),
    "reset.from_midway": lambda t: (
        (t.resets > 1) & (t.reset_soonest < t.trip_soonest * _FAR) & (t.reset_soonest <= t.trip_soonest * _MIDWAY)
    ),
    "control.asked": lambda t: t.control_asked,
    "control.works": lambda t: t.control_works,
    "control.down": lambda t: _is_false(t.control_works),
    "control.disagrees": lambda t: t.control_disagrees,
    "control.remembered": lambda t: t.control_remembered,
    "control.dns.ok": lambda t: t.control_dns,
    "control.dns.denies": lambda t: _is_false(t.control_dns),
    "control.tcp.ok": lambda t: t.control_tcp,
    "control.tcp.failed": lambda t: _is_false(t.control_tcp),
    "control.tls.ok": lambda t: t.control_tls,
    "control.tls.failed": lambda t: _is_false(t.control_tls),
    "control.quic.ok": lambda t: t.control_quic,
    "control.fine": lambda t: (t.control_status >= 200) & (t.control_status < 400),
    "control.forbidden": lambda t: t.control_status.isin(_FORBIDDEN),
}
"""Facts that are no view's and have no family."""


def computable() -> frozenset[str]:
    """Every fact that a table can have."""
    families = ("network.", "speed.", *(f"{view}." for view in _VIEWS))
    kinds = {f"target.{kind}" for kind in ("https", "http", "tls", "tcp", "udp", "quic")}
    return frozenset(x for x in FACTS if x in _PLAIN or x in kinds or x.startswith(families))


def any_of(columns: Iterable[Column]) -> Column:
    """Whether one of some columns holds."""
    return reduce(or_, columns)
