"""What the user wants for some destinations, whatever the evidence says. Pure."""

from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

from rozaneh.core import SpecError, TargetError
from rozaneh.core.target import clean_host
from rozaneh.words import later

__all__ = ["Kind", "Route", "Routes", "parse_route"]

Kind = Literal["direct", "abroad", "refuse"]
"""``direct``: never by another way. ``abroad``: always through a server abroad, for services that refuse visitors from
here themselves. ``refuse``: not at all."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A rule.

    Attributes:
        host: a host; with a dot before it, everything below that name as well.
        kind: what is to be done.
    """

    host: str
    kind: Kind

    def covers(self, host: str) -> bool:
        """Whether it is about a host."""
        return host == self.host.removeprefix(".") or (self.host[:1] == "." and host.endswith(self.host))


class Routes:
    """Rules, of which the most special one counts.

    Args:
        routes: in any order.
    """

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._routes = sorted(routes, key=lambda route: len(route.host.removeprefix(".")), reverse=True)

    def of(self, host: str) -> Kind | None:
        """What is wanted for a host; none where no rule says."""
        return next((route.kind for route in self._routes if route.covers(host)), None)


def parse_route(text: str) -> Route:
    """Read ``HOST=KIND``, as in ``.example.com=abroad``.

    Raises:
        SpecError: it is no such thing.
    """
    place, _, kind = text.strip().partition("=")
    for known in get_args(Kind):
        if kind == known:
            try:
                host = clean_host(place.removeprefix("*").removeprefix("."))
            except TargetError as error:
                raise SpecError(
                    later("not a host in the rule {text!r}: {error}", text=text[:80], error=error)
                ) from error
            below = "." if place[:1] in (".", "*") else ""
            return Route(host=below + host, kind=known)
    raise SpecError(later("expected HOST=direct, HOST=abroad or HOST=refuse, found {text!r}", text=text[:80]))
