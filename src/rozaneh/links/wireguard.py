"""WireGuard's ``.conf`` files (wg(8), wg-quick(8)) and AmneziaWG's, which add numbers of junk packets and headers.

``PreUp``, ``PostUp``, ``PreDown`` and ``PostDown`` are shell commands, run as root by ``wg-quick``. A file that holds
one is refused as a whole: whoever wrote it wanted to run something.
"""

import base64
import ipaddress
from collections.abc import Iterator

import msgspec

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links.text import refuse_hidden
from rozaneh.links.url import Query, host_and_port
from rozaneh.words import later

_HOOKS = {"preup", "postup", "predown", "postdown"}
_AMNEZIA = ("Jc", "Jmin", "Jmax", "S1", "S2", "H1", "H2", "H3", "H4")
_MOST_LINES = 200
_MOST_PEERS = 16


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A ``[Peer]``.

    Attributes:
        public_key: base64 of 32 bytes.
        host: its name or address.
        port: its port.
        allowed: networks that are reached through it.
        preshared_key: base64 of 32 bytes, or empty.
        keepalive: seconds, 0 for off.
        unknown: settings that are not known.
    """

    public_key: str
    host: str
    port: int
    allowed: tuple[str, ...]
    preshared_key: str = ""
    keepalive: int = 0
    unknown: Query = ()

    def __repr__(self) -> str:
        return f"Peer(host={self.host!r}, port={self.port})"


class WireGuard(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``.conf`` says.

    Attributes:
        private_key: the secret, base64 of 32 bytes.
        addresses: of this end.
        peers: at least one.
        dns: resolvers, or search names.
        mtu: bytes, 0 when not given.
        amnezia: AmneziaWG's numbers; a file that has some is for AmneziaWG.
        name: what it is called.
        unknown: settings that are not known.
    """

    private_key: str
    addresses: tuple[str, ...]
    peers: tuple[Peer, ...]
    dns: tuple[str, ...] = ()
    mtu: int = 0
    amnezia: tuple[tuple[str, int], ...] = ()
    name: str = ""
    unknown: Query = ()

    @property
    def host(self) -> str:
        """The first peer's name or address."""
        return self.peers[0].host

    @property
    def port(self) -> int:
        """The first peer's port."""
        return self.peers[0].port

    @property
    def spec(self) -> Spec | None:
        """The stack that goes this way; none for AmneziaWG, which takes a program of its own."""
        if self.amnezia:
            return None
        return Spec((Element("wireguard", base64.urlsafe_b64encode(str(self).encode()).decode()),))

    def __str__(self) -> str:
        lines = [f"# Name = {self.name}"] if self.name else []
        lines += ["[Interface]", f"PrivateKey = {self.private_key}", f"Address = {', '.join(self.addresses)}"]
        lines += [f"DNS = {', '.join(self.dns)}"] if self.dns else []
        lines += [f"MTU = {self.mtu}"] if self.mtu else []
        lines += [f"{key} = {value}" for key, value in (*self.amnezia, *self.unknown)]
        for peer in self.peers:
            place = f"[{peer.host}]:{peer.port}" if ":" in peer.host else f"{peer.host}:{peer.port}"
            lines += ["", "[Peer]", f"PublicKey = {peer.public_key}"]
            lines += [f"PresharedKey = {peer.preshared_key}"] if peer.preshared_key else []
            lines += [f"AllowedIPs = {', '.join(peer.allowed)}", f"Endpoint = {place}"]
            lines += [f"PersistentKeepalive = {peer.keepalive}"] if peer.keepalive else []
            lines += [f"{key} = {value}" for key, value in peer.unknown]
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        return f"WireGuard(host={self.host!r}, port={self.port}, private_key='***')"


def looks_like(text: str) -> bool:
    """Whether a text is meant as such a file."""
    return any(line.strip().lower() == "[interface]" for line in text.splitlines()[:50])


