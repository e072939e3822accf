"""In which network and country a probe stands, as control vantages see it: they know the address that asks them.

Only what was said over a direct connection counts, because over another way it is the way's network that a vantage
sees. One vantage that says otherwise makes it unknown: it is better not to be said than to be said wrongly.
"""

from dataclasses import dataclass, field

_UNKNOWN = "ZZ"


@dataclass
class Whereabouts:
    """What vantages say of the network that asks them. An address is never part of it."""

    _networks: dict[str, int] = field(default_factory=dict)
    _countries: dict[str, str] = field(default_factory=dict)

    def hear(self, vantage: str, asn: int, country: str) -> None:
        """Take note of what a vantage said; the last word of each counts."""
        if asn:
            self._networks[vantage] = asn
        if country != _UNKNOWN:
            self._countries[vantage] = country

    @property
    def asn(self) -> int:
        """The number of the network on which all agree that said one; else 0."""
        said = set(self._networks.values())
        return said.pop() if len(said) == 1 else 0

    @property
    def country(self) -> str:
        """The country on which all agree that said one; else ``ZZ``."""
        said = set(self._countries.values())
        return said.pop() if len(said) == 1 else _UNKNOWN
