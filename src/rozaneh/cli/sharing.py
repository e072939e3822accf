"""Sharing the gateway with phones on the same network: an address, a password, and a link of both."""

import ipaddress
import os
import secrets
from urllib.parse import quote

import msgspec

from rozaneh.core import LocalFault
from rozaneh.links.parts import LARGEST
from rozaneh.words import later

__all__ = ["PASSWORD", "Shared", "shared"]

PASSWORD = "ROZANEH_PASSWORD"  # noqa: S105 - the name of a variable
_USER = "rozaneh"
_SHORTEST, _LONGEST = 8, 128
"""Characters of a password."""


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """Where others reach the gateway, and what they have to show.

    Attributes:
        address: of this machine on the network that is shared with.
        port: the port.
        password: theirs to type; the user name is ``rozaneh``.
        chosen: whether the password is one that the user has chosen.
    """

    address: str
    port: int
    password: str
    chosen: bool = False

    def after(self, password: str) -> "Shared":
        """The same with the password of the process before, for phones that know it, unless the user chose another."""
        return msgspec.structs.replace(self, password=password) if password and not self.chosen else self

    def at(self, port: int) -> "Shared":
        """The same at the port that was free."""
        return msgspec.structs.replace(self, port=port)

    @property
    def credentials(self) -> tuple[str, str]:
        """User name and password."""
        return _USER, self.password

    @property
    def link(self) -> str:
        """A link that programs for phones take, with the password in it."""
        place = f"[{self.address}]" if ":" in self.address else self.address
        return f"socks5://{_USER}:{quote(self.password, safe='')}@{place}:{self.port}"


def shared(address: str, port: int) -> Shared:
    """Share on an address, with the password of the environment or a fresh one.

    Raises:
        LocalFault: that is no address of a home network, or the password is too short or too long.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise LocalFault(
            later("--share wants an address of this machine such as 192.168.1.5, not {address!r}", address=address[:60])
        ) from None
    if not ip.is_private or ip.is_unspecified or ip.is_loopback:
        raise LocalFault(later("--share wants an address of this machine on its home network; {ip} is none", ip=ip))
    given = os.environ.get(PASSWORD, "")
    if given and len(given) < _SHORTEST:
        raise LocalFault(
            later(
                "the password in {password} has {given} characters; at least {shortest} are needed",
                password=PASSWORD,
                given=len(given),
                shortest=_SHORTEST,
            )
        )
    if len(given) > _LONGEST:
        raise LocalFault(
            later(
                "the password in {password} has {given} characters; at most {longest} can be had",
                password=PASSWORD,
                given=len(given),
                longest=_LONGEST,
            )
        )
    found = Shared(address=str(ip), port=port, password=given or secrets.token_urlsafe(12), chosen=bool(given))
    if len(found.link) > LARGEST:
        raise LocalFault(
            later(
                "with the password in {password} the link has {link} bytes; {largest} fit a QR code",
                password=PASSWORD,
                link=len(found.link),
                largest=LARGEST,
            )
        )
    return found
