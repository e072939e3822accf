"""What somebody gave us: one way out of a link of any format, with what has to be said about it."""

import re
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links import outline, proxy, shadowsocks, tor, trojan, vless, wireguard
from rozaneh.links.refused import Kind, LinkError
from rozaneh.links.text import clean, refuse_hidden
from rozaneh.links.url import FINGERPRINTS
from rozaneh.words import later, mark

Link = (
    shadowsocks.Shadowsocks
    | trojan.Trojan
    | vless.Vless
    | proxy.Proxy
    | tor.Bridge
    | wireguard.WireGuard
    | outline.Stack
)
"""A link of any format; each has ``host``, ``port``, ``name``, ``unknown`` and ``spec``, and prints as it is read."""

_PROGRAMS = {"exec", "plugin"}
_LEAVES = {"tcp", "tor"}
_PROXIES = {"socks5", "socks5h", "socks", "http", "https", "ssh"}
_FETCHED = ("ssconf", "subscription", "clash", "sing-box")
_NO_PROGRAM = mark("exec: runs a program; it is taken from this device's owner alone, never from a link or a list")
_OTHERS = {"vmess", "ssr", "hysteria", "hysteria2", "hy2", "tuic", "juicity", "naive+https", "anytls", "snell"}


_KEY = re.compile(r"[A-Za-z0-9_.-]{1,32}")
"""What may be shown as the name of a setting. Anything else may be a piece of a secret in a link that was cut up."""


class Remark(StrEnum):
    """What a person should know about a way before using it."""

    INSECURE_IGNORED = "insecure_ignored"
    """The link asks not to verify the server's certificate. It is verified."""
    NEEDS_PLUGIN = "needs_plugin"
    """The link asks for a plugin, a program of its own."""
    NEEDS_PROGRAM = "needs_program"
    """Only a program of its own can go this way."""
    IN_THE_CLEAR = "in_the_clear"
    """The way to the server is not encrypted: whoever is on it reads which hosts are reached."""
    NO_HOST_KEY = "no_host_key"
    """An SSH server without a pinned host key."""
    PLACEHOLDER = "placeholder"
    """The address in the line stands for nothing; it is never dialled."""
    FINGERPRINT_NOT_WORN = "fingerprint_not_worn"
    """The link wants to look like a browser, and this way's handshake is Python's own."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One way.

    Attributes:
        kind: its format: ``ss``, ``trojan``, ``vless``, ``socks5``, ``http``, ``https``, ``ssh``, ``tor``,
            ``wireguard``, ``stack`` or ``exec``.
        text: the link as we print it, with its secrets.
        way: the stack to dial, with its secrets; empty where we cannot go it ourselves.
        name: what it calls itself.
        place: ``host:port`` of the server, empty for none.
        unknown: keys of settings that are not known; nothing obeys them.
        remarks: what should be known before it is used.
    """

    kind: str
    text: str
    way: str = ""
    name: str = ""
    place: str = ""
    unknown: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()

    @property
    def shown(self) -> str:
        """The way without secrets."""
        return Spec.parse(self.way).redacted() if self.way else f"{self.kind}://***@{self.place}"

    def __repr__(self) -> str:
        return f"Given(kind={self.kind!r}, place={self.place!r}, text='***')"


def parse(text: str, *, own: bool = False) -> Given:
    """Read one line.

    Args:
        text: a link of any format, or a stack of dialers as this project or Outline writes it.
        own: whether it is the configuration of this device's owner.

    Raises:
        SpecError: it is nothing that is known here; the message says why and repeats no secret. ``exec:`` is never
            read: it runs a program, and only the device's owner can add one.
    """
    return given(_link(clean(text), own=own))


def given(link: Link) -> Given:
    """A link as a way."""
    spec = link.spec
    shown = f"[{link.host}]:{link.port}" if ":" in link.host else f"{link.host}:{link.port}"
    return Given(
        kind=_kind(link),
        text=str(link),
        way=str(spec) if spec is not None else "",
        name=link.name,
        place=shown if link.host else "",
        unknown=tuple(key if _KEY.fullmatch(key) else "?" for key, _ in link.unknown),
        remarks=tuple(_remarks(link)),
    )


