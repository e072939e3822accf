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
from rozaneh.observatory.events.claims import Claim
from rozaneh.observatory.events.counts import Counts

_HOUR = dt.timedelta(hours=1)
_WINDOWS = 60
_OF_READING = {
    "resolve.silence": Mechanism.DNS_SILENCE, "tls.reset": Mechanism.TLS_NAME_RESET,
    "tls.silence": Mechanism.TLS_NAME_SILENCE, "connect.silence": Mechanism.ADDRESS_BLACK_HOLE,
    "connect.refused": Mechanism.ADDRESS_REFUSED, "answer.reset": Mechanism.HTTP_RESET,
    "answer.silence": Mechanism.HTTP_SILENCE, "body.silence": Mechanism.HTTP_SILENCE,
    "quic.silence": Mechanism.QUIC_SILENCE,
}  # fmt: skip
"""What a failure that no rule could read looks like most."""
_SAYS = {"block": "failing", "protocol_block": "failing", "curfew": "failing", "outage": "failing",
         "domestic_only": "failing", "refusal": "refused", "throttling": "throttled"}  # fmt: skip


class GateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers of the gate; what they mean stands beside them in ``rules.toml``."""

    sources_least: int
    majority: float
    measured_least: int
    loudest: float
    loudest_least: float


@dataclass(frozen=True, kw_only=True)
class Support:
    """Who says so.

    Attributes:
        saying: independent sources that say so.
        measuring: those that measured enough.
        wanted: how many would be enough.
        samples: measurements in the windows.
        mechanism: the commonest of what failed.
        published: when the last of what the first day rests on had come in, where that is known.
    """

    saying: int
    measuring: int
    wanted: int
    samples: int
    mechanism: str
    published: dt.datetime | None

    @property
    def enough(self) -> bool:
        """Whether the event may be published."""
        return self.saying >= self.wanted


def support(connection: Any, counts: Counts, claim: Claim, settings: GateSettings) -> Support:
    """Ask the table of hours who says so."""
    t = connection.table("hourly")
    t = t.filter((t.country == counts.country) & t.asn.isin(list(claim.networks)))
    if claim.services:
        t = t.filter(t.subject.isin(list(claim.services)))
    windows = claim.windows[:: len(claim.windows) // _WINDOWS + 1]
    t = t.filter(reduce(or_, (_within(t, counts, window) for window in windows)))
    t = t.mutate(failing=t.blocked + t.failed + t.outage + t.domestic_only)
    t = t.mutate(says=t[_SAYS[claim.kind]])
    rows = (
        t.group_by(["source", "mechanism", "reading"]).aggregate(n=(t.n - t.void).sum(), says=t.says.sum()).to_pyarrow()
    )
    first = _within(t, counts, (claim.start, claim.start + 24))
    came = t.filter(first).received.max().to_pyarrow().as_py()
    n: Counter[str] = Counter()
    says: Counter[str] = Counter()
    how: Counter[str] = Counter()
    for row in rows.to_pylist():
        n[row["source"]] += row["n"]
        says[row["source"]] += row["says"]
        how[_mechanism(row["mechanism"], row["reading"])] += row["says"]
    bar = claim.share / 2
    measured = [source for source, number in n.items() if number >= settings.measured_least]
    saying = sum(says[source] / n[source] > bar for source in measured)
    need = max(settings.sources_least, int(settings.majority * len(measured)) + 1)
    known = {name: number for name, number in how.items() if name not in ("unknown", "none")} or dict(how)
    return Support(
        saying=saying,
        measuring=len(measured),
        wanted=need,
        samples=sum(n.values()),
        mechanism=min(known, key=lambda name: (-known[name], name)) if known else Mechanism.UNKNOWN.value,
        published=None if came is None else came.replace(tzinfo=dt.UTC),
    )


def _within(t: Any, counts: Counts, window: tuple[int, int]) -> Any:
    first, last = (counts.start + hour * _HOUR for hour in window)
    days = (t.day >= first.date()) & (t.day <= last.date())
    return days & (t.hour >= first) & (t.hour < last)


def _mechanism(told: str, reading: str) -> str:
    if told in ("unknown", "none", ""):
        return _OF_READING.get(reading, Mechanism.UNKNOWN).value
    return told
