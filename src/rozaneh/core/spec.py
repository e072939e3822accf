"""A stack of dialers as text.

``tlsfrag:1|split:2|tcp`` reads from the outside in: cut the first TLS record after one byte, cut the first segment
after two, connect by TCP. Each element dials through the one on its right; the last one is a leaf that opens a socket.
An element is ``name``, ``name:argument`` or a URL (``socks5://host:port``, ``ss://...``); a ``|`` inside an argument is
written ``%7C``. The idea of such a text form is that of Outline's configurl; the grammar is ours.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from rozaneh.core.errors import LocalFault

_NAME = re.compile(r"[a-z][a-z0-9+-]{0,31}\Z")
_LONGEST = 8192
_MOST_ELEMENTS = 16
_ALL_SECRET = frozenset({"exec", "plugin", "tor", "wireguard", "ws"})
"""Elements whose argument may hold a secret anywhere: a bridge line, a program's arguments, a hidden path."""


class SpecError(LocalFault):
    """A text that is no spec; the message names the element and what was expected."""


class NotHere(SpecError):
    """A spec that is well written and that this machine or network cannot go; the message says what is missing."""


class Element(msgspec.Struct, frozen=True):
    """One element of a stack.

    Attributes:
        name: which dialer, for instance ``split``; for a URL its scheme, for instance ``ss``.
        argument: what follows the colon, undecoded; empty when nothing does. For a URL it begins with ``//``.
    """

    name: str
    argument: str = ""

    @property
    def is_url(self) -> bool:
        """Whether the element was written as a URL."""
        return self.argument.startswith("//")

    def redacted(self) -> str:
        """The element with user information and everything after the authority hidden, for logs and tables."""
        if self.name in _ALL_SECRET and self.argument:
            return f"{self.name}:***"
        if not self.is_url:
            user, _, place = self.argument.rpartition("@")
            return f"{self.name}:***@{place}" if ":" in user else str(self)  # a URL whose slashes were forgotten
        authority, *rest = re.split(r"[/?#]", self.argument[2:], maxsplit=1)
        # A password may hold a slash that nobody encoded: then what looks like the authority is a piece of the secret.
        if any("@" in text for text in rest):
            return f"{self.name}://***"
        user, at, place = authority.rpartition("@")
        # A legacy ss:// link is one base64 blob that holds the password, and an @ further on says that what looks like
        # the authority is the beginning of a password with a / in it: then nothing may be shown.
        if not at and (self.name == "ss" or "@" in self.argument):
            return f"{self.name}://***"
        return f"{self.name}://{'***@' if user else ''}{place}"

    def __str__(self) -> str:
        return f"{self.name}:{self.argument}" if self.argument else self.name


class Spec(msgspec.Struct, frozen=True):
    """A whole stack, outermost element first."""

    elements: tuple[Element, ...]

    @classmethod
    def parse(cls, text: str) -> "Spec":
        """Read a spec.

        Raises:
            SpecError: the text is empty, too long, holds control characters, or an element has no proper name.
        """
        if len(text) > _LONGEST:
            raise SpecError(f"a way may have at most {_LONGEST} characters, this one has {len(text)}")
        if not text.strip() or any(ord(c) < 32 or ord(c) == 127 for c in text):
            raise SpecError(
                "a way is one line of text such as 'tlsfrag:1|split:2|tcp'; this one is empty or has control characters"
            )
        parts = text.strip().split("|")
        if len(parts) > _MOST_ELEMENTS:
            raise SpecError(f"a way may have at most {_MOST_ELEMENTS} elements, this one has {len(parts)}")
        return cls(tuple(_element(part.strip(), index) for index, part in enumerate(parts, 1)))

    def through(self, inner: "Spec") -> "Spec":
        """This stack on top of another."""
        return Spec(self.elements + inner.elements)

    def redacted(self) -> str:
        """The text without secrets."""
        return _redacted(self)

    def __str__(self) -> str:
        return "|".join(map(str, self.elements))

    def __iter__(self) -> Iterator[Element]:
        return iter(self.elements)


@lru_cache(maxsize=256)
def _redacted(spec: Spec) -> str:
    return "|".join(element.redacted() for element in spec.elements)


def _element(text: str, index: int) -> Element:
    name, _, argument = text.partition(":")
    if not _NAME.match(name):
        raise SpecError(f"element {index} of the way has no name: {name[:20]!r}; expected letters, as in 'split:2'")
    return Element(name, argument)
