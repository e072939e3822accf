"""The events of a store, found again from all its hours: late uploads re-open the past."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from rozaneh.observatory import engine
from rozaneh.observatory.damage import told
from rozaneh.observatory.events.on_store import StoreFindings, store_events
from rozaneh.observatory.events.stored import Stored, keep
from rozaneh.observatory.signals.signal import Signal
from rozaneh.observatory.store import check_store


def renew(
    place: Path,
    signals: Sequence[Signal] = (),
    marks: Sequence[dt.datetime] = (),
    asked: str = engine.DUCKDB,
) -> StoreFindings:
    """Find the events of a store and keep them in it, in place of those that were there.

    Args:
        place: the store.
        signals: of the same places; they vote beside the measurements.
        marks: when the measuring changed.
        asked: where the table of hours is asked, as :func:`rozaneh.observatory.engine.engine` names it.

    Raises:
        LocalFault: there is no such store, or they cannot be kept.
    """
    check_store(place)
    with told(place):
        findings = store_events(engine.engine(asked, place), signals=signals, marks=marks)
    too_large = tuple(large.country for large in findings.too_large)
    keep(place, Stored(found=tuple(findings.found), withheld=tuple(findings.withheld), too_large=too_large))
    return findings
