"""Which network this is, without saying which.

What works differs from network to network, so the memory must tell them apart, but a file that lists networks by name
would be a diary of where somebody has been. The identity is a keyed digest of what the default route looks like, with a
key that never leaves the device: the same on every visit, meaningless to anybody else.
"""

import hashlib
import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rozaneh.core import Context
from rozaneh.core.ordinary import open_ordinary
from rozaneh.core.private import private_folder
from rozaneh.net.clock import Clock

_SALT_BYTES = 16
_DIGEST_BYTES = 8
_LOOK_AGAIN = 1.0
"""Seconds for which nobody is asked again which network this is: a busy gateway would ask a thousand times."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What the default route shows of the network.

    Attributes:
        gateway: the address of the next hop as the system prints it; empty when there is none.
        hardware: the next hop's hardware address; it tells apart the many networks that use the same private address.
        kind: the kind of interface, its name without digits: ``wlan``, ``eth``, ``rmnet`` ...
    """

    gateway: str = ""
    hardware: str = ""
    kind: str = ""


def identity(salt: bytes, route: Route) -> str:
    """The network's identity, 16 hexadecimal digits; without a default route one for all such networks."""
    return digest(salt, (route.gateway, route.hardware, route.kind))


def digest(salt: bytes, parts: Sequence[str]) -> str:
    """A keyed digest of some texts, 16 hexadecimal digits."""
    keyed = hashlib.blake2b(key=salt, digest_size=_DIGEST_BYTES)
    for part in parts:
        keyed.update(len(part).to_bytes(4, "big") + part.encode())
    return keyed.hexdigest()


@dataclass(slots=True)
class Here:
    """Says which network this device is on.

    Attributes:
        salt: the device's key.
    """

    salt: bytes
    _known: str = ""
    _until: float = -math.inf

    def __call__(self) -> str:
        """The identity of the network, at most a second old; empty without a default route."""
        now = time.monotonic()
        if now >= self._until:
            route = read_route()
            self._known, self._until = identity(self.salt, route) if route != Route() else "", now + _LOOK_AGAIN
        return self._known


def context(network: str, clock: Clock) -> Context:
    """Where and when it is now."""
    now = clock.now()
    return Context(network=network, hour=now.hour, weekday=now.weekday())


def parse_route(routes: str, neighbours: str) -> Route:
    """Find the default route in the tables that Linux shows in ``/proc/net/route`` and ``/proc/net/arp``.

    Text that is no such table gives an empty route.
    """
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 8 and fields[1] == "00000000" and fields[7] == "00000000":
            gateway = _address(fields[2])
            kind = fields[0].rstrip("0123456789")
            return Route(gateway=gateway, hardware=_hardware(neighbours, gateway), kind=kind)
    return Route()


def read_route() -> Route:
    """The default route of the network namespace that this program runs in."""
    try:
        return parse_route(Path("/proc/net/route").read_text(), Path("/proc/net/arp").read_text())
    except (OSError, UnicodeDecodeError):
        return Route()


def read_salt(path: Path | None, warn: Callable[[str], None] = lambda _: None) -> bytes:
    """The device's key: from its file, which is made at first use; a passing one where no file can be had.

    Args:
        path: the file; none for a passing one.
        warn: told, in one line, where none can be had.
    """
    fresh = secrets.token_bytes(_SALT_BYTES)
    if path is None:
        return fresh
    try:
        known = _kept_salt(path)
        if len(known) == _SALT_BYTES:
            return known
        private_folder(path.parent)
        path.touch(mode=0o600)
        path.write_bytes(fresh)
    except OSError as error:
        # What was learnt under the other key is not found again, and what is learnt now is not either.
        warn(f"cannot keep this device's key in {path} ({error.strerror}): it is another one until this program ends")
    return fresh


def _kept_salt(path: Path) -> bytes:
    try:
        with open_ordinary(path) as file:
            return file.read(_SALT_BYTES + 1)
    except FileNotFoundError:
        return b""


def _address(little_endian: str) -> str:
    try:
        octets = bytes.fromhex(little_endian)[::-1]
    except ValueError:
        return ""
    return ".".join(map(str, octets))


def _hardware(neighbours: str, gateway: str) -> str:
    for line in neighbours.splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 4 and fields[0] == gateway:
            return fields[3]
    return ""
