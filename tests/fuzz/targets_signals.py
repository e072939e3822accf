"""Files of series."""

from contextlib import suppress

import numpy as np

from rozaneh.core import LocalFault
from rozaneh.lab.country.timeline import parse_timeline
from rozaneh.observatory.signals.choose import choose
from rozaneh.observatory.signals.table import parse_table


def fuzz_table(data: bytes) -> None:
    with suppress(LocalFault):
        for signal in choose(parse_table(data, "x"), "x").signals:
            assert np.all(np.diff(signal.times) > 0)
            assert not np.any(signal.values < 0)


def fuzz_rows(data: bytes) -> None:
    fuzz_table(b"time,x\n2022-01-01,1\n" + data)


def fuzz_timeline(data: bytes) -> None:
    with suppress(LocalFault):
        parse_timeline(data, "x")
