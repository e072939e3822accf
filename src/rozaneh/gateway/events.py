"""What the gateway tells about its connections: enough to see what works, and nothing of what was visited."""

from datetime import datetime

import msgspec


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag="opened", tag_field="event", omit_defaults=True):
    """A connection was made.

    Attributes:
        way: how, as redacted text.
        obstacle: what is in the way of the direct connection, where something is.
        tried: how many ways were tried.
        seconds: from the client's request to the first byte of an answer, or to the connection where none is awaited.
        host: ``host:port``, only where the user wants to see it.
    """

    way: str
    obstacle: str = ""
    tried: int = 1
    seconds: float
    host: str = ""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused", tag_field="event", omit_defaults=True):
    """No connection was made.

    Attributes:
        failure: how the attempt failed that says most.
        obstacle: what seems to be in the way, or ``local`` for a target that a proxy must not reach.
        tried: how many ways were tried.
        seconds: from the client's request to the refusal.
        needs_upstream: whether only a server abroad could help.
        host: ``host:port``, only where the user wants to see it.
    """

    failure: str
    obstacle: str
    tried: int = 0
    seconds: float
    needs_upstream: bool = False
    host: str = ""


class Closed(msgspec.Struct, frozen=True, kw_only=True, tag="closed", tag_field="event", omit_defaults=True):
    """A connection has ended.

    Attributes:
        way: how it was made.
        up: bytes from the client.
        down: bytes to the client.
        seconds: how long it moved bytes.
        failure: how it broke, or empty for an orderly end.
        host: ``host:port``, only where the user wants to see it.
    """

    way: str
    up: int
    down: int
    seconds: float
    failure: str = ""
    host: str = ""


class Prepared(msgspec.Struct, frozen=True, kw_only=True, tag="prepared", tag_field="event", omit_defaults=True):
    """A usual cut comes, or has ended: what was done for it.

    Attributes:
        at: when that was.
        start: when the cut begins, usually.
        end: when it ends.
        ways: the user's servers that answered.
        of: how many were gone.
        kept: entries of the user's list that were fetched.
        size: their bytes.
        missed: entries that could not be had.
    """

    at: datetime
    start: datetime
    end: datetime
    ways: int = 0
    of: int = 0
    kept: int = 0
    size: int = 0
    missed: int = 0


class Fetched(msgspec.Struct, frozen=True, kw_only=True, tag="fetched", tag_field="event", omit_defaults=True):
    """What could wait, and was marked by its user, was fetched once the line abroad was there.

    Attributes:
        at: when that was.
        kept: how many entries.
        size: their bytes.
        missed: entries that could not be had; they are tried again after the next cut.
    """

    at: datetime
    kept: int = 0
    size: int = 0
    missed: int = 0


Event = Opened | Refused | Closed
