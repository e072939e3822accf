"""VLESS version 0 (XTLS, ``docs/config/features/vless``): a UUID and an address before the first payload, no cipher."""

import ipaddress
from uuid import UUID

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.words import later

_VERSION = 0
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 2, 3


def request(user: str, host: str, port: int) -> bytes:
    """The bytes before a client's first payload.

    Raises:
        LocalFault: the host name is longer than the protocol allows.
    """
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii", "replace")
        if not 0 < len(name) < 256:
            raise LocalFault(
                later("VLESS carries names of 1 to 255 bytes, this one has {name}", name=len(name))
            ) from None
        place = bytes([_NAME, len(name)]) + name
    else:
        place = bytes([_IPV4 if ip.version == 4 else _IPV6]) + ip.packed
    return bytes([_VERSION]) + UUID(user).bytes + bytes([0, _CONNECT]) + port.to_bytes(2, "big") + place


class Answer:
    """Takes off what the server says before its first payload: a version and additional information, of no use here."""

    def __init__(self) -> None:
        self._held: bytes | None = b""

    def receive(self, data: bytes) -> bytes:
        """Take bytes from the server, return those of the target.

        Raises:
            RemoteFault: another version answers.
        """
        if self._held is None:
            return data
        self._held += data
        if self._held[:1] not in (b"", bytes([_VERSION])):
            raise RemoteFault(f"not the answer of a VLESS server: it begins with {self._held[:4].hex()}")
        end = 2 + self._held[1] if len(self._held) > 1 else 2
        if len(self._held) < end:
            return b""
        payload, self._held = self._held[end:], None
        return payload
