"""Tables that say to which network and country an address belongs, as several projects publish them for free.

One range on each line, in columns parted by tabs or commas: first and last address, the number of the autonomous
system, and where it stands the country in two capitals (``1.0.0.0<TAB>1.0.0.255<TAB>13335<TAB>US<TAB>...``), or a
prefix in the place of both addresses. A file comes from a stranger: what is no such line is counted and left out.
"""

import csv
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

import msgspec

MOST = 2_000_000
"""Lines of a table; the largest that are published have half a million."""

_LONGEST_LINE = 1000
_LARGEST_NUMBER = (1 << 32) - 1
_LOOK_BACK = 64
_UNKNOWN = "ZZ"


class NetworkOf(msgspec.Struct, frozen=True):
    """Whose an address is.

    Attributes:
        asn: number of the autonomous system; 0 when unknown.
        country: two capitals; ``ZZ`` when unknown.
    """

    asn: int = 0
    country: str = _UNKNOWN


class Networks:
    """A table in memory.

    Args:
        lines: of the file, in any order.

    Attributes:
        ranges: how many were read.
        wrong: how many lines were left out.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self.ranges = 0
        self.wrong = 0
        self._asn = array("L")
        self._countries: list[str] = []
        known: dict[str, str] = {}
        found: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
        for number, line in enumerate(lines):
            if number >= MOST:
                self.wrong += 1
                break
            row = _row(line)
            if row is None:
                self.wrong += 1
            elif row:
                version, first, last, asn, country = row
                found[version].append((first, last, self.ranges))
                self._asn.append(asn)
                self._countries.append(known.setdefault(country, country))
                self.ranges += 1
        for ranges in found.values():
            ranges.sort()
        self._found = found

    def of(self, address: str) -> NetworkOf:
        """Whose an address is; of ranges that lie in one another the one that begins last speaks. Never raises."""
        try:
            ip = ip_address(address)
        except ValueError:
            return NetworkOf()
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        ranges, wanted = self._found[ip.version], int(ip)
        end = bisect_right(ranges, wanted, key=lambda each: each[0])
        for _, last, index in reversed(ranges[max(end - _LOOK_BACK, 0) : end]):
            if wanted <= last:
                return NetworkOf(self._asn[index], self._countries[index])
        return NetworkOf()


def _row(line: str) -> tuple[int, int, int, int, str] | tuple[()] | None:
    """Version, first, last, AS and country; empty for a line without content, none for one that is wrong."""
    if not line.strip() or line.startswith("#"):
        return ()
    if len(line) > _LONGEST_LINE:
        return None
    try:
        (cells,) = csv.reader([line], delimiter="\t" if "\t" in line else ",", strict=True)
        return _read([cell.strip() for cell in cells])
    except (ValueError, IndexError, csv.Error):
        return None


def _read(cells: list[str]) -> tuple[int, int, int, int, str]:
    if "/" in cells[0]:
        block = ip_network(cells[0], strict=False)
        version, first, last, rest = block.version, int(block[0]), int(block[-1]), cells[1:]
    else:
        start, end, rest = ip_address(cells[0]), ip_address(cells[1]), cells[2:]
        version, first, last = start.version, int(start), int(end)
        if start.version != end.version or first > last:
            raise ValueError("not a range")
    number = rest[0].upper().removeprefix("AS")
    if not (number.isascii() and number.isdigit() and len(number) <= 10) or int(number) > _LARGEST_NUMBER:
        raise ValueError("not a number of a network")
    told = rest[1] if len(rest) > 1 else ""
    country = told if len(told) == 2 and told.isascii() and told.isalpha() and told.isupper() else _UNKNOWN
    return version, first, last, int(number), country
