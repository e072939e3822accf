"""``ss://`` links: SIP002 (AEAD of 2017), SIP022 and SIP023 (2022), the older form all in base64, Outline's ``prefix``.

Sources: shadowsocks.org "SIP002 URI Scheme", "SIP022 AEAD-2022 Ciphers", "SIP003 Plugin"; Outline's access keys as
its own tests have them (github.com/Jigsaw-Code/outline-sdk, ``x/configurl``).
"""

import base64

import msgspec

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links.url import Query, decoded, encoded, flag, join, split
from rozaneh.words import Later, later

KEY_SIZES = {
    "2022-blake3-aes-128-gcm": 16,
    "2022-blake3-aes-256-gcm": 32,
    "2022-blake3-chacha20-poly1305": 32,
    "aes-128-gcm": 16,
    "aes-192-gcm": 24,
    "aes-256-gcm": 32,
    "chacha20-ietf-poly1305": 32,
}
"""Bytes of key, and of salt, of the ciphers that are spoken here."""

LONGEST_PREFIX = 16
_MOST_KEYS = 4


class Shadowsocks(msgspec.Struct, frozen=True, kw_only=True):
    """What an ``ss://`` link says.

    Attributes:
        method: the cipher's name.
        password: the secret; for a cipher of 2022 one or more keys in base64, joined by colons.
        host: the server's name or address.
        port: its port.
        prefix: bytes that the client's salt begins with, so that the stream looks like another protocol at first.
        plugin: a SIP003 program and its options; never started because a link says so.
        outline: whether the link calls itself one of Outline's.
        name: what the link calls itself.
        unknown: settings that are not known.
    """

    method: str
    password: str
    host: str
    port: int
    prefix: bytes = b""
    plugin: str = ""
    outline: bool = False
    name: str = ""
    unknown: Query = ()

    @property
    def is_2022(self) -> bool:
        """Whether the cipher is one of 2022."""
        return self.method.startswith("2022-")

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys of a cipher of 2022, outermost first; the last is the user's, those before open identity headers."""
        return tuple(base64.b64decode(piece) for piece in self.password.split(":")) if self.is_2022 else ()

    @property
    def spec(self) -> Spec | None:
        """The way, or none where a plugin would have to run."""
        if self.plugin:
            return None
        bare = msgspec.structs.replace(self, name="", outline=False, unknown=())
        return Spec((Element("ss", str(bare).removeprefix("ss:").replace("|", "%7C")), Element("tcp")))

    def __str__(self) -> str:
        login = f"{self.method}:{self.password}"
        # SIP022 forbids base64 for its methods; for the older ones it is what every client reads.
        user = encoded(login, safe=":") if self.is_2022 else _wrapped(login)
        known = (
            ("outline", "1" if self.outline else ""),
            ("plugin", self.plugin),
            ("prefix", self.prefix.decode("latin-1")),
        )
        asked = tuple(pair for pair in known if pair[1]) + self.unknown
        return join("ss", user, self.host, self.port, path="/" if asked else "", query=asked, name=self.name)

    def __repr__(self) -> str:
        return f"Shadowsocks(method={self.method!r}, host={self.host!r}, port={self.port}, password='***')"


def parse(text: str) -> Shadowsocks:
    """Read a link in any of its forms.

    Raises:
        SpecError: it is no such link; the message says which part is wrong and never repeats the password.
    """
    body, _, fragment = text[len("ss://") :].partition("#")
    if text[:5].lower() == "ss://" and "@" not in body and body.strip("/"):
        whole = _unwrapped(body.partition("?")[0].rstrip("/"), later("the whole link"))
        login, _, place = whole.rpartition("@")
        parts = split(f"ss://{place}#{fragment}", "ss")
    else:
        parts = split(text, "ss")
        user = decoded(parts.user)
        login = user if ":" in user else _unwrapped(user, later("method and password"))
    method, colon, password = login.partition(":")
    method = method.lower()
    if method not in KEY_SIZES:
        raise SpecError(
            later(
                "cipher {method!r} is not spoken here; expected one of {key_sizes}",
                method=method[:40],
                key_sizes=", ".join(KEY_SIZES),
            )
        )
    if not colon or not password:
        raise SpecError(later("the password is missing"))
    if parts.path not in ("", "/"):
        raise SpecError(later("a Shadowsocks link has no path"))
    known, unknown = parts.take(("outline", "plugin", "prefix"))
    return Shadowsocks(
        method=method,
        password=_checked_keys(method, password) if method.startswith("2022-") else password,
        host=parts.host,
        port=parts.port,
        prefix=_prefix(known.get("prefix", "")),
        plugin=known.get("plugin", ""),
        outline=flag(known.get("outline", "")),
        name=parts.name,
        unknown=unknown,
    )


def _checked_keys(method: str, password: str) -> str:
    pieces = password.split(":")
    if len(pieces) > _MOST_KEYS or (len(pieces) > 1 and "aes" not in method):
        raise SpecError(
            later(
                "{method} takes 1 key, or with AES up to {most_keys} joined by colons, found {pieces}",
                method=method,
                most_keys=_MOST_KEYS,
                pieces=len(pieces),
            )
        )
    size = KEY_SIZES[method]
    for piece in pieces:
        try:
            key = base64.b64decode(piece, validate=True)
        except ValueError:
            raise SpecError(later("a key of {method} is not base64", method=method)) from None
        if len(key) != size:
            raise SpecError(
                later(
                    "a key of {method} has {size} bytes in base64, this one has {key}",
                    method=method,
                    size=size,
                    key=len(key),
                )
            )
    return ":".join(base64.b64encode(base64.b64decode(piece)).decode() for piece in pieces)


def _prefix(text: str) -> bytes:
    try:
        prefix = text.encode("latin-1")
    except UnicodeEncodeError:
        raise SpecError(later("the prefix has characters above U+00FF")) from None
    if len(prefix) > LONGEST_PREFIX:
        raise SpecError(
            later(
                "the prefix has {prefix} bytes; more than {longest_prefix} leave too little salt",
                prefix=len(prefix),
                longest_prefix=LONGEST_PREFIX,
            )
        )
    return prefix


def _wrapped(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unwrapped(text: str, what: Later) -> str:
    bare = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except ValueError:
        raise SpecError(later("{what} should be base64 there, or host and port are missing", what=what)) from None
