"""What gets past what: the table of obstacles and ways, which is data with a date, a place and a source.

A trick is dated evidence, not a feature: splitting TLS records beat one country's filter in 2023 and was dropped by one
of its operators in 2024. So every row says when and where it was seen to help and until when that is believed.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from enum import StrEnum
from importlib import resources
from typing import Annotated, Self

import msgspec

from rozaneh.core import LocalFault
from rozaneh.words import later

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]

RESOLVER = "{resolver}"
UPSTREAM = "{upstream}"
UPSTREAM_LIKE = "{upstream."
"""Begins what stands for the user's servers of one kind: ``{upstream.tls}`` and so on."""


class Level(StrEnum):
    """How a row is known."""

    WORKS = "works"
    MIXED = "mixed"
    REASONED = "reasoned"


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way that gets past an obstacle, or one resolver.

    Attributes:
        use: a stack of dialers; ``{resolver}`` and ``{upstream}`` stand for one of those that we have, and
            ``{upstream.KIND}`` for one that looks like ``tls``, ``random`` bytes, a ``clear`` proxy and so on.
        evidence: how it is known.
        seen: when it was last documented.
        expires: after this day it is a guess.
        source: where it is documented.
        place: the country, ISO 3166.
    """

    use: _Text
    evidence: Level
    seen: date
    expires: date
    source: _Text
    place: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")] = "IR"

    def level(self, today: date) -> Level:
        """How it is known today: expired evidence is a guess."""
        return self.evidence if today <= self.expires else Level.REASONED


class Obstacle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What blocks, and what gets past it.

    Attributes:
        name: the mechanism, as the diagnosis names it.
        residual: seconds for which it goes on punishing the same client, address and port after it has struck.
        way: what gets past it; none when trying would only be noise.
    """

    name: _Text
    residual: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    way: tuple[Row, ...] = ()


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    resolver: tuple[Row, ...]
    obstacle: tuple[Obstacle, ...]


class Table:
    """The whole table.

    Attributes:
        resolvers: trustworthy resolvers, best first.
        obstacles: by name.
    """

    def __init__(self, resolvers: Sequence[Row], obstacles: Sequence[Obstacle]) -> None:
        self.resolvers = tuple(resolvers)
        self.obstacles: Mapping[str, Obstacle] = {each.name: each for each in obstacles}

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the table from TOML.

        Raises:
            LocalFault: the text is no such table; the message names the place.
        """
        try:
            file = msgspec.toml.decode(text, type=_File)
        except msgspec.DecodeError as error:
            raise LocalFault(later("the table of ways is wrong: {error}", error=error)) from error
        return cls(file.resolver, file.obstacle)

    @classmethod
    def shipped(cls) -> Self:
        """The table that comes with this version."""
        return cls.parse(resources.files("rozaneh.finder").joinpath("table.toml").read_text(encoding="utf-8"))

    def without(self, names: Collection[str]) -> "Table":
        """The table without the rows that use one of these elements, which this system does not allow."""

        def usable(row: Row) -> bool:
            return not any(part.partition(":")[0] in names for part in row.use.split("|"))

        obstacles = (
            msgspec.structs.replace(each, way=tuple(filter(usable, each.way))) for each in self.obstacles.values()
        )
        return Table(tuple(filter(usable, self.resolvers)), tuple(obstacles))

    def residual(self, obstacle: str) -> float:
        """Seconds for which an obstacle goes on punishing after it has struck; 0 where none are documented."""
        known = self.obstacles.get(obstacle)
        return known.residual if known is not None else 0.0

    def rows(self, obstacle: str) -> tuple[Row, ...]:
        """What gets past an obstacle; an obstacle that the table does not know is treated as ``unknown``."""
        found = self.obstacles.get(obstacle) or self.obstacles.get("unknown")
        return found.way if found is not None else ()
