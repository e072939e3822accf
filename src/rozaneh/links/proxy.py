"""``socks5://``, ``socks5h://``, ``socks://``, ``http://`` and ``https://`` proxies, and ``ssh://`` servers.

Names are always resolved at the far end. ``https`` means TLS to the proxy itself. An SSH server is believed only by a
host key that came with the link (``hostkey=``): without one the first connection could be to anybody.
"""

import base64
import ipaddress

import msgspec

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links.url import Query, decoded, encoded, join, split
from rozaneh.words import later

_SCHEMES = {"socks5": ("socks5", 1080), "socks5h": ("socks5", 1080), "socks": ("socks5", 1080)} | {
    "http": ("http", 80),
    "https": ("https", 443),
    "ssh": ("ssh", 22),
}
_KEY_KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ssh-rsa",
)


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """What such a link says.

    Attributes:
        scheme: ``socks5``, ``http``, ``https`` or ``ssh``.
        host: the server's name or address.
        port: its port.
        address: its IP address where the link gives one beside the name, so that nothing has to be resolved.
        username: empty for none.
        password: belongs to the user name.
        host_key: for SSH the server's key, as ``ssh-ed25519 AAAA...``; empty for none.
        key_file: for SSH a file of this device with the user's key; only the device's owner can name one.
        name: what the link calls itself.
        unknown: settings that are not known.
    """

    scheme: str
    host: str
    port: int
    address: str = ""
    username: str = ""
    password: str = ""
    host_key: str = ""
    key_file: str = ""
    name: str = ""
    unknown: Query = ()

    @property
    def spec(self) -> Spec | None:
        """The way, or none for an SSH server whose key is not known."""
        if self.scheme == "ssh" and not self.host_key:
            return None
        bare = msgspec.structs.replace(self, name="", unknown=())
        return Spec(
            (Element(self.scheme, str(bare).removeprefix(f"{self.scheme}:").replace("|", "%7C")), Element("tcp"))
        )

    def __str__(self) -> str:
        login = encoded(self.username) + (f":{encoded(self.password)}" if self.password else "")
        known = (("address", self.address), ("hostkey", self.host_key), ("key", self.key_file))
        asked = tuple(pair for pair in known if pair[1]) + self.unknown
        return join(self.scheme, login, self.host, self.port, query=asked, name=self.name)

    def __repr__(self) -> str:
        return f"Proxy(scheme={self.scheme!r}, host={self.host!r}, port={self.port}, password='***')"


def parse(text: str, *, own: bool = False) -> Proxy:
    """Read a link.

    Args:
        text: the link.
        own: whether it is the configuration of this device's owner, which alone may name a file of it.

    Raises:
        SpecError: it is no such link; the message says which part is wrong and never repeats the password.
    """
    written = text.partition("://")[0].lower()
    if written not in _SCHEMES:
        raise SpecError(
            later("a proxy begins with one of {schemes}", schemes=", ".join(f"{each}://" for each in _SCHEMES))
        )
    scheme, port = _SCHEMES[written]
    parts = split(text, written, port=port)
    if parts.path not in ("", "/"):
        raise SpecError(later("nothing may stand after the proxy's port: a link to a page or a list is no proxy"))
    is_ssh = scheme == "ssh"
    known, unknown = parts.take(("address", *(("hostkey",) if is_ssh else ()), *(("key",) if is_ssh and own else ())))
    username, password = _login(parts.user, base64_too=written == "socks")
    if len(username.encode()) > 255 or len(password.encode()) > 255:
        raise SpecError(later("user name and password may have at most 255 bytes each"))
    return Proxy(
        scheme=scheme,
        host=parts.host,
        port=parts.port,
        address=_address(known.get("address", "")),
        username=username,
        password=password,
        host_key=_host_key(known.get("hostkey", "")),
        key_file=known.get("key", ""),
        name=parts.name,
        unknown=unknown,
    )


def _login(user: str, *, base64_too: bool) -> tuple[str, str]:
    """User name and password; ``socks://`` links of some clients have them in base64."""
    if base64_too and user and ":" not in user:
        try:
            bare = decoded(user).rstrip("=")
            plain = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True).decode()
        except ValueError:
            plain = ""
        if ":" in plain:
            name, _, password = plain.partition(":")
            return name, password
    name, _, password = user.partition(":")
    if password and not name:
        raise SpecError(later("a password without a user name"))
    return decoded(name), decoded(password)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        raise SpecError(later("address= is not an IP address: {text!r}", text=text[:60])) from None


def _host_key(text: str) -> str:
    if not text:
        return ""
    kind, _, blob = text.replace("+", " ", 1).partition(" ") if " " not in text else text.partition(" ")
    blob = blob.split(" ")[0]
    try:
        raw = base64.b64decode(blob, validate=True)
    except ValueError:
        raw = b""
    inside = kind if not kind.startswith("rsa-sha2") else "ssh-rsa"
    if kind not in _KEY_KINDS or not raw.startswith(len(inside).to_bytes(4, "big") + inside.encode()):
        raise SpecError(later("hostkey= is a server's public key, as in hostkey=ssh-ed25519%20AAAA..."))
    return f"{kind} {base64.b64encode(raw).decode()}"
