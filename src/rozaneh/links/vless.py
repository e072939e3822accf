"""``vless://`` links, as proposed in XTLS/Xray-core discussion 716: WebSocket or plain TCP, inside TLS.

``security=reality`` and a ``flow`` are read and kept, but what they ask of TLS cannot be done by the TLS that Python
has: such a way is offered to a program of its own (``exec:``) alone.
"""

import re
import uuid

import msgspec

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links.url import Query, alpn_of, decoded, flag, join, name_of, path_of, split
from rozaneh.words import later

_KEYS = (
    *("allowInsecure", "alpn", "encryption", "flow", "fp", "headerType", "host", "path", "pbk", "security", "sid"),
    *("sni", "spx", "type"),
)
_EARLY = re.compile(r"([?&])ed=(\d{1,5})(&|$)")
_LARGEST_EARLY = 8192


class Vless(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``vless://`` link says.

    Attributes:
        user: the secret, a UUID.
        host: the server's name or address.
        port: its port.
        transport: ``ws`` or ``tcp``; another one needs a program of its own.
        security: ``tls``; ``reality`` needs a program of its own, ``none`` is in the clear and never dialled.
        sni: the name to ask for and to verify; empty for the host of the request, then the server's.
        alpn: protocols to offer.
        ws_host: the ``Host`` of the WebSocket request.
        path: what it asks for, without ``ed``.
        early: bytes of early data that the server takes (``ed`` in the path); sending none is allowed.
        fingerprint: the browser that the link wants to look like.
        flow: the flow control of XTLS.
        reality: REALITY's ``pbk``, ``sid`` and ``spx``.
        insecure: whether the link asks not to verify the certificate, which is never obeyed.
        name: what the link calls itself.
        unknown: settings that are not known.
    """

    user: str
    host: str
    port: int
    transport: str = "tcp"
    security: str = "none"
    sni: str = ""
    alpn: tuple[str, ...] = ()
    ws_host: str = ""
    path: str = ""
    early: int = 0
    fingerprint: str = ""
    flow: str = ""
    reality: tuple[str, str, str] = ("", "", "")
    insecure: bool = False
    name: str = ""
    unknown: Query = ()

    @property
    def spec(self) -> Spec | None:
        """The way, or none where only a program of its own can go it."""
        if self.transport not in ("tcp", "ws") or self.security != "tls" or self.flow:
            return None
        bare = msgspec.structs.replace(self, name="", unknown=(), insecure=False, early=0)
        return Spec((Element("vless", str(bare).removeprefix("vless:").replace("|", "%7C")), Element("tcp")))

    def __str__(self) -> str:
        path = self.path
        if self.early:
            path += f"{'&' if '?' in path else '?'}ed={self.early}"
        key, short, spider = self.reality
        known = (
            ("allowInsecure", "1" if self.insecure else ""),
            ("alpn", ",".join(self.alpn)),
            ("encryption", "none"),
            ("flow", self.flow),
            ("fp", self.fingerprint),
            ("host", self.ws_host),
            ("path", path),
            ("pbk", key),
            ("security", self.security),
            ("sid", short),
            ("sni", self.sni),
            ("spx", spider),
            ("type", self.transport),
        )
        asked = tuple(pair for pair in known if pair[1]) + self.unknown
        return join("vless", self.user, self.host, self.port, query=asked, name=self.name)

    def __repr__(self) -> str:
        return f"Vless(host={self.host!r}, port={self.port}, transport={self.transport!r}, user='***')"


def parse(text: str) -> Vless:
    """Read a link.

    Raises:
        SpecError: it is no such link; the message says which part is wrong and never repeats the UUID.
    """
    parts = split(text, "vless")
    try:
        user = str(uuid.UUID(decoded(parts.user)))
    except ValueError:
        raise SpecError(later("what stands before the @ is no UUID")) from None
    known, unknown = parts.take(_KEYS)
    if known.get("encryption", "none") != "none":
        raise SpecError(later("VLESS knows encryption=none alone"))
    if known.get("headerType", "none") not in ("", "none"):
        raise SpecError(later("a disguise by headerType is not spoken here"))
    transport = known.get("type", "") or "tcp"
    path, early = _without_early(known.get("path", ""))
    return Vless(
        user=user,
        host=parts.host,
        port=parts.port,
        transport=transport,
        security=known.get("security", "") or "none",
        sni=name_of(known.get("sni", ""), "sni"),
        alpn=alpn_of(known.get("alpn", "")),
        ws_host=name_of(known.get("host", ""), "host") if transport == "ws" else known.get("host", ""),
        path=path_of(path) if transport == "ws" else path,
        early=early,
        fingerprint=known.get("fp", ""),
        flow=known.get("flow", ""),
        reality=(known.get("pbk", ""), known.get("sid", ""), known.get("spx", "")),
        insecure=flag(known.get("allowInsecure", "")),
        name=parts.name,
        unknown=unknown,
    )


def _without_early(path: str) -> tuple[str, int]:
    found = _EARLY.search(path)
    if found is None:
        return path, 0
    early = int(found.group(2))
    if early > _LARGEST_EARLY:
        raise SpecError(later("{setting} asks for more early data than a request can carry", setting=f"ed={early}"))
    before, after = path[: found.start()], path[found.end() :]
    return before + (found.group(1) + after if after else ""), early