def parse(text: str) -> WireGuard:
    """Read a file.

    Raises:
        SpecError: it is none; the message names the line and repeats no key.
    """
    name = ""
    sections: list[tuple[str, dict[str, str]]] = []
    for number, line in _lines(text):
        if line.startswith("#"):
            label, equals, value = line[1:].partition("=")
            name = value.strip()[:100] if equals and label.strip().lower() == "name" and not name else name
        elif line.startswith("["):
            section = line.lower()
            if section not in ("[interface]", "[peer]"):
                raise SpecError(later("line {number}: expected [Interface] or [Peer]", number=number))
            sections.append((section, {}))
        else:
            _keep(sections, number, line)
    interfaces = [keys for section, keys in sections if section == "[interface]"]
    peers = [keys for section, keys in sections if section == "[peer]"]
    if len(interfaces) != 1 or not 1 <= len(peers) <= _MOST_PEERS:
        raise SpecError(later("expected one [Interface] and 1 to {most_peers} [Peer]", most_peers=_MOST_PEERS))
    return _interface(interfaces[0], tuple(_peer(keys) for keys in peers), name)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    lines = text.splitlines()
    if len(lines) > _MOST_LINES:
        raise SpecError(later("more than {most_lines} lines", most_lines=_MOST_LINES))
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        try:
            refuse_hidden(bare)
        except SpecError as error:
            raise SpecError(later("line {number}: {error}", number=number, error=error)) from None
        if bare:
            yield number, bare


def _keep(sections: list[tuple[str, dict[str, str]]], number: int, line: str) -> None:
    key, equals, value = line.partition("=")
    key, value = key.strip(), value.partition("#")[0].strip()
    if not equals or not sections:
        raise SpecError(later("line {number}: expected KEY = VALUE in a section", number=number))
    if key.lower() in _HOOKS:
        raise SpecError(
            later(
                "line {number}: {key} runs a command on this machine; a file that holds one is refused",
                number=number,
                key=key,
            )
        )
    keys = sections[-1][1]
    if not value or (key.lower() in keys and key.lower() not in ("address", "dns", "allowedips")):
        raise SpecError(later("line {number}: {key} is empty or stands twice", number=number, key=key[:30]))
    keys[key.lower()] = f"{keys[key.lower()]}, {value}" if key.lower() in keys else value


def _interface(keys: dict[str, str], peers: tuple[Peer, ...], name: str) -> WireGuard:
    private_key = _key(keys.pop("privatekey", ""), "PrivateKey")
    amnezia = tuple((key, _number(keys.pop(key.lower()), key)) for key in _AMNEZIA if key.lower() in keys)
    return WireGuard(
        private_key=private_key,
        addresses=_networks(keys.pop("address", ""), "Address"),
        peers=peers,
        dns=tuple(part.strip() for part in keys.pop("dns", "").split(",") if part.strip()),
        mtu=_number(keys.pop("mtu", "0"), "MTU", most=65535),
        amnezia=amnezia,
        name=name,
        unknown=tuple(keys.items()),
    )


def _peer(keys: dict[str, str]) -> Peer:
    host, port = host_and_port(keys.pop("endpoint", ""))
    keepalive = keys.pop("persistentkeepalive", "0")
    return Peer(
        public_key=_key(keys.pop("publickey", ""), "PublicKey"),
        host=host,
        port=port,
        allowed=_networks(keys.pop("allowedips", ""), "AllowedIPs"),
        preshared_key=_key(keys.pop("presharedkey"), "PresharedKey") if "presharedkey" in keys else "",
        keepalive=0 if keepalive == "off" else _number(keepalive, "PersistentKeepalive", most=65535),
        unknown=tuple(keys.items()),
    )


def _key(text: str, what: str) -> str:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise SpecError(later("{what} is base64 of 32 bytes", what=what))
    return base64.b64encode(raw).decode()


def _networks(text: str, what: str) -> tuple[str, ...]:
    try:
        found = tuple(str(ipaddress.ip_interface(part.strip())) for part in text.split(",") if part.strip())
    except ValueError:
        found = ()
    if not found:
        raise SpecError(later("{what} is one or more networks such as 10.0.0.2/32", what=what))
    return found


def _number(text: str, what: str, *, most: int = (1 << 32) - 1) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
        raise SpecError(later("{what} is a number from 0 to {most}", what=what, most=most))
    return int(text)
