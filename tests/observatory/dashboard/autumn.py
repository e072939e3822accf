"""A small store of hours in memory: an autumn with a curfew on one network and a blocked service on two."""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from rozaneh.observatory.cells import cells, countrywide
from rozaneh.observatory.dashboard.site import Holdings, Site
from rozaneh.observatory.days import count_days, daily
from rozaneh.observatory.events.event import Event, Evidence, Forecast, Found, Vote, Withheld
from rozaneh.observatory.partitions import parts
from rozaneh.observatory.schema import CELL, CELLS, COUNTRYWIDE_CELL, COUNTS, DAY, HOUR, HOURLY
from rozaneh.observatory.store import Change, Partition, Store

TEHRAN = ZoneInfo("Asia/Tehran")
FIRST = dt.datetime(2022, 9, 10, tzinfo=dt.UTC)
DAYS = 30
CURFEW = (dt.date(2022, 9, 21), dt.date(2022, 10, 3))
MADE = dt.datetime(2022, 10, 12, 9, tzinfo=dt.UTC)

HOSTILE = "<script>alert(1)</script>.example"


def row(hour: dt.datetime, asn: int, subject: str, source: str, **counts: object) -> dict[str, object]:
    """One row of the table of hours."""
    numbers = {name: int(str(counts.get(name, 0))) for name in COUNTS}
    numbers["n"] = sum(numbers[name] for name in COUNTS if name != "n")
    number = int.from_bytes(source.encode())
    return {
        "country": str(counts.get("country", "IR")), "day": hour.date(), "asn": asn, "network_type": "",
        "subject": subject, "test_name": "web_connectivity", "mechanism": str(counts.get("mechanism", "none")),
        "reading": "", "hour": hour.replace(tzinfo=None), "source": number, "received": None, "compared": 0, **numbers,
    }  # fmt: skip


def cut(hour: dt.datetime, asn: int) -> bool:
    """Whether the curfew is in force on this network in the middle of this hour."""
    local = (hour + dt.timedelta(minutes=30)).astimezone(TEHRAN)
    return asn == 44244 and local.hour >= 16 and CURFEW[0] <= local.date() <= CURFEW[1]


def hours() -> list[dict[str, object]]:
    """All rows."""
    rows: list[dict[str, object]] = []
    for number in range(DAYS * 24):
        hour = FIRST + dt.timedelta(hours=number)
        for asn in (44244, 58224):
            for source in ("a", "b", "c"):
                mine = f"{asn}{source}"
                if cut(hour, asn):
                    rows.append(row(hour, asn, "wikipedia", mine, outage=3, mechanism="whole_outage"))
                    continue
                rows.append(row(hour, asn, "wikipedia", mine, ok=3))
                blocked = hour >= dt.datetime(2022, 9, 21, 12, tzinfo=dt.UTC)
                result = {"blocked": 2, "mechanism": "tls_name_reset"} if blocked else {"ok": 2}
                rows.append(row(hour, asn, "instagram", mine, **result))
    rows.append(row(FIRST, 44244, HOSTILE, "44244a", ok=9))
    rows += [row(FIRST, 44244, HOSTILE, f"44244{source}", ok=9) for source in "bc"]
    rows += [row(FIRST, 31549, "signal", "only-one", blocked=50, mechanism="tls_name_reset")]
    rows += [row(FIRST, 16322, "signal", source, blocked=1, mechanism="tls_name_reset") for source in ("x", "y")]
    return rows


def tables(rows: list[dict[str, object]]) -> tuple[ir.Table, ir.Table, ir.Table]:
    """The store's tables of cells, of cells of all networks together, and of days, of some hours."""
    hours = pa.Table.from_pylist(rows, schema=HOUR).sort_by([("country", "ascending"), ("day", "ascending")])
    of_days = [cells(part) for _, part in parts(hours)]
    narrow = (
        ibis.memtable(pa.concat_tables([kind.empty_table(), *some]))
        for kind, some in ((CELL, of_days), (COUNTRYWIDE_CELL, map(countrywide, of_days)))
    )
    return (*narrow, ibis.memtable(daily(ibis.memtable(hours)).to_pyarrow().cast(DAY)))


@cache
def own_tables() -> tuple[ir.Table, ir.Table, ir.Table]:
    """The tables of all hours of the autumn, made once: who asks does not change them."""
    return tables(hours())


def found() -> tuple[Found, ...]:
    """The curfew and the block."""
    at = dt.datetime(2022, 9, 21, 12, 30, tzinfo=dt.UTC)
    curfew = Event(
        kind="curfew", country="IR", networks=("AS44244",), start=at, end=None, hours=tuple(range(16, 24)),
        mechanism="whole_outage", confidence=0.97, samples=900, sources=3, rule="recurring-cuts",
    )  # fmt: skip
    block = Event(
        kind="block", country="IR", networks=("AS44244", "AS58224"), services=("instagram",), start=at,
        end=at + dt.timedelta(days=12), mechanism="tls_name_reset", confidence=0.9, samples=2000, sources=6,
        rule="recurring-cuts",
    )  # fmt: skip
    forecast = Forecast(
        start=at + dt.timedelta(days=13), end=at + dt.timedelta(days=13, hours=8), chance=1.0, hits=9, misses=0
    )
    votes = (Vote(signal="=cmd|' /C calc'!A0", fell=True, start=at, lowest=0.04), Vote(signal="bgp", fell=False))
    return (
        Found(event=curfew, evidence=Evidence(state="down", zone="Asia/Tehran", forecast=forecast, votes=votes,
                                              would_change=("recovery", "late-data"))),
        Found(event=block, evidence=Evidence(would_change=("control",))),
    )  # fmt: skip


def withheld() -> tuple[Withheld, ...]:
    """A claim that one source alone makes."""
    event = Event(
        kind="block", country="IR", networks=("AS31549",), services=("signal",), start=FIRST,
        mechanism="tls_name_reset", confidence=0.5, samples=50, sources=1, rule="recurring-cuts",
    )  # fmt: skip
    return (Withheld(event=event, reason="sources", wanted=3, had=1),)


@cache
def site(*, interactive: bool = False) -> Site:
    """The pages of all this, made once."""
    return made_again(own_tables(), interactive=interactive)


def made_again(of: tuple[ir.Table, ir.Table, ir.Table], *, interactive: bool = False) -> Site:
    """The same pages, of tables that others may have made."""
    return Site(Holdings(*of, found=found(), withheld=withheld(), made=MADE), interactive=interactive)


def on_disk(place: Path, rows: Sequence[dict[str, object]]) -> Path:
    """A store with these hours, or with these as well."""
    with Store(place) as opened:
        for day in sorted({str(row["day"]) for row in rows}):
            part = pa.Table.from_pylist([row for row in rows if str(row["day"]) == day], schema=HOUR)
            where = Partition("IR", part["day"][0].as_py())
            tables = ((HOURLY, part), (CELLS, cells(part)))
            put = [(opened.stage(each), opened.new_file(name, where)) for name, each in tables]
            opened.commit(Change(put=put, fresh=[where]))
        count_days(opened)
    return place
