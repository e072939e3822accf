"""What an ingest asks of its process ends with it."""

import gc
from pathlib import Path

import pyarrow as pa

from rozaneh.observatory.window import much_memory


def state() -> tuple[bool, str, list[str]]:
    """Whether the collector runs, who gives Arrow its memory, and what a kernel that has huge pages says of them."""
    told = Path("/proc/self/status").read_text().splitlines()
    return gc.isenabled(), pa.default_memory_pool().backend_name, [x for x in told if x.startswith("THP_enabled")]


def test_what_an_ingest_asks_of_its_process_ends_with_it() -> None:
    before = state()
    with much_memory():
        collects, pool, huge = state()
        assert (collects, pool) == (False, "system")
        assert all(line.endswith("0") for line in huge)
    assert state() == before
