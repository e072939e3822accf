"""Is a way alive? Judged from the user's own bytes while they move. Pure.

A handshake proves nothing: some censors let it pass and stop what comes after (I21, I31), others let through a number
of bytes or only so many in a second. A way is *proven* once more than 32 KB have come through it. Before that, an
answer that does not come makes it doubtful; afterwards it takes longer. What is judged here is never a verdict about a
censor: it only decides that the next connection looks for another way.
"""

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from rozaneh.net.splice import Flow

__all__ = [
    "PROVEN",
    "TOGETHER",
    "Doubt",
    "Line",
    "Pulse",
    "asks_anew",
    "gave_up",
    "left_unsaid",
    "refuses_certificate",
    "was_turned_away",
]

Doubt = Literal["", "stall", "throttling"]

PROVEN = 32 * 1024
"""Bytes beyond which a way counts as alive."""
_STALL = 3.0
_STALL_OF_PROVEN = 12.0
_WINDOW = 4.0
TOGETHER = 1.5
"""Seconds of crawling that suffice where several connections to one place crawl at once."""
_SLOW = 20_000
"""Bytes a second below which a transfer that does not pause is slow: some known throttles give 16 kB (R3)."""
_TRICKLE = 2_000
"""Bytes a second up to which this is talk, and no transfer."""
_MOSTLY = 0.6
"""Share of the looks in which bytes must have come: what is policed by dropping packets pauses now and then."""
_LONGEST_ALERT = 40
"""Bytes of an alert, encrypted or not, and of the message that TLS 1.3 sends before it for the sake of middleboxes."""
_GIVES_UP = 2.5
_LEAST_SILENCE = 1.25
_PACES = 8.0
"""Silence of so many times what connecting or the first answer took is no ordinary pause."""
_PAUSES = 2.0
"""Silence of so many times the longest pause after which a transfer on this line has gone on."""
_LONGEST_PAUSE = 6.0
_LATELY = 600.0
_FASTER = 1.5
_FAST = 40_000
"""Bytes a second that a line must have moved lately before anything on it is called slow."""
_SHORT_ANSWER = 8192
"""Bytes of a certificate and one small page."""
_IDLE = 45.0
"""Seconds without a byte after which nobody waits for an answer any more: a connection was kept for later."""


@dataclass(slots=True)
class Line:
    """What all connections together have shown of this line in the last minutes: how fast it is, and how it pauses.

    Where everything is slow, nothing is slowed down; where transfers pause and go on, silence is no stall.
    """

    _fastest: tuple[float, float] = (0.0, -_LATELY)
    _pause: tuple[float, float] = (0.0, -_LATELY)
    _rate: float = 0.0

    def moved(self, count: int, seconds: float, now: float) -> None:
        """So many bytes came in the last seconds, on all connections together."""
        self._rate = count / seconds if seconds > 0 else 0.0
        if self._rate >= self._fastest[0] or now - self._fastest[1] > _LATELY:
            self._fastest = self._rate, now

    def paused(self, seconds: float, now: float) -> None:
        """In the middle of an answer nothing came for so long, and then it went on."""
        if seconds >= self._pause[0] or now - self._pause[1] > _LATELY:
            self._pause = min(seconds, _LONGEST_PAUSE), now

    def has_room(self, now: float) -> bool:
        """Whether it has lately been faster than all that moves now."""
        fastest, at = self._fastest
        return now - at <= _LATELY and fastest >= max(_FAST, _FASTER * self._rate)

    def patience(self, pace: float, least: float, now: float) -> float:
        """Seconds of silence after which a connection is doubtful.

        Args:
            pace: what connecting or the first answer took, whichever was slower.
            least: at least so many.
            now: seconds of the event loop's clock.
        """
        pause = self._pause[0] if now - self._pause[1] <= _LATELY else 0.0
        return max(least, _PACES * pace, _PAUSES * pause)


