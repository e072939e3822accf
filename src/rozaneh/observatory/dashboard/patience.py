"""How long a client of the pages is waited for.

uvicorn waits for ever for the head of a request and for a client to take an answer. A thousand connections on which
nothing is said would take all descriptors, and nobody else would be answered.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol

ASKING: Final = 10.0
"""Seconds to say all of a request's head; also between two requests."""

ANSWERING: Final = 120.0
"""Seconds until an answer is made and taken."""

MOST: Final = 256
"""Connections at the same time; more are closed unheard."""


class Patience(H11Protocol):
    """One connection, which is looked at again and again while it lasts."""

    asking, answering, most = ASKING, ANSWERING, MOST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the class above
        """Wait for its first request, unless there are too many."""
        super().connection_made(transport)
        self._seen: object = None
        self._since = self.loop.time()
        self._look: asyncio.TimerHandle | None = None
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _again(self) -> None:
        """End it where nothing has changed for too long: not which request is answered, nor that it is."""
        now = self.loop.time()
        answered = self.cycle is None or self.cycle.response_complete
        if (now_seen := (self.cycle, answered)) != self._seen:
            self._seen, self._since = now_seen, now
        if now - self._since >= (self.asking if answered else self.answering):
            self.transport.abort()
        else:
            self._look = self.loop.call_later(self.asking / 4, self._again)
