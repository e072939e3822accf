"""From a store on disk to its pages, and to new ones when the store has changed."""

import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from rozaneh.core import LocalFault
from rozaneh.observatory import schema
from rozaneh.observatory.damage import told
from rozaneh.observatory.dashboard.site import Holdings, Site
from rozaneh.observatory.engine import engine as open_engine
from rozaneh.observatory.engine import table
from rozaneh.observatory.events.stored import FILE, Stored, stored
from rozaneh.observatory.simulated import is_simulated
from rozaneh.observatory.store import check_store, files
from rozaneh.words import later

_ADDRESS: Final = re.compile(r"https?://[^\s\x00-\x20\x7f-\x9f\"<>\\^`{|}]{1,1000}")
_ASKED: Final = (schema.CELLS, schema.COUNTRYWIDE, schema.DAILY)


def open_site(place: Path, engine: str = "duckdb", *, interactive: bool = False, where: str = "") -> Site:
    """The pages of a store as it is now.

    Args:
        place: the store.
        engine: where queries run, as :func:`rozaneh.observatory.engine.engine` names them.
        interactive: somebody answers requests, so that a search form makes sense.
        where: the address under which the pages will stand.

    Raises:
        LocalFault: there is no store, no such engine, or the address is none.
    """
    check_store(place)
    with told(place):
        connection = open_engine(engine, place, serving=True)
    known = stored(place)
    events = known or Stored()
    if where and not _ADDRESS.fullmatch(where):
        raise LocalFault(
            later(
                "{where!r} is no address of a site: expected https:// or http:// and no spaces or quotes", where=where
            )
        )
    where = where if not where or where.endswith("/") else f"{where}/"
    holdings = Holdings(
        cells=table(connection, schema.CELLS),
        countrywide=table(connection, schema.COUNTRYWIDE),
        daily=table(connection, schema.DAILY),
        found=events.found,
        withheld=events.withheld,
        where=where,
        place=place,
        simulated=is_simulated(place),
        searched=known is not None,
        too_large=frozenset(events.too_large),
    )
    return Site(holdings, interactive=interactive)


class Current:
    """Gives the pages of a store, opened anew when its files have changed.

    Args:
        place: the store.
        engine: as for :func:`open_site`.
    """

    def __init__(self, place: Path, engine: str = "duckdb") -> None:
        self._place, self._engine = place, engine
        self._turn = threading.Lock()
        self._seen = self._state()
        self._site = open_site(place, engine, interactive=True)

    def __call__(self) -> Site:
        """The pages as they are now."""
        with self._turn:
            if (state := self._state()) != self._seen:
                self._seen, self._site = state, open_site(self._place, self._engine, interactive=True)
            return self._site

    def _state(self) -> tuple[object, ...]:
        """What tells one state of a store from another: its files never change, they are replaced by others."""
        seen = 0
        try:
            with suppress(FileNotFoundError):
                seen = (self._place / schema.EVENTS / FILE).stat().st_mtime_ns
            return (seen, *(str(path) for table in _ASKED for path in files(self._place, table)))
        except OSError as error:
            raise LocalFault(later("{place} cannot be read: {why}", place=self._place, why=error.strerror)) from None
