"""The ways that a matrix tries when nobody names others.

Resolvers and relays are those of the lab's world. A relay's address stands in the way itself, so that a forged name of
the relay cannot spoil the answer to another question.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from rozaneh.core import LocalFault, Spec, SpecError
from rozaneh.dialers.registry import build
from rozaneh.net.memory import MemoryNetwork

_DOH = "doh:dns.google@8.8.8.8"

STANDARD_WAYS: Mapping[str, str] = MappingProxyType(
    {
        "plain": "tcp",
        "dnstcp": "dnstcp:8.8.8.8|tcp",
        "dot": "dot:dns.google@8.8.8.8|tcp",
        "doh": f"{_DOH}|tcp",
        "split": f"{_DOH}|split:sni|tcp",
        "tlsfrag": f"{_DOH}|tlsfrag:sni|tcp",
        "both": f"{_DOH}|tlsfrag:sni|split:2|tcp",
        "disorder": f"{_DOH}|disorder:2|tcp",
        "socks5": "socks5://45.76.10.11:1080|tcp",
        "connect": "https://relay.example:443?address=45.76.10.11|tcp",
        "ss": "ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388|tcp",
    }
)
"""Short names of ways, each with its stack; the user part of Shadowsocks is ``chacha20-ietf-poly1305:lab`` (SIP002)."""

FURTHER_WAYS: Mapping[str, str] = MappingProxyType(
    {
        "decoy": f"{_DOH}|decoy:example.org|tcp",
        "browser": "http://relay.example:443?address=45.76.10.11|browser:chrome|tcp",
        "ss2022": "ss://2022-blake3-aes-256-gcm:cm96YW5laC1sYWItMjAyMi1rZXktb2YtMzItYnl0ZXM%3D@45.76.10.11:8390|tcp",
        "ssh": "ssh://lab:lab@45.76.10.11:22"
        "?hostkey=ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIMH9BxcgBr2pQdsvIuvYpSIpcSJZekZYWuan1YLTW7mw|tcp",
        "trojan": "trojan://lab@45.76.10.13:443?sni=trojan.relay.example|tcp",
        "vless": "vless://b831381d-6324-4d53-ad4f-8cda48b30811@45.76.10.14:443"
        "?host=vless.relay.example&path=/ray&security=tls&sni=vless.relay.example&type=ws|tcp",
    }
)
"""Short names of ways that are asked only where somebody names them: each scenario more would cost the others time."""

ALIASES: Mapping[str, str] = MappingProxyType({**STANDARD_WAYS, **FURTHER_WAYS})

_NEEDS_PACKETS = frozenset({"decoy", "disorder", "split", "tlsfrag"})


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A way as the matrix shows it.

    Attributes:
        name: the alias, or the redacted spec where it has none.
        spec: the stack that is built.
    """

    name: str
    spec: Spec

    @property
    def needs_packets(self) -> bool:
        """Whether the way lives from where packets or records are cut, which tier T0 cannot judge (``lab.md``, 2)."""
        return any(element.name in _NEEDS_PACKETS for element in self.spec.elements)


def choose_ways(texts: Iterable[str] = ()) -> tuple[Way, ...]:
    """The named ways, or all standard ones.

    Args:
        texts: aliases or specs.

    Raises:
        LocalFault: a text is neither; the message lists the aliases.
    """
    named = tuple(texts) or tuple(STANDARD_WAYS)
    return tuple({way.name: way for way in map(_way, named)}.values())


def _way(text: str) -> Way:
    spec = ALIASES.get(text)
    if spec is not None:
        return Way(name=text, spec=Spec.parse(spec))
    try:
        parsed = Spec.parse(text)
        build(parsed, MemoryNetwork())
    except SpecError as error:
        raise LocalFault(f"not a way: {text[:80]!r} ({error}); aliases: {', '.join(ALIASES)}") from None
    alias = next((name for name, known in ALIASES.items() if known == text), None)
    return Way(name=alias or str(parsed.redacted()), spec=parsed)
