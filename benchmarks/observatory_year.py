"""Events of a year on disk: reading a row for each hour, network and service, finding claims, and asking who says so.

``python -m benchmarks.observatory_year small`` runs three networks over 150 days.
"""

import datetime as dt
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from rozaneh.observatory import engine, schema
from rozaneh.observatory.events.on_store import store_events
from rozaneh.observatory.store import Partition

COMMAND = "python -m benchmarks observatory_year"
_START = dt.date(2022, 1, 1)


def year_on_disk(networks: int, services: int, days: int = 365) -> float:
    """Seconds to find the events in a store with a row for each hour, network and service; as many are blocked."""
    with tempfile.TemporaryDirectory() as folder:
        connection = duckdb.connect()
        for day in range(days):
            date = _START + timedelta(days=day)
            there = Partition("IR", date).inside(Path(folder) / schema.HOURLY)
            there.mkdir(parents=True)
            bad = "hash(a, s, h, $day) % 25 = 0" + (" OR (a * $services + s) % 20 = 0" if 100 <= day < 130 else "")
            table = connection.sql(
                f"""SELECT 'IR' AS country, $date::DATE AS day, a + 1 AS asn, '' AS network_type,
                    's' || s || '.example' AS subject, 'web_connectivity' AS test_name, 'unknown' AS mechanism,
                    CASE WHEN {bad} THEN 'tls.reset' ELSE '' END AS reading, $date::DATE + h * INTERVAL 1 HOUR AS hour,
                    a * 8 + h % 5 AS source, 2 AS n, CASE WHEN {bad} THEN 0 ELSE 2 END AS ok, 0 AS blocked,
                    0 AS throttled, 0 AS refused, 0 AS down, 0 AS outage, 0 AS domestic_only,
                    CASE WHEN {bad} THEN 2 ELSE 0 END AS failed, 0 AS void, 0 AS compared, NULL AS received
                FROM range($networks) n(a), range($services) t(s), range(24) u(h) ORDER BY asn, subject, hour""",  # noqa: S608 - ours
                params={"date": date, "day": day, "networks": networks, "services": services},
            ).to_arrow_table()
            pq.write_table(
                table.select(schema.HOUR.names).cast(schema.HOUR), there / "made.parquet", compression="zstd"
            )
        began = time.perf_counter()
        found = store_events(engine.duckdb(Path(folder))).found
        took = time.perf_counter() - began
    assert found
    return took


def main() -> list[dict[str, object]]:
    name = "events: a year of 100 networks and 60 services by hour, read from disk: events"
    return [{"name": name, "value": year_on_disk(100, 60), "unit": "s", "target": "<= 60", "command": COMMAND}]


if __name__ == "__main__":
    assert sys.argv[1:] == ["small"], f"{COMMAND}, or small"
    print(f"{year_on_disk(3, 60, 150):.1f} s")
