"""What strangers upload becomes rows, or is set aside, whatever it is."""

import datetime as dt
import io

import numpy as np

from rozaneh.diagnosis import signatures
from rozaneh.observatory.batches import Reader
from rozaneh.observatory.pages import kinds_of
from rozaneh.ooni import BadMeasurement, decode
from rozaneh.ooni.sights import sights

_LATEST = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
_TESTS = (b"web_connectivity", b"signal", b"tor", b"vanilla_tor")


def fuzz_reader(data: bytes) -> None:
    reader = Reader("fuzz", _LATEST)
    for rows in reader.batches(io.BytesIO(data)):
        assert rows.batch().table(np.ones(rows.measurements, bool)).num_rows == len(rows) >= rows.measurements
    assert reader.kept + reader.quarantine.total == reader.lines


def fuzz_measurement_keys(data: bytes) -> None:
    for test in _TESTS:
        line = b'{"test_name":"%b","measurement_start_time":"2022-09-21 12:00:00","test_keys":%b}' % (test, data)
        reader = Reader("fuzz", _LATEST)
        for rows in reader.batches(io.BytesIO(line)):
            rows.batch().table(np.ones(rows.measurements, bool))
        try:
            found = sights(decode(line))
        except BadMeasurement:
            continue
        assert all(len(sight.dials) < 32 for sight in found)


def fuzz_signatures(data: bytes) -> None:
    text = data.decode("ascii", "ignore")
    *flags, names = kinds_of(text.encode(), "", "")
    in_head = signatures().matches(text)
    assert flags == [any(page.kind == kind for page in in_head) for kind in ("block", "refusal", "challenge")]
    assert {page.id for page in in_head} <= {*names}