def _link(text: str, *, own: bool) -> Link:
    scheme = text.partition(":")[0].lower()
    if scheme in _PROGRAMS:
        raise LinkError(Kind.STARTS_PROGRAM, later(_NO_PROGRAM))
    if "|" in text and not _is_in_name(text):
        return _stack(text, own=own)
    if "://" in text[:40] and " " not in scheme:  # there may be one in a setting of a bridge
        return _url(scheme, text, own=own)
    if tor.looks_like(text):
        return tor.parse(text)
    if scheme in _LEAVES | {"tls", "ws", "split", "tlsfrag", "disorder", "override", "doh", "do53"} and text:
        return _stack(text, own=own)
    raise LinkError(
        Kind.NO_LINK,
        later("no link that is known here: expected ss://, trojan://, vless://, socks5://, https:// or a bridge line"),
    )


def _is_in_name(text: str) -> bool:
    """Whether a link's name is all that has a | in it, as many have that are handed around: ``#DE | channel``.

    A stack may have a name in the middle, but it ends in a leaf.
    """
    link, _, name = text.partition("#")
    last = name.rpartition("|")[2].strip().partition(":")[0]
    return "|" not in link and "://" in link[:40] and last not in _LEAVES


def _url(scheme: str, text: str, *, own: bool) -> Link:
    if scheme == "ss":
        return shadowsocks.parse(text)
    if scheme == "trojan":
        return trojan.parse(text)
    if scheme == "vless":
        return vless.parse(text)
    if scheme in _PROXIES:
        return proxy.parse(text, own=own)
    if scheme in _FETCHED:
        raise LinkError(
            Kind.PAGE,
            later(
                "{scheme} names a page with ways; download it by yourself and add it as a file", scheme=f"{scheme}://"
            ),
        )
    if scheme in _OTHERS:
        raise LinkError(
            Kind.NOT_SPOKEN,
            later(
                "{scheme} is not spoken here; a program of its own that offers SOCKS5 can be added instead",
                scheme=f"{scheme}://",
            ),
        )
    raise LinkError(Kind.NO_LINK, later("{scheme} is not known here", scheme=f"{scheme[:30]}://"))


def _stack(text: str, *, own: bool) -> Link:
    """A stack: ours ends in a leaf, Outline's does not and has the opposite order."""
    refuse_hidden(text)
    last = text.rpartition("|")[2].strip().partition(":")[0]
    if last not in _LEAVES:
        return outline.parse(text)
    spec = Spec.parse(text)
    if any(element.name in _PROGRAMS for element in spec):
        raise LinkError(Kind.STARTS_PROGRAM, later(_NO_PROGRAM))
    return outline.Stack(spec=Spec(tuple(_checked(element, own=own) for element in spec)))


def _checked(element: Element, *, own: bool) -> Element:
    """An element that is a link is judged, and printed, as that link alone would be."""
    if not element.is_url:
        return element
    spec = _url(element.name, str(element).replace("%7C", "|"), own=own).spec
    if spec is None:
        raise SpecError(later("{name} needs a program of its own there", name=f"{element.name}://"))
    return spec.elements[0]


def _kind(link: Link) -> str:
    if isinstance(link, proxy.Proxy):
        return link.scheme
    names = {
        shadowsocks.Shadowsocks: "ss",
        trojan.Trojan: "trojan",
        vless.Vless: "vless",
        tor.Bridge: "tor",
        wireguard.WireGuard: "wireguard",
    }
    return next((name for kind, name in names.items() if isinstance(link, kind)), "stack")


def _remarks(link: Link) -> Iterator[Remark]:
    if isinstance(link, trojan.Trojan | vless.Vless):
        if link.insecure:
            yield Remark.INSECURE_IGNORED
        if link.fingerprint and link.fingerprint not in FINGERPRINTS:
            yield Remark.FINGERPRINT_NOT_WORN
    if isinstance(link, shadowsocks.Shadowsocks) and link.plugin:
        yield Remark.NEEDS_PLUGIN
    elif isinstance(link, proxy.Proxy) and link.scheme == "ssh" and not link.host_key:
        yield Remark.NO_HOST_KEY
    elif link.spec is None:
        yield Remark.NEEDS_PROGRAM
    if isinstance(link, proxy.Proxy) and link.scheme in ("http", "socks5"):
        yield Remark.IN_THE_CLEAR
    if isinstance(link, tor.Bridge) and link.placeholder:
        yield Remark.PLACEHOLDER
