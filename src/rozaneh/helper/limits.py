"""How often a stranger, and a target, may be served. Pure: time is passed in."""

import hashlib
import secrets
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

import msgspec

_KEY_BYTES = 16
_MOST_KNOWN = 20_000


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a helper gives away.

    Attributes:
        per_client: questions a minute from one client; an IPv6 client is its /64.
        per_target: questions a minute about one host name, from all clients, so that many cannot use a helper against
            one site.
        at_once: questions that are answered at the same time.
        connections: clients that are connected at the same time.
        seconds: for one question in all.
        read_seconds: for a client to say its question.
    """

    per_client: int = 60
    per_target: int = 120
    at_once: int = 32
    connections: int = 256
    seconds: float = 12.0
    read_seconds: float = 10.0


class Limiter:
    """Counts by token buckets: a burst of the whole minute's share, refilled evenly.

    Keys are digests under a key of this process, so that not even its memory lists who asked or for what. The number of
    keys is bounded; the one used longest ago is forgotten, which only ever lets somebody ask more.

    Args:
        per_minute: the share of each.
    """

    def __init__(self, per_minute: int) -> None:
        self._most = float(per_minute)
        self._key = secrets.token_bytes(_KEY_BYTES)
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: str, now: float) -> bool:
        """Whether there is one left for somebody, who has one less then.

        Args:
            who: the client or target.
            now: seconds, of a clock that never goes back.
        """
        digest = hashlib.blake2b(who.encode(), key=self._key, digest_size=8).digest()
        left, then = self._buckets.pop(digest, (self._most, now))
        left = min(self._most, left + max(now - then, 0.0) * self._most / 60)
        allowed = left >= 1.0
        self._buckets[digest] = (left - 1.0 if allowed else left, now)
        if len(self._buckets) > _MOST_KNOWN:
            self._buckets.popitem(last=False)
        return allowed


def client_of(address: str) -> str:
    """Whom an address stands for: an IPv6 customer has a whole /64. A text that is no address stands for itself."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped) if ip.ipv4_mapped is not None else f"{int(ip) >> 64:x}/64"
    return str(ip)
