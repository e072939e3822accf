"""Signatures of pages, forged addresses and issuers, and matching all of them in one pass over bounded text."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from ipaddress import ip_address
from typing import Annotated, Literal, Self

import msgspec

from rozaneh.core import Attempt, LocalFault

_Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,40}$")]
_Text = Annotated[str, msgspec.Meta(min_length=6, max_length=200)]
_Source = Annotated[str, msgspec.Meta(pattern=r"^https://")]
_BOUND = 8192

PageKind = Literal["block", "refusal", "challenge"]


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text by which a page is known, with where and when it was seen.

    ``deep`` says whether it counts anywhere in a page, or in its head alone, as words and links do that stand in other
    pages too.
    """

    id: _Id
    kind: PageKind
    text: _Text
    source: _Source
    date: dt.date
    deep: bool = True


class ForgedAddress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses that forged answers hold: ``block`` shows a page, ``substitute`` is a tamer variant of the service."""

    id: _Id
    addresses: tuple[str, ...]
    kind: Literal["block", "substitute"]
    source: _Source
    date: dt.date


class Issuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text in the issuer of certificates that stand in the place of true ones."""

    id: _Id
    text: _Text
    source: _Source
    date: dt.date


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: tuple[ForgedAddress, ...] = ()
    page: tuple[Page, ...] = ()
    issuer: tuple[Issuer, ...] = ()


@dataclass(frozen=True)
class Signatures:
    """All signatures, compiled."""

    pages: Mapping[str, Page]
    addresses: Mapping[str, ForgedAddress]
    _pattern: re.Pattern[str]
    _issuers: re.Pattern[str]

    @classmethod
    def of(cls, pages: Iterable[Page], addresses: Iterable[ForgedAddress], issuers: Iterable[Issuer]) -> Self:
        """Compile signatures."""
        by_text = {page.text.lower(): page for page in pages}
        return cls(
            pages=by_text,
            addresses={str(ip_address(one)): forged for forged in addresses for one in forged.addresses},
            _pattern=_alternation(by_text),
            _issuers=_alternation(issuer.text.lower() for issuer in issuers),
        )

    @classmethod
    def parse(cls, data: bytes, place: str) -> Self:
        """Read a signature file.

        Raises:
            LocalFault: it is wrong; the line names file and key.
        """
        try:
            read = msgspec.toml.decode(data, type=_File)
            return cls.of(read.page, read.address, read.issuer)
        except (msgspec.MsgspecError, ValueError) as error:
            raise LocalFault(f"{place}: {error}") from error

    def page_kinds(self, attempt: Attempt) -> frozenset[str]:
        """Which kinds of pages the answer of an attempt is known as."""
        return frozenset(page.kind for page in self.page_matches(attempt))

    def page_matches(self, attempt: Attempt) -> tuple[Page, ...]:
        """The signatures in the answer of an attempt: in what is kept of it, and those seen in the rest of its body."""
        seen = {name for step in attempt.observations for name in step.names("signatures")}
        deep = (page for page in self.pages.values() if page.id in seen)
        return tuple(dict.fromkeys((*self.matches(page_text(attempt)), *deep)))

    def in_body(self, body: bytes) -> tuple[str, ...]:
        """The ids of signatures anywhere in a body; the caller bounds it. One pass in C for each costs least."""
        lower = body.lower()
        return tuple(page.id for text, page in self.pages.items() if page.deep and text.encode() in lower)

    def matches(self, text: str) -> tuple[Page, ...]:
        """The signatures in a text, each once, in the order of their appearance."""
        found = dict.fromkeys(self._pattern.findall(text[:_BOUND].lower()))
        return tuple(self.pages[part] for part in found)

    def address_kind(self, address: str) -> str:
        """What an address in an answer is known as: ``block``, ``substitute`` or nothing."""
        known = self.addresses.get(address)
        return known.kind if known else ""

    def known_issuer(self, issuer: str) -> bool:
        """Whether certificates of this issuer stand in the place of true ones."""
        return bool(self._issuers.search(issuer[:_BOUND].lower()))


def page_text(attempt: Attempt) -> str:
    """What can be read of the answers: title, where it redirects to, and the head of the body."""
    parts = (
        str(step.tag(name))
        for step in attempt.observations
        for name in ("title", "location", "body_head")
        if step.tag(name)
    )
    # The title is compared as the page has it, because "just a moment..." elsewhere means nothing.
    return "\n".join(parts)


@cache
def signatures() -> Signatures:
    """The signatures that come with Rozaneh."""
    name = "signatures.toml"
    return Signatures.parse((files("rozaneh.diagnosis") / name).read_bytes(), name)


def _alternation(texts: Iterable[str]) -> re.Pattern[str]:
    # The longest first, so that of two signatures that begin alike the more exact one is reported.
    ordered = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, ordered)) or r"(?!)")
