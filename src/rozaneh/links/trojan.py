"""``trojan://`` links. The scheme calls itself not finalized (trojan-gfw, ``trojan-url``); these keys are in use."""

import msgspec

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links.url import Query, alpn_of, decoded, encoded, flag, join, name_of, path_of, split
from rozaneh.words import later

_KEYS = ("allowInsecure", "alpn", "fp", "headerType", "host", "path", "peer", "security", "sni", "type")
_DEFAULT_PORT = 443


class Trojan(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``trojan://`` link says.

    Attributes:
        password: the secret.
        host: the server's name or address.
        port: its port.
        sni: the name to ask for and to verify; empty for the host.
        alpn: protocols to offer.
        transport: ``tcp`` or ``ws``; another one needs a program of its own.
        ws_host: the ``Host`` of the WebSocket request; empty for the name.
        path: what the WebSocket request asks for.
        fingerprint: the browser that the link wants to look like.
        insecure: whether the link asks not to verify the certificate, which is never obeyed.
        security: ``tls``; another one needs a program of its own.
        name: what the link calls itself.
        unknown: settings that are not known.
    """

    password: str
    host: str
    port: int
    sni: str = ""
    alpn: tuple[str, ...] = ()
    transport: str = "tcp"
    ws_host: str = ""
    path: str = ""
    fingerprint: str = ""
    insecure: bool = False
    security: str = "tls"
    name: str = ""
    unknown: Query = ()

    @property
    def spec(self) -> Spec | None:
        """The way, or none where only a program of its own can go it."""
        if self.transport not in ("tcp", "ws") or self.security != "tls":
            return None
        bare = msgspec.structs.replace(self, name="", unknown=(), insecure=False)
        return Spec((Element("trojan", str(bare).removeprefix("trojan:").replace("|", "%7C")), Element("tcp")))

    def __str__(self) -> str:
        known = (
            ("allowInsecure", "1" if self.insecure else ""),
            ("alpn", ",".join(self.alpn)),
            ("fp", self.fingerprint),
            ("host", self.ws_host),
            ("path", self.path),
            ("security", "" if self.security == "tls" else self.security),
            ("sni", self.sni),
            ("type", "" if self.transport == "tcp" else self.transport),
        )
        asked = tuple(pair for pair in known if pair[1]) + self.unknown
        return join("trojan", encoded(self.password), self.host, self.port, query=asked, name=self.name)

    def __repr__(self) -> str:
        return f"Trojan(host={self.host!r}, port={self.port}, password='***')"


def parse(text: str) -> Trojan:
    """Read a link.

    Raises:
        SpecError: it is no such link; the message says which part is wrong and never repeats the password.
    """
    parts = split(text, "trojan", port=_DEFAULT_PORT)
    password = decoded(parts.user)
    if not password:
        raise SpecError(later("the password is missing, as in trojan://PASSWORD@host:443"))
    known, unknown = parts.take(_KEYS)
    if known.pop("headerType", "none") not in ("", "none"):
        raise SpecError(later("a disguise by headerType is not spoken here"))
    transport = known.get("type", "") or "tcp"
    sni = name_of(known.get("sni", "") or known.get("peer", ""), "sni")
    return Trojan(
        password=password,
        host=parts.host,
        port=parts.port,
        sni=sni,
        alpn=alpn_of(known.get("alpn", "")),
        transport=transport,
        ws_host=name_of(known.get("host", ""), "host") if transport == "ws" else known.get("host", ""),
        path=path_of(known.get("path", "")) if transport == "ws" else known.get("path", ""),
        fingerprint=known.get("fp", ""),
        insecure=flag(known.get("allowInsecure", "")),
        security=known.get("security", "") or "tls",
        name=parts.name,
        unknown=unknown,
    )
