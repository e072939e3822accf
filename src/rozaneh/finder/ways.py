"""From a row of the table to a way that can be dialled. Pure."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from rozaneh.core import Spec, Target
from rozaneh.finder.place import digest
from rozaneh.finder.table import RESOLVER, UPSTREAM, UPSTREAM_LIKE

DIRECT = "tcp"
_KINDS = {
    "https": "tls", "tls": "tls", "trojan": "tls", "vless": "tls", "browser": "tls", "ss": "random", "socks5": "clear",
    "http": "clear", "ssh": "ssh", "tor": "tor", "wireguard": "wireguard",
}  # fmt: skip
_SECRET = ("doh:", "dot:")
_DISGUISED = "prefix="


def shows_names(resolver: str) -> bool:
    """Whether whoever is on the way reads what a resolver is asked."""
    return not resolver.startswith(_SECRET)


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to one target.

    Attributes:
        key: what the table and the memory call it; holds no address and no secret.
        path: the stack below the resolver.
        resolver: whom to ask for the target's addresses; empty for the system, or for the far end of an upstream.
        addresses: what that resolver said before, so that it need not be asked again.
        avoid: addresses to leave aside while there are others.
        private: whether it leads through a server of the user's.
        kind: what such a way looks like to whoever sees it pass; empty for what only its owner knows.
        depends: the hosts of those servers; ways that share one fail together.
        borrowed: whether the addresses are the system's: the direct way connected to them before something else failed.
    """

    key: str
    path: Spec
    resolver: str = ""
    addresses: tuple[str, ...] = ()
    avoid: frozenset[str] = frozenset()
    private: bool = False
    kind: str = ""
    depends: frozenset[str] = frozenset()
    borrowed: bool = False

    @property
    def asks(self) -> bool:
        """Whether its resolver has to be asked."""
        return bool(self.resolver) and not self.addresses

    @property
    def spec(self) -> Spec:
        """The stack to dial."""
        return Spec.parse(self.resolver).through(self.path) if self.asks else self.path

    @property
    def shown(self) -> str:
        """The whole stack for a person, without secrets, also where the addresses were known already."""
        path = self.path.redacted()
        asked = self.resolver and (self.asks or not self.borrowed)
        return f"{self.resolver}|{path}" if asked else path

    def with_addresses(self, addresses: tuple[str, ...], resolver: str) -> "Way":
        """The same way with what is known of the addresses by now."""
        if not self.resolver:
            return self
        borrowed = self.borrowed and not resolver
        return msgspec.structs.replace(self, addresses=addresses, resolver=resolver or self.resolver, borrowed=borrowed)

    def target(self, target: Target) -> Target:
        """The target as this way dials it."""
        return self.at(target, self.addresses) if self.addresses else target

    def at(self, target: Target, addresses: Sequence[str]) -> Target:
        """The target at those of its addresses that this way dials."""
        return target.at(*([each for each in addresses if each not in self.avoid] or addresses))


def _hosts(spec: Spec) -> frozenset[str]:
    """The hosts that a stack leads through, as far as its text says."""
    found = (urlsplit(f"x:{element.argument}").netloc.rpartition("@")[2] for element in spec if element.is_url)
    return frozenset(place.rpartition(":")[0] for place in found if place)


def _kind(spec: Spec) -> str:
    """What a stack looks like on the wire: the lowest of its elements that says something of its own."""
    for element in reversed(tuple(spec)):
        kind = _KINDS.get(element.name, "")
        if kind == "random" and _DISGUISED in element.argument:
            return "disguised"
        if kind:
            return kind
    return ""


class Ways:
    """Makes ways from the table's texts.

    Args:
        upstreams: the stacks of the user's servers.
        salt: the device's key, under which an upstream is remembered.
    """

    def __init__(self, upstreams: Sequence[Spec], salt: bytes) -> None:
        self.direct = Way(key=DIRECT, path=Spec.parse(DIRECT))
        self.upstreams = tuple(
            Way(
                key=f"upstream#{digest(salt, [str(spec)])}",
                path=spec,
                private=True,
                kind=_kind(spec),
                depends=_hosts(spec),
            )
            for spec in upstreams
        )

    def expand(
        self, use: str, target: Target, resolvers: Sequence[str], known: tuple[tuple[str, ...], str]
    ) -> Iterator[Way]:
        """The ways that a row stands for.

        Args:
            use: the row's text.
            target: what is to be reached.
            resolvers: those that may be asked now, best first; only the first is.
            known: addresses of the target that are to be trusted, and the resolver that gave them; it is empty for
                those of the system.
        """
        addresses, resolver = known
        path = use.removeprefix(RESOLVER + "|")
        if use == UPSTREAM:
            yield from self.upstreams
        elif use.startswith(UPSTREAM_LIKE):
            yield from (way for way in self.upstreams if use == f"{UPSTREAM_LIKE}{way.kind}}}")
        elif path == use:
            yield Way(key=use, path=Spec.parse(use))
        elif target.is_literal:
            # There is no name to resolve: what is left of the way may still help, unless that is nothing.
            if path != DIRECT:
                yield Way(key=use, path=Spec.parse(path))
        elif addresses or resolvers:
            yield Way(
                key=use,
                path=Spec.parse(path),
                resolver=resolver or next(iter(resolvers), ""),
                addresses=addresses,
                borrowed=bool(addresses) and not resolver,
            )
