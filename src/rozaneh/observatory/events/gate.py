"""Who says so: an event needs enough independent sources, and most of those that measured.

A source is what the table of hours calls one: network, app and version, platform, uploader. A flood by one is one
source whatever its size and however many days it lasts. A flood by several that pretend to be many still has to
outnumber the sources that really measured there, on each network: that is its cost.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import msgspec

from rozaneh.diagnosis import Mechanism
from rozaneh.observatory.engine import asked
from rozaneh.observatory.events.claims import Claim
from rozaneh.observatory.events.counts import Counts
from rozaneh.observatory.mechanisms import mechanism_of

_HOUR = dt.timedelta(hours=1)
_WINDOWS = 60
_SEVERAL = 2
_SAYS = {"block": "failing", "protocol_block": "failing", "curfew": "failing", "outage": "failing",
         "domestic_only": "failing", "refusal": "refused", "throttling": "throttled"}  # fmt: skip


class GateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the gate; what they mean stands beside them in ``rules.toml``."""

    sources_least: int
    majority: float
    measured_least: int
    known_hours: int


@dataclass(frozen=True, kw_only=True)
class Support:
    """Who says so.

    Attributes:
        networks: those on which several sources say so: what one says is no evidence, and would give it away.
        saying: independent sources that say so.
        measuring: those that measured enough.
        wanted: how many would be enough.
        samples: measurements in the windows.
        mechanism: the commonest of what failed.
        published: when the last of what the first day rests on had come in, where that is known.
        measured_before: of those that measured enough, how many measured on these networks in the days before it.
        said_before: of these, how many say so.
        known: whether most of them do, or nothing is known of the days before. A new version of the software is a new
            source; where only such ones say so, it is the measuring that changed.
    """

    networks: tuple[int, ...]
    saying: int
    measuring: int
    wanted: int
    samples: int
    mechanism: str
    published: dt.datetime | None
    measured_before: int
    said_before: int
    known: bool

    @property
    def enough(self) -> bool:
        """Whether the event may be published."""
        return self.saying >= self.wanted and bool(self.networks)


def support(connection: Any, counts: Counts, claim: Claim, settings: GateSettings) -> Support:
    """Ask the table of hours who says so."""
    t = connection.table("hourly")
    t = t.filter((t.country == counts.country) & t.asn.isin(list(claim.networks)))
    if claim.services:
        t = t.filter(t.subject.isin(list(claim.services)))
    elif claim.about:
        of = {asn: [subject for other, subject in claim.about if other == asn] for asn, _ in claim.about}
        t = t.filter(reduce(or_, ((t.asn == asn) & t.subject.isin(subjects) for asn, subjects in of.items())))
    windows = claim.windows[:: len(claim.windows) // _WINDOWS + 1]
    t = t.filter(reduce(or_, (_within(t, counts, window) for window in windows)))
    t = t.mutate(failing=t.blocked + t.failed + t.outage + t.domestic_only)
    # Only those who compare can tell whether something is slowed down.
    t = t.mutate(says=t[_SAYS[claim.kind]], asked=t.compared if claim.kind == "throttling" else t.n - t.void)
    keys = ["asn", "source", "mechanism", "reading"]
    rows = asked(t.group_by(keys).aggregate(n=t.asked.sum(), says=t.says.sum()))
    first = _within(t, counts, (claim.start, claim.start + 24))
    came = asked(t.filter(first).aggregate(last=t.received.max()))["last"][0].as_py()
    n: Counter[int] = Counter()
    says: Counter[int] = Counter()
    how: Counter[str] = Counter()
    by_network: dict[int, set[int]] = {}
    for row in rows.to_pylist():
        n[row["source"]] += row["n"]
        says[row["source"]] += row["says"]
        if row["says"]:
            by_network.setdefault(row["asn"], set()).add(row["source"])
        how[mechanism_of(row["mechanism"], row["reading"])] += row["says"]
    bar = claim.share / 2
    measured = [source for source, number in n.items() if number >= settings.measured_least]
    says_so = {source for source in measured if says[source] / n[source] > bar}
    earlier = (
        None
        if claim.before or claim.start < settings.known_hours // 2
        else _before(connection, counts, claim, settings)
    )
    of_old = [source for source in measured if earlier is not None and source in earlier]
    said = sum(source in says_so for source in of_old)
    need = max(settings.sources_least, int(settings.majority * len(measured)) + 1)
    known = {name: number for name, number in how.items() if name not in ("unknown", "none")} or dict(how)
    return Support(
        networks=tuple(asn for asn in claim.networks if len(by_network.get(asn, ())) >= _SEVERAL),
        saying=len(says_so),
        measuring=len(measured),
        wanted=need,
        samples=sum(n.values()),
        mechanism=min(known, key=lambda name: (-known[name], name)) if known else Mechanism.UNKNOWN.value,
        published=None if came is None else came.replace(tzinfo=dt.UTC),
        measured_before=len(of_old),
        said_before=said,
        known=earlier is None or said > settings.majority * len(of_old),
    )


def _before(connection: Any, counts: Counts, claim: Claim, settings: GateSettings) -> set[int]:
    """The sources that measured anything on these networks in the days before it."""
    t = connection.table("hourly")
    t = t.filter((t.country == counts.country) & t.asn.isin(list(claim.networks)))
    t = t.filter(_within(t, counts, (claim.start - settings.known_hours, claim.start)))
    return set(asked(t.select("source").distinct())["source"].to_pylist())


def _within(t: Any, counts: Counts, window: tuple[int, int]) -> Any:
    first, last = (counts.start + hour * _HOUR for hour in window)
    days = (t.day >= first.date()) & (t.day <= last.date())
    return days & (t.hour >= first) & (t.hour < last)
