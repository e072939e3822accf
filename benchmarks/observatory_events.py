"""How well and how fast events are found: curfews, quiet countries, floods, onsets, long cuts, a year of hours.

Countries are simulated from seeds that are fixed here; their counts match the detector's model of noise, so the shares
are upper bounds for the field. ``python -m benchmarks.observatory_events small`` runs a tenth of it. A number moves all
seeds by so many: countries that nobody has seen.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from rozaneh.observatory import schema
from rozaneh.observatory.events import Found
from rozaneh.observatory.events.counts import Counts
from rozaneh.observatory.events.curfews import NetworkCuts, NetworkSettings, find_on_networks
from rozaneh.observatory.events.on_signals import signal_events
from rozaneh.observatory.events.on_store import StoreFindings, claims_of, store_events
from rozaneh.observatory.events.recurring import RecurrenceSettings
from rozaneh.observatory.events.rules import event_rules
from rozaneh.observatory.events.services import ServiceSettings, find_on_services
from rozaneh.observatory.events.settings import settings_of
from rozaneh.observatory.signals.signal import Signal

COMMAND = "python -m benchmarks.observatory_events"
_START = datetime(2022, 1, 1, tzinfo=UTC)
_DAYS, _FIRST, _NIGHTS = 28, 12, 12
_SPREAD, _USUAL = 0.02, 0.12
_SERVICES, _SOURCES = 5, 8
Array = Any


def _logit(share: Array) -> Array:
    return np.log(share / (1 - share))


def counts(per_hour: float, failing: float | None, seed: int, days: int = _DAYS) -> tuple[Array, Array]:
    """A network with an evening peak, days that differ and failures in clumps; cut from 16:00 to 24:00 on 12 days."""
    rng = np.random.default_rng(seed)
    hour = np.arange(days * 24) % 24
    busy = (1 + 0.5 * np.sin(2 * np.pi * (hour - 15) / 24)) * np.repeat(rng.lognormal(0, 0.2, days), 24)
    n = rng.poisson(per_hour * busy)
    odds = _logit(_USUAL) + 0.35 * np.sin(2 * np.pi * (hour - 16) / 24) + np.repeat(rng.normal(0, 0.15, days), 24)
    if failing is not None:
        day = np.arange(days * 24) // 24
        odds = odds + np.where((hour >= 16) & (day >= _FIRST) & (day < _FIRST + _NIGHTS), 1, 0) * (
            _logit(failing) - _logit(_USUAL)
        )
    share = 1 / (1 + np.exp(-odds))
    size = 1 / _SPREAD - 1
    return n.astype(float), rng.binomial(n, rng.beta(share * size, (1 - share) * size)).astype(float)


def _find(of: list[tuple[Array, Array]]) -> list[NetworkCuts]:
    """What is found in countries of one network each."""
    rules = event_rules()
    network = rules["network-states"].numbers(NetworkSettings)
    recurrence = rules["recurring-cuts"].numbers(RecurrenceSettings)
    n, k = (np.stack([each[part] for each in of]) for part in (0, 1))
    return find_on_networks(n, k, _START, UTC, network, recurrence)


def curfews(per_hour: float, failing: float, countries: int, seed: int) -> tuple[float, float, float]:
    """Of countries with a curfew: shares found, found at the end of the third night, and with hours right to one."""
    made = [counts(per_hour, failing, seed + number) for number in range(countries)]
    found = [each.curfews[0] for each in _find(made) if each.curfews]
    right = sum(abs(one.hours[0] - 16) <= 1 and abs((one.hours[-1] + 13) % 24 - 12) <= 1 for one in found)
    known = (_FIRST + 3) * 24
    third = sum(bool(each.curfews) for each in _find([(n[:known], k[:known]) for n, k in made]))
    return len(found) / countries, third / countries, right / countries


def quiet(per_hour: float, countries: int, seed: int, *, flood: bool = False) -> int:
    """Curfews found where there is none; with a flood, one source adds eight hours of failures on each of five days."""
    made = [counts(per_hour, None, seed + number) for number in range(countries)]
    for n, k in made:
        if flood:
            # What is left of it once the loudest source weighs as much as the gate lets it, beside eight others.
            for day in range(15, 20):
                part = slice(day * 24 + 16, day * 24 + 24)
                add = np.maximum(1, 1.5 * n[part] / 8)
                n[part] += np.rint(add)
                k[part] += np.rint(add)
    return sum(len(each.curfews) for each in _find(made))


def flooded(countries: int, seed: int) -> int:
    """Events in tables of hours where one source says for eight hours on five days that five services are blocked."""
    found = 0
    for number in range(countries):
        rows = _measured(seed + number, None)
        hour = np.arange(_DAYS * 24)
        flood = np.flatnonzero((hour % 24 >= 16) & (hour // 24 >= 15) & (hour // 24 < 20))
        loud = [(h, s, _SOURCES, 12, 12) for h in flood.tolist() for s in range(_SERVICES)]
        found += len(_events(np.concatenate([rows, loud])))
    return found


def blocks(countries: int, seed: int) -> tuple[float, float]:
    """Of countries where one of five services of a network is blocked: shares found in 6 h, and right of all told."""
    good = told = 0
    for number in range(countries):
        begin = int(np.random.default_rng(seed + number).integers(14 * 24, 24 * 24))
        events = [each.event for each in _events(_measured(seed + number, begin))]
        told += len(events)
        good += any(
            event.services == ("s0.example",)
            and abs(event.start - _START - timedelta(hours=begin)) <= timedelta(hours=6)
            for event in events
        )
    return good / countries, good / max(told, 1)


def _measured(seed: int, blocked: int | None) -> Array:
    """Rows of a network with 20 measurements an hour of five services by eight sources; the first one is blocked."""
    rng = np.random.default_rng(seed)
    n, _ = counts(20, None, seed)
    hour, service, source = np.meshgrid(np.arange(len(n)), np.arange(_SERVICES), np.arange(_SOURCES), indexing="ij")
    tried = rng.poisson(n[:, None, None] / (_SERVICES * _SOURCES), hour.shape)
    gone = (service == 0) & (hour >= (len(n) if blocked is None else blocked))
    failed = rng.binomial(tried, np.where(gone, 0.92, _USUAL))
    there = tried > 0
    return np.stack([each[there] for each in (hour, service, source, tried, failed)], axis=1)


def _events(rows: Array) -> list[Found]:
    import ibis  # noqa: PLC0415 - the other figures need no engine

    connection = ibis.duckdb.connect()
    connection.con.register("hourly", _hourly(rows))
    return store_events(connection).found


def _hourly(rows: Array) -> Any:
    """Hour, service, source, measurements and failures as the table of hours of one network."""
    moments = np.datetime64("2022-01-01T00", "us") + rows[:, 0].astype("timedelta64[h]")
    nought = np.zeros(len(rows), np.int64)
    columns: dict[str, Any] = dict.fromkeys(schema.HOUR.names, nought)
    columns |= {name: pa.array([""] * len(rows)) for name in ("network_type", "mechanism", "reading")}
    columns |= {
        "country": pa.array(["IR"] * len(rows)), "day": moments.astype("datetime64[D]"), "asn": nought + 44244,
        "subject": pa.array([f"s{x}.example" for x in rows[:, 1]]), "test_name": pa.array(["x"] * len(rows)),
        "hour": moments, "received": moments, "source": rows[:, 2], "n": rows[:, 3],
        "ok": rows[:, 3] - rows[:, 4], "failed": rows[:, 4],
    }  # fmt: skip
    return pa.table({name: pa.array(columns[name]).cast(schema.HOUR.field(name).type) for name in schema.HOUR.names})


def onsets(per_hour: float, services: int, seed: int) -> tuple[float, float]:
    """Blocks of services at a known hour, as many services without: share found within six hours, and precision."""
    rng = np.random.default_rng(seed)
    hours = 40 * 24
    hour = np.arange(hours) % 24
    n = rng.poisson(per_hour * (1 + 0.5 * np.sin(2 * np.pi * (hour - 15) / 24)), (2 * services, hours))
    share = np.full(n.shape, 0.05)
    begin = rng.integers(14 * 24, 30 * 24, services)
    for row, first in enumerate(begin):
        share[row, first:] = 0.92
    size = 1 / _SPREAD - 1
    k = rng.binomial(n, rng.beta(share * size, (1 - share) * size))
    found = find_on_services(n, k, 0, event_rules()["service-states"].numbers(ServiceSettings))
    good = {s.row for s in found if s.row < services and abs(s.first - begin[s.row]) <= 6}
    return len(good) / services, len(good) / max(len(found), 1)


def long_cuts(series: int, seed: int) -> tuple[float, int]:
    """Signals cut for a month, and quiet ones: share with one event that opens in time and ends, and wrong events."""
    good = wrong = 0
    for number in range(series):
        rng = np.random.default_rng(seed + number)
        hours = np.arange(70 * 24)
        noise, daily = rng.choice([0.01, 0.05, 0.12]), rng.choice([0.0, 0.2, 0.4])
        values = (1 + daily * np.sin(2 * np.pi * (hours - 15) / 24)) * np.maximum(rng.normal(1, noise, len(hours)), 0)
        times = _START.timestamp() + hours.astype(np.float64) * 3600.0
        gaps = rng.random(len(hours)) < 0.03
        still = np.where(gaps, np.nan, values * rng.choice([1e-2, 1.0, 1e6]))
        first, last = int(rng.integers(10 * 24, 20 * 24)), int(rng.integers(45 * 24, 55 * 24))
        cut = still * np.where((hours >= first) & (hours < last), rng.uniform(0.02, 0.3), 1)
        found = signal_events([Signal(name="x", country="IR", times=times, values=cut)]).found
        begin = _START + timedelta(hours=first)
        end = _START + timedelta(hours=last)
        good += (
            len(found) == 1
            and abs(found[0].event.start - begin) <= timedelta(hours=1)
            and found[0].event.end is not None
            and timedelta() <= found[0].event.end - end <= timedelta(hours=12)
        )
        wrong += len(signal_events([Signal(name="x", country="IR", times=times, values=still)]).found)
    return good / series, wrong


def year(networks: int, services: int, days: int = 365) -> float:
    """Seconds to find the claims in a year of hourly counts; one series in twenty is blocked for a month."""
    rng = np.random.default_rng(1)
    hours = days * 24
    n = rng.poisson(2.0, (networks * services, hours)).astype(np.uint16)
    share = np.full(len(n), 0.04)
    k = rng.binomial(n, share[:, None]).astype(np.uint16)
    for row in range(0, len(n), 20):
        k[row, 100 * 24 : 130 * 24] = n[row, 100 * 24 : 130 * 24]
    none = np.zeros_like(n)
    made = Counts(
        country="IR",
        start=_START,
        series=[(network + 1, f"s{service:02}") for network in range(networks) for service in range(services)],
        n=n,
        kinds={"failed": k, "refused": none, "throttled": none, "compared": none},
    )
    began = time.perf_counter()
    claims = claims_of(made, settings_of(event_rules()), StoreFindings())
    took = time.perf_counter() - began
    assert claims
    return took


def main(part: float = 1.0, moved: int = 0) -> list[dict[str, Any]]:
    many = max(int(100 * part), 5)
    strong, weak = curfews(20, 0.5, many, moved + 10_000), curfews(20, 0.25, many, moved + 20_000)
    onset, precision = onsets(20, max(int(60 * part), 6), moved + 30_000)
    alone, right = blocks(max(int(60 * part), 6), moved + 80_000)
    whole, wrong = long_cuts(max(int(60 * part), 6), moved + 40_000)
    lied = quiet(20, many, moved + 60_000, flood=True)
    rows: list[tuple[str, float, str, str]] = [
        ("curfew, half fail, 20/h: found", strong[0], "of countries", ">= 0.99"),
        ("curfew, half fail, 20/h: known at the end of the third night", strong[1], "of countries", ">= 0.99"),
        ("curfew, half fail, 20/h: hours right to 1 h", strong[2], "of countries", ">= 0.99"),
        ("curfew, a quarter fail, 20/h: found", weak[0], "of countries", ">= 0.80"),
        ("curfew, a quarter fail, 20/h: hours right to 1 h", weak[2], "of countries", ">= 0.80"),
        ("quiet countries: curfews", quiet(20, 2 * many, moved + 50_000), "of 200", "<= 0"),
        ("one source floods 5 days: curfews before the gate", lied, "of 100", ""),
        ("one source floods 5 days: events", flooded(max(int(20 * part), 2), moved + 70_000), "of 20", "<= 0"),
        ("block of a service, 20/h: onset within 6 h", onset, "of services", ">= 0.98"),
        ("block of a service, 20/h: precision", precision, "of events", ">= 0.98"),
        ("block of one of five services on a network, 20/h in all: onset within 6 h", alone, "of blocks", ">= 0.98"),
        ("block of one of five services on a network, 20/h in all: precision", right, "of events", ">= 0.98"),
        ("signal cut for a month: one event, opened within 1 h, not closed early", whole, "of series", ">= 0.98"),
        ("quiet signals: events", wrong, "of 60", "<= 0"),
    ]  # fmt: skip
    took = year(max(int(100 * part), 4), 60, 365 if part == 1 else 150)
    rows.append(("a year of 100 networks and 60 services by hour: claims", took, "s", "<= 60"))
    return [
        {"name": f"events: {name}", "value": round(value, 3), "unit": unit, "target": target, "command": COMMAND}
        for name, value, unit, target in rows
    ]


if __name__ == "__main__":
    numbers = [int(each) for each in sys.argv[1:] if each.isdecimal()]
    for row in main(0.1 if "small" in sys.argv[1:] else 1.0, *numbers[:1]):
        print(f"{row['value']:8.3f} {row['unit']:14} {row['target']:8} {row['name']}")