@dataclass(slots=True)
class Pulse:
    """One connection, looked at now and then while its bytes move.

    Attributes:
        flow: what the pump counts.
        line: what is known of the line that it is on.
        pace: seconds that connecting or the first answer took, whichever was slower.
    """

    flow: Flow
    line: Line = field(default_factory=Line)
    pace: float = 0.0
    _resumed: float = 0.0
    _seen: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=16))

    def patience(self, now: float) -> float:
        """Seconds of silence that are no ordinary pause of this connection."""
        return self.line.patience(self.pace, _LEAST_SILENCE, now)

    def crawls(self, now: float, window: float = _WINDOW) -> bool:
        """Whether bytes came in most looks of the last seconds, more than messages would be, and few in all.

        Args:
            now: seconds of the event loop's clock.
            window: how many seconds to look back; a short one will do where several connections do the same.
        """
        seen = [(at, down) for at, down in self._seen if now - at <= window + 0.4]
        if len(seen) < 3 or seen[-1][0] - seen[0][0] < window - 0.4:
            return False
        steps = [later[1] - earlier[1] for earlier, later in pairwise(seen)]
        rate = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
        return sum(map(bool, steps)) >= _MOSTLY * len(steps) and _TRICKLE < rate < _SLOW

    def judge(self, now: float) -> Doubt:
        """What its last seconds suggest."""
        flow = self.flow
        self.note_pause(now)
        self._seen.append((now, flow.down))
        if flow.half_closed or flow.failure is not None:
            return ""
        least = _STALL if flow.down < PROVEN else _STALL_OF_PROVEN
        asked = flow.up > 0 and flow.last_up > flow.last_down
        if asked and self.line.patience(self.pace, least, now) <= now - flow.last_up < _IDLE:
            return "stall"
        return "throttling" if self.crawls(now) and self.line.has_room(now) else ""

    def note_pause(self, now: float) -> None:
        """Tell the line of a pause in an answer: bytes came again, and nothing had been asked meanwhile."""
        flow = self.flow
        if not self._seen or flow.down == self._seen[-1][1] or flow.last_up > self._resumed:
            self._resumed = flow.last_down
            return
        self.line.paused(flow.last_down - self._resumed, now)
        self._resumed = flow.last_down


def gave_up(flow: Flow, now: float, patience: float = _GIVES_UP) -> Doubt:
    """What it suggests that a client ended a connection: that it had asked and waited in vain, or nothing.

    Args:
        flow: what the pump counted.
        now: when it ended.
        patience: seconds of silence that count, where these are more than usual.
    """
    asked = flow.up > 0 and flow.last_up > flow.last_down
    waited = _silent(flow, now, max(patience, _GIVES_UP))
    return "stall" if asked and waited and flow.broken_by != "far" else ""


def refuses_certificate(flow: Flow, now: float) -> bool:
    """Whether a client left after the certificate of a TLS handshake, with an alert at most.

    It sees what nobody on the way can: who signed it. A client that goes on says more than that at once.

    Args:
        flow: what the pump counted after the first bytes of an answer.
        now: when it ended; where the client has finished and the other end has not, its last bytes count.
    """
    ended = flow.last if flow.half_closed else now
    at_once = ended - flow.began < _GIVES_UP
    return 0 < flow.up <= _LONGEST_ALERT and at_once and flow.broken_by != "far"


def asks_anew(flow: Flow, now: float, patience: float = _GIVES_UP) -> Doubt:
    """What it suggests that a client asks for another connection while this one to the same target is silent.

    Between an answer that is complete and one that has stopped in the middle there is no difference to be seen in
    encrypted bytes. But a client with a connection to spare would use that.

    Args:
        flow: an unproven connection to the same target, open or just ended by its client.
        now: when it asks.
        patience: seconds of silence that count, by the rhythm of that connection and of its line.
    """
    silent = _silent(flow, now, patience)
    return "stall" if 1000 <= flow.down < PROVEN and silent and flow.broken_by != "far" else ""


def left_unsaid(flow: Flow, ended: float) -> bool:
    """Whether a client left after the certificate of a TLS handshake without a byte; many a program does, disbelieving.

    It counts where its client asks again, and then an own handshake tells.

    Args:
        flow: what the pump counted after the first bytes of an answer.
        ended: when it ended.
    """
    return flow.up == 0 < flow.down and ended - flow.began < _GIVES_UP and flow.broken_by != "far"


def was_turned_away(flow: Flow) -> bool:
    """Whether a connection carried one short answer and ended in order, as with a page that turns visitors away.

    Nearly every such connection is something else. It only counts where its client was not content and asks again.

    Args:
        flow: what the pump counted.
    """
    short = 0 < flow.down < _SHORT_ANSWER and 0 < flow.up < _SHORT_ANSWER
    return short and flow.broken_by != "far"


def _silent(flow: Flow, now: float, patience: float) -> bool:
    return patience <= now - max(flow.began, flow.last_down) < _IDLE
