"""Test lists: which sites to measure, as Citizen Lab keeps them, and lists of one's own.

A list is CSV with a header line (``url,category_code,...``), or one URL on each line. Lists come from strangers: what
is no ``http`` or ``https`` URL of a public host is left out, with the number of its line and the reason, and the rest
is read. That a name resolves to a private address is seen when it is dialled, and refused there: of a name, the dialer
connects to no such address (:mod:`rozaneh.dialers.tcp`).

Source: github.com/citizenlab/test-lists.
"""

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec

from rozaneh.core import Target, TargetError
from rozaneh.core.addresses import is_public

LARGEST = 8 << 20
"""Bytes of a list; the largest of Citizen Lab's has 170 kB."""

MOST = 100_000
"""Lines of a list."""

_LONGEST_URL = 2048
_HEADER = "url"
_CODE = "category_code"
_OWN = ""
_LOCAL_NAMES = ("localhost", "local", "internal", "lan", "home", "intranet", "home.arpa")


class Category(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A category of sites.

    Attributes:
        code: as lists have it.
        risky: why to ask for such a site may harm whoever does; empty where it does not.
    """

    code: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2,6}$")]
    risky: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    category: tuple[Category, ...]


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a list.

    Attributes:
        url: what to ask for.
        category: its code; empty in a list without categories, which somebody made for himself.
        line: where it stands.
    """

    url: str
    category: str = _OWN
    line: int


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was not taken, and why."""

    line: int
    reason: str


class TestList(msgspec.Struct, frozen=True, kw_only=True):
    """What a list holds.

    Attributes:
        sites: in order, each URL once.
        left_out: the lines that were not taken.
    """

    __test__ = False  # its name is the field's; it is no test

    sites: tuple[Site, ...]
    left_out: tuple[LeftOut, ...]

    def permitted(self, asked: Iterable[str] = ()) -> tuple[Site, ...]:
        """The sites without those of risky categories, unless these are asked for by their codes."""
        named = {code.upper() for code in asked}
        return tuple(site for site in self.sites if not risk(site.category) or site.category in named)


@cache
def categories() -> dict[str, Category]:
    """All categories by code."""
    name = "categories.toml"
    read = msgspec.toml.decode((files("rozaneh.ooni") / name).read_bytes(), type=_File)
    return {category.code: category for category in read.category}


def risk(code: str) -> str:
    """Why a category is risky; empty where it is not. One that nobody has described is."""
    if code == _OWN:
        return ""
    known = categories().get(code)
    return known.risky if known else "Nobody has said what stands in this category."


def read_list(data: bytes) -> TestList:
    """Read a list. Nothing in it is an error: what cannot be taken is left out and named."""
    if len(data) > LARGEST:
        return TestList(sites=(), left_out=(LeftOut(line=0, reason=f"the list is longer than {LARGEST} bytes"),))
    sites: dict[str, Site] = {}
    left_out: list[LeftOut] = []
    for found in _rows(data.decode("utf-8-sig", "replace")):
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            sites.setdefault(found.url, found)
    return TestList(sites=tuple(sites.values()), left_out=tuple(left_out))


def _rows(text: str) -> Iterator[Site | LeftOut]:
    columns: dict[str, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if number > MOST:
            yield LeftOut(line=number, reason=f"a list has at most {MOST} lines; the rest was not read")
            return
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            (row,) = csv.reader([line], strict=True)
        except (csv.Error, ValueError):
            yield LeftOut(line=number, reason="a quote is not closed")
            continue
        names = [cell.strip().lower() for cell in row]
        if columns is None and _HEADER in names:
            columns = {name: index for index, name in enumerate(names)}
            continue
        yield _row(number, row, columns)


def _row(number: int, row: list[str], columns: dict[str, int] | None) -> Site | LeftOut:
    at = {_HEADER: 0} if columns is None else columns
    url = row[at[_HEADER]].strip() if at[_HEADER] < len(row) else ""
    if reason := refusal(url):
        return LeftOut(line=number, reason=reason)
    code = row[at[_CODE]].strip().upper() if at.get(_CODE, len(row)) < len(row) else _OWN
    if columns is not None and _CODE in columns and not code:
        code = "MISC"
    return Site(url=url, category=code[:20], line=number)


def refusal(url: str) -> str:
    """Why a URL of a list is not measured; empty where it is."""
    if len(url) > _LONGEST_URL:
        return f"a URL of more than {_LONGEST_URL} characters"
    if not url.lower().startswith(("http://", "https://")):
        return "no http or https URL"
    scheme, _, rest = url.partition("://")
    try:
        target = Target.parse(f"{scheme.lower()}://{rest}")
    except TargetError as error:
        return str(error)
    if target.is_literal:
        return "" if is_public(target.host) else "an address that is not on the public internet"
    if "." not in target.host or any(target.host == name or target.host.endswith(f".{name}") for name in _LOCAL_NAMES):
        return "a name of a local network"
    # A resolver of the C library reads 127.1, 0x7f.1 and 2130706433 as addresses; such is no name.
    if target.host.rpartition(".")[2].isdigit() or target.host.rpartition(".")[2].startswith("0x"):
        return "a name that some programs read as an address"
    return ""
