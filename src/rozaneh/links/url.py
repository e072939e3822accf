"""The common shape of links, ``scheme://[user@]host:port[/path][?key=value&...][#name]``, read and printed strictly.

``urllib`` is lenient where a link must not be: it drops characters, takes ports such as ``0x1`` apart from their host
and keeps the last of two equal keys. Here a key stands once, a port is 1 to 65535, a host is an IP address or a name,
and percent-encoding is UTF-8. An unknown key is kept, so that it can be shown; nothing obeys it.
"""

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

import msgspec

from rozaneh.core import SpecError, TargetError
from rozaneh.core.target import clean_host, is_ip
from rozaneh.links.text import shown_name
from rozaneh.words import later

Query = tuple[tuple[str, str], ...]

FINGERPRINTS = ("android", "chrome", "edge", "firefox", "ios", "safari")
"""The browsers whose handshake an ``fp=`` can ask for here; for any other name the handshake is our own."""

_UNESCAPED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MOST_KEYS = 64


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """A link taken apart.

    Attributes:
        user: what stands before the ``@``, still percent-encoded.
        host: an IP address without brackets, or a name in A-label form.
        port: 1 to 65535.
        path: percent-encoded, empty or beginning with ``/``.
        query: keys and decoded values, in order.
        name: what the link calls itself.
    """

    user: str
    host: str
    port: int
    path: str = ""
    query: Query = ()
    name: str = ""

    def take(self, known: Iterable[str]) -> tuple[dict[str, str], Query]:
        """The values of the keys that are known, and the others."""
        wanted = frozenset(known)
        return (
            {key: value for key, value in self.query if key in wanted},
            tuple((key, value) for key, value in self.query if key not in wanted),
        )


def split(text: str, scheme: str, *, port: int | None = None) -> Parts:
    """Take a link apart.

    Args:
        text: the link, already cleaned.
        scheme: what it begins with, in any case.
        port: what to take where it names none; without one the port must be there.

    Raises:
        SpecError: it has another shape; the message never repeats what stands before the ``@``.
    """
    begin = f"{scheme}://"
    if text[: len(begin)].lower() != begin:
        raise SpecError(later("a link of this kind begins with {begin}", begin=begin))
    body, _, fragment = text[len(begin) :].partition("#")
    body, _, asked = body.partition("?")
    authority, slash, rest = body.partition("/")
    if "@" in rest:
        raise SpecError(later("there is a / before the @: in a password it is written %2F"))
    user, _, place = authority.rpartition("@")
    try:
        host, given = host_and_port(place, default=port)
    except SpecError:
        if user or place.startswith("["):
            raise
        # Without its @, what is taken for a server may be a password.
        raise SpecError(
            later("the server is missing or none, and there is no @ with a user or a password before it")
        ) from None
    return Parts(
        user=user, host=host, port=given, path=slash + rest, query=query(asked), name=shown_name(_lenient(fragment))
    )


def host_and_port(place: str, *, default: int | None = None) -> tuple[str, int]:
    """Read ``host:port``, with brackets around IPv6.

    Raises:
        SpecError: it is no such thing.
    """
    if place.startswith("["):
        literal, bracket, colon_port = place[1:].partition("]")
        if not bracket or not is_ip(literal) or ":" not in literal or "%" in literal:
            raise SpecError(later("not an IPv6 address in brackets: {place!r}", place=place[:60]))
        host, port = literal, colon_port.removeprefix(":") if colon_port.startswith(":") else colon_port and "-"
    else:
        host, _, port = place.partition(":")
    try:
        clean = clean_host(decoded(host))
    except TargetError:
        raise SpecError(later("the server is neither an IP address nor a name: {host!r}", host=host[:60])) from None
    if not port and default is not None:
        return clean, default
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise SpecError(later("the server's port is missing or not between 1 and 65535: {port!r}", port=port[:20]))
    return clean, int(port)


def query(text: str) -> Query:
    """Read ``key=value&...``; both sides are percent-decoded, and ``+`` is a plus.

    Raises:
        SpecError: a key stands twice, there are too many, or the encoding is wrong.
    """
    pairs = [piece.partition("=") for piece in text.split("&") if piece]
    if len(pairs) > _MOST_KEYS:
        raise SpecError(later("more than {most_keys} settings after the ?", most_keys=_MOST_KEYS))
    found = tuple((decoded(key), decoded(value)) for key, _, value in pairs)
    keys = [key for key, _ in found]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise SpecError(later("the setting {twice!r} stands twice", twice=twice[:40]))
    return found


def decoded(text: str) -> str:
    """A percent-encoded piece, decoded.

    Raises:
        SpecError: the encoding is wrong.
    """
    if _UNESCAPED.search(text):
        raise SpecError(later("a % that begins no percent-encoding; a percent sign itself is written %25"))
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise SpecError(later("a percent-encoding that is not UTF-8")) from None


def encoded(text: str, *, safe: str = "") -> str:
    """A piece, percent-encoded as ``encodeURIComponent`` does it, apart from what is safe here."""
    return quote(text, safe=safe + "!*'()~")


def join(
    scheme: str, user: str, host: str, port: int | str, *, path: str = "", query: Query = (), name: str = ""
) -> str:
    """Print a link. ``user`` and ``path`` are percent-encoded already."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    asked = "&".join(f"{encoded(key)}={encoded(value, safe='/:,')}" for key, value in query)
    return "".join(
        (
            f"{scheme}://",
            f"{user}@" if user else "",
            place,
            path,
            f"?{asked}" if asked else "",
            f"#{encoded(name)}" if name else "",
        )
    )


def one_of(value: str, allowed: Iterable[str], what: str) -> str:
    """A constant of a format; they are case-sensitive.

    Raises:
        SpecError: it is none of them.
    """
    known = tuple(allowed)
    if value not in known:
        raise SpecError(
            later("{what} is {value!r}; expected one of {known}", what=what, value=value[:40], known=", ".join(known))
        )
    return value


def flag(value: str) -> bool:
    """Whether a switch is on, in any of the spellings that clients use."""
    return value.lower() in ("1", "true", "yes")


def alpn_of(value: str) -> tuple[str, ...]:
    """The protocols of an ``alpn=`` setting, comma-separated.

    Raises:
        SpecError: one of them is no protocol name.
    """
    names = tuple(name for name in value.split(",") if name)
    if (
        any(not name.isascii() or not 1 <= len(name) <= 32 or not name.isprintable() for name in names)
        or len(names) > 8
    ):
        raise SpecError(later("alpn is a list such as h2,http/1.1"))
    return names


def name_of(value: str, what: str) -> str:
    """A host name in a setting such as ``sni=``.

    Raises:
        SpecError: it is none.
    """
    try:
        return clean_host(value) if value else ""
    except TargetError:
        raise SpecError(later("{what} is not a host name: {value!r}", what=what, value=value[:60])) from None


def path_of(value: str) -> str:
    """The path of a ``path=`` setting, as it is asked for; empty is ``/``.

    Raises:
        SpecError: a request cannot ask for it.
    """
    path = value if value.startswith("/") else f"/{value}"
    if any(c <= " " or c == "\x7f" for c in path):
        raise SpecError(later("the path holds a space or a control character"))
    return encoded(path, safe="/?&=:@,;%+$")


def _lenient(fragment: str) -> str:
    """A name decorates: one that is wrongly encoded is shown as it stands."""
    return unquote(fragment, errors="replace")
