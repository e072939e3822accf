"""Columns that rows share are spread when a window is written, each to its own rows."""

import datetime as dt
import gc
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rozaneh.observatory import schema
from rozaneh.observatory.columns import SORTED
from rozaneh.observatory.ingest import ingest
from rozaneh.observatory.store import Store, files
from tests.observatory.made import web, write


def test_a_window_is_written_in_order_without_doubles_and_memory_is_managed_as_before(tmp_path: Path) -> None:
    pool = pa.default_memory_pool().backend_name
    lines = [web(i, probe_asn=f"AS{i % 3 + 1}", input=f"https://site{i % 4}.example/") for i in (5, 3, 9, 3, 1, 7)]
    lines += [{**web(i), "test_name": "signal"} for i in (12, 11)]
    with Store(tmp_path / "store") as store:
        summary = ingest([write(tmp_path / "a.jsonl.gz", lines)], store, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    (path,) = files(tmp_path / "store", schema.OBSERVATIONS)
    table = pq.read_table(path, partitioning=None)
    assert table.equals(table.take(pc.sort_indices(table, sort_keys=list(SORTED))))
    assert (summary.kept, summary.doubled, summary.rows, table.num_rows) == (7, 1, 14, 14)
    of = {(row["measurement_uid"], row["dial"]): (row["asn"], row["line"], row["ip"]) for row in table.to_pylist()}
    assert of[web(9)["measurement_uid"], 1] == (1, 3, "151.101.65.5")
    assert of[web(3)["measurement_uid"], 0] == (1, 2, "151.101.1.5")
    assert gc.isenabled()
    assert pa.default_memory_pool().backend_name == pool
