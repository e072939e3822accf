"""In which network and country a measurement was made, for its reader: as its maker said, or as his own table says.

The address itself is looked up and forgotten; only the number of the network and the country are written. Without the
user's word nothing of it is asked for or written: then it stands there as OONI has it for "unknown", AS0 and ZZ.
"""

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from rozaneh import __version__
from rozaneh.codecs.networks import MOST, Networks
from rozaneh.core import LocalFault
from rozaneh.core.addresses import is_bogon
from rozaneh.core.ordinary import open_ordinary
from rozaneh.net.own import own_addresses
from rozaneh.ooni import Made, Place, encode
from rozaneh.probe import ServiceResult
from rozaneh.probe import consent as agreement
from rozaneh.probe.whereabouts import Whereabouts
from rozaneh.words import later, mark

TABLE = "ROZANEH_NETWORKS"
"""The variable that names a table of networks."""

_UNKNOWN = "ZZ"
_LARGEST_NUMBER = (1 << 32) - 1

Network = Annotated[
    str | None,
    typer.Option("--network", metavar="AS…", help=mark("Your network, to be written into what you keep or share.")),
]
Country = Annotated[
    str | None,
    typer.Option("--country", metavar="CC", help=mark("Your country in two letters, to be written there too.")),
]
NetworksFile = Annotated[
    Path | None,
    typer.Option(
        "--networks",
        metavar="FILE",
        help=mark("A table of networks (first, last, AS, country), to look addresses up in."),
    ),
]


class Placed(NamedTuple):
    """Where a measurement was made.

    Attributes:
        place: network and country.
        source: who says so: ``user``, ``table``, ``vantage``, or nobody.
    """

    place: Place = Place()
    source: str = ""


def lines(results: Sequence[ServiceResult], placed: Placed) -> Iterator[bytes]:
    """A measurement in OONI's format for each endpoint of a check."""
    notes = {"rozaneh_place": placed.source} if placed.source else {}
    for result in results:
        for endpoint in result.endpoints:
            made = Made(
                target=endpoint.endpoint.target,
                evidence=endpoint.evidence,
                verdict=endpoint.verdict,
                service=result.service.id,
                endpoint=endpoint.endpoint.id,
                runtime=endpoint.seconds,
            )
            yield encode(made, placed.place, software_version=__version__, annotations=notes)


@dataclass(frozen=True)
class Placing:
    """What is known before measuring of where that happens.

    Attributes:
        asn: as the user said; 0 when he did not.
        country: as the user said; ``ZZ`` when he did not.
        networks: the user's table, if he has one.
        heard: whether he agreed that what control vantages say of his network is written.
    """

    asn: int = 0
    country: str = _UNKNOWN
    networks: Networks | None = None
    heard: bool = False

    @classmethod
    def given(cls, network: str | None, country: str | None, table: Path | None) -> "Placing":
        """From the command line, the environment and the agreement.

        Raises:
            LocalFault: one of them is wrong.
        """
        return cls(
            asn=_number(network) if network else 0,
            country=_country(country) if country else _UNKNOWN,
            networks=read_networks(table),
            heard=agreement.load(agreement.place()).place,
        )

    def placed(self, whereabouts: Whereabouts, seen: Sequence[str]) -> Placed:
        """Where it was, and who says so.

        Args:
            whereabouts: what control vantages said.
            seen: the addresses under which others see this machine, as far as they are known.
        """
        if self.asn or self.country != _UNKNOWN:
            return Placed(Place(asn=self.asn, country=self.country), "user")
        if self.networks is not None:
            addresses = seen or sorted(address for address in own_addresses() if not is_bogon(address))
            found = {self.networks.of(address) for address in addresses}
            (one,) = found if len(found) == 1 else (None,)
            if one is not None and (one.asn or one.country != _UNKNOWN):
                return Placed(Place(asn=one.asn, country=one.country), "table")
        if self.heard and (whereabouts.asn or whereabouts.country != _UNKNOWN):
            return Placed(Place(asn=whereabouts.asn, country=whereabouts.country), "vantage")
        return Placed()


def read_networks(path: Path | None) -> Networks | None:
    """The table that was named on the command line or in the environment; none where none was.

    Raises:
        LocalFault: it cannot be read, or holds no range.
    """
    named = path or (Path(os.environ[TABLE]) if os.environ.get(TABLE) else None)
    if named is None:
        return None
    try:
        with io.TextIOWrapper(open_ordinary(named), "utf-8", "replace") as file:
            found = Networks(iter(lambda: file.readline(4096), ""))
    except OSError as error:
        raise LocalFault(
            later("cannot read the table of networks {named}: {why}", named=named, why=error.strerror)
        ) from error
    if not found.ranges:
        raise LocalFault(
            later(
                "{named} holds no ranges of networks; expected lines with first address, last address, AS "
                "number and country, parted by tabs or commas, {most} at most",
                named=named,
                most=MOST,
            )
        )
    return found


def _number(text: str) -> int:
    digits = text.strip().upper().removeprefix("AS")
    if not (digits.isascii() and digits.isdigit()) or not 0 < int(digits[:12]) <= _LARGEST_NUMBER:
        raise LocalFault(later("not the number of a network: {text!r}; expected one such as AS44244", text=text[:40]))
    return int(digits[:12])


def _country(text: str) -> str:
    code = text.strip().upper()
    if len(code) != 2 or not (code.isascii() and code.isalpha()):
        raise LocalFault(later("not a country: {text!r}; expected two letters, such as IR", text=text[:40]))
    return code
