"""What ``rozaneh up`` shows while it runs."""

import datetime as dt
import statistics
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rozaneh.cli import codes
from rozaneh.cli.options import as_json
from rozaneh.core import LocalFault
from rozaneh.gateway import Closed, Event, Opened, Refused
from rozaneh.gateway.events import Fetched, Prepared
from rozaneh.gateway.sentences import what_is_wrong
from rozaneh.gateway.telling import fetched, preparation
from rozaneh.words import Words
from rozaneh.words.dates import Dates

__all__ = ["LOOPBACK", "Screen"]

LOOPBACK = "127.0.0.1"
_LAST = 8
_SAMPLES = 64


class _Tally:
    """What became of the connections by one way against one obstacle."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds: deque[float] = deque(maxlen=_SAMPLES)

    def add(self, seconds: float) -> None:
        self.count += 1
        self.seconds.append(seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds else 0.0


class Screen:
    """Shows events: a live table on a terminal, one line each anywhere else, JSON where that was asked for."""

    def __init__(self, out: Console, tongue: Words, *, as_json: bool, show_hosts: bool) -> None:
        self._out = out
        self._words = tongue
        self._as_json = as_json
        self._show_hosts = show_hosts
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._last: deque[str] = deque(maxlen=_LAST)
        self._bytes = [0, 0]

    def showing(self, place: str, link: Callable[[], str]) -> AbstractContextManager[object]:
        """Show where the gateway listens, and then its events for as long as it runs.

        Args:
            place: ``address:port``.
            link: makes a link to the status page. It opens that page, so only a person at a terminal is given one; what
                goes anywhere else may end in a journal.
        """
        if self._as_json:
            address, _, port = place.rpartition(":")
            self._write({"event": "listening", "address": address, "port": int(port)})
            return nullcontext()
        say = self._words.say
        self._out.print(say("Listening on {place}: SOCKS5 and HTTP CONNECT.", place=place))
        self._out.print(say("For browsers: {url}", url=f"http://{place}/proxy.pac"))
        if self._out.is_terminal:
            self._out.print(say("Its status page, by this link, for one browser:"))
            self._out.print(link())  # alone on its line: a terminal takes the marks around a value for a part of it
        else:
            self._out.print(say("Its status page: {command}", command="rozaneh status --page"))
        example = f"curl --socks5-hostname {place} https://www.wikipedia.org/"
        self._out.print(say("Try: {command}", command=example))
        return Live(self, console=self._out, refresh_per_second=4) if self._out.is_terminal else nullcontext()

    def share(self, link: str) -> None:
        """Show how others reach the gateway; the password is in both."""
        if self._as_json:
            self._write({"event": "shared", "link": link})
            return
        self._out.print(self._words.say("On the same network: {link}", link=link))
        try:
            codes.show(link, self._words)
        except LocalFault as fault:
            self._out.print(self._words.again(fault))

    def tell(self, event: Event) -> None:
        """Take note of an event, and show it."""
        if isinstance(event, Closed):
            self._bytes[0] += event.up
            self._bytes[1] += event.down
        else:
            self._tallies.setdefault(self._kind(event), _Tally()).add(event.seconds)
        if self._as_json:
            self._write(event)
        elif not isinstance(event, Closed):
            self._last.append(self._line(event))
            if not self._out.is_terminal:
                self._out.print(self._last[-1])

    def prepared(self, event: Prepared | Fetched) -> None:
        """Show what was done for a cut that comes, or fetched of what could wait."""
        if self._as_json:
            self._write(event)
            return
        if isinstance(event, Fetched):
            lines = fetched(event, self._words)
        else:
            lines = preparation(event, self._words, Dates(self._words, event.at.tzinfo or dt.UTC))
        for line in lines:
            self._out.print(line)

    @staticmethod
    def _kind(event: Opened | Refused) -> tuple[str, str]:
        return (event.way, event.obstacle) if isinstance(event, Opened) else ("", event.obstacle)

    def _write(self, value: object) -> None:
        self._out.file.write(f"{as_json(value).decode()}\n")
        self._out.file.flush()

    def _line(self, event: Opened | Refused) -> str:
        if isinstance(event, Refused):
            reason = what_is_wrong(event.obstacle, self._words)
            text = self._words.say("refused after {took:.2f} s: {reason}", took=event.seconds, reason=reason)
        elif event.obstacle:
            text = self._words.say(
                "connected in {took:.2f} s by {way}; without that: {reason}",
                took=event.seconds,
                reason=what_is_wrong(event.obstacle, self._words),
                way=event.way,
            )
        else:
            text = self._words.say("connected in {took:.2f} s directly", took=event.seconds)
        return f"{event.host} {text}" if event.host else str(text)

    def __rich__(self) -> Group:
        say = self._words.say
        table = Table(box=None, pad_edge=False)
        table.add_column(say("way"))
        table.add_column(say("obstacle"))
        table.add_column(say("connections"), justify="right")
        table.add_column(say("typical seconds"), justify="right")
        for (way, obstacle), tally in sorted(self._tallies.items()):
            shown = (say("direct") if way == "tcp" else way) if way else say("none")
            median = self._words.number(tally.median, ".2f")
            table.add_row(shown, obstacle or "-", self._words.number(tally.count), median)
        moved = say("{up:.1f} MB sent, {down:.1f} MB received", up=self._bytes[0] / 1e6, down=self._bytes[1] / 1e6)
        hosts = [Text(line) for line in self._last] if self._show_hosts else []
        return Group(table, Text(str(moved)), *hosts)
