"""The answer to a request while it arrives, whatever carries it: what is kept of it, and how fast it came."""

import hashlib
from collections.abc import Callable

from rozaneh.codecs.http1 import Head, title
from rozaneh.core import TagValue

_BODY_HEAD = 4096
_SAMPLE_EVERY = 0.25
_MOST_SAMPLES = 240
_LONGEST_HEADER = 500


class Response:
    """Collects an answer within bounds.

    Args:
        most_body: bytes of body that are wanted at most.
        clock: gives the time in seconds.
    """

    def __init__(self, most_body: int, clock: Callable[[], float]) -> None:
        self.head: Head | None = None
        self.body = bytearray()
        self._most = most_body
        self._clock = clock
        self._began = clock()
        self._last = self._began
        self._samples: list[str] = []
        self._sampled = self._began

    @property
    def enough(self) -> bool:
        """Whether the body has reached its bound."""
        return len(self.body) >= self._most

    def add(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.body += data[: self._most - len(self.body)]
        self._last = self._clock()
        if self._last - self._sampled >= _SAMPLE_EVERY and len(self._samples) < _MOST_SAMPLES:
            self._sampled = self._last
            self._samples.append(f"{self._last - self._began:.3f} {len(self.body)}")

    def tags(self) -> dict[str, TagValue]:
        """What is worth recording.

        ``rate`` is in bytes per second from the first byte to the last, 0 when all came at once. Each of ``samples`` is
        the seconds since the first byte and the bytes of body by then.
        """
        took = self._last - self._began
        tags: dict[str, TagValue] = {
            "bytes": len(self.body),
            "rate": round(len(self.body) / took, 1) if took > 0 else 0.0,
            "samples": tuple(self._samples),
        }
        if self.head is not None:
            tags["status"] = self.head.status
            for name in ("location", "server"):
                tags[name] = self.head.header(name)[:_LONGEST_HEADER]
            tags["title"] = title(bytes(self.body))
            tags["body_length"] = len(self.body)
            tags["body_sha256"] = hashlib.sha256(self.body).hexdigest()
            tags["body_head"] = self.body[:_BODY_HEAD].decode("latin-1")
        return tags
