"""From what somebody pasted to the text of a link: what a chat app put around it goes, what hides in it is refused."""

import re
import unicodedata

from rozaneh.core import SpecError
from rozaneh.words import later

LONGEST_LINE = 8192
"""Bytes of one line, in UTF-8."""

LONGEST_NAME = 100
"""Characters of a name that is shown."""

_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_DIGITS = "0-9\u06f0-\u06f9\u0660-\u0669"
_PERSIAN_DIGITS = "\u06f0-\u06f9\u0660-\u0669"
_AROUND = re.compile(rf"^[\s{_ZERO_WIDTH}{_BIDI}]+|[\s{_ZERO_WIDTH}{_BIDI}]+$")
# A list in a chat: a number, a bullet or an opening quote before the link; a closing one or a number after it.
_BEFORE = re.compile(
    rf"^[\s{_ZERO_WIDTH}{_BIDI}{_DIGITS}.,:;()\[\]<>\-*\u2022\u00ab\u2039\"'`\u060c\u061b]+(?=[A-Za-z][A-Za-z0-9+.-]*:)"
)
_AFTER = re.compile(
    rf"[\s{_ZERO_WIDTH}{_BIDI}]+[{_PERSIAN_DIGITS}]+$|[\s{_ZERO_WIDTH}{_BIDI}>\u00bb\u203a\"'`\u060c]+$"
)
_HIDDEN = re.compile(rf"[{_BIDI}]")


def clean_edges(text: str) -> str:
    """A line without what stands around it and is not seen: spaces, ZWNJ, marks of direction."""
    return _AROUND.sub("", text)


def clean(text: str) -> str:
    """The link in a pasted line.

    Spaces, ZWNJ, marks of direction and the numbering of a list are taken off around it, in Latin, Persian or Arabic
    digits. Nothing inside it is changed.

    Raises:
        SpecError: it is longer than 8 KiB, or a control or direction character stands inside it.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LONGEST_LINE:
        raise SpecError(
            later(
                "a line may have at most {longest_line} bytes, this one has {size}",
                longest_line=LONGEST_LINE,
                size=size,
            )
        )
    link = _BEFORE.sub("", clean_edges(text))
    if "#" not in link:  # after it comes a name, in which digits and quotes may be meant
        link = _AFTER.sub("", link)
    # What follows the # is a name, which is cleaned where it is read; marks of direction are at home in Persian ones.
    refuse_hidden(link.partition("#")[0])
    return link


def refuse_hidden(text: str) -> None:
    """Refuse what cannot be seen, or turns what is seen around.

    Raises:
        SpecError: a control character, a lone surrogate or a character of direction is there.
    """
    for at, char in enumerate(text):
        if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or _HIDDEN.match(char):
            raise SpecError(
                later(
                    "character {number} is {char}, which cannot be seen and does not belong in a link",
                    number=at + 1,
                    char=f"U+{ord(char):04X}",
                )
            )


def shown_name(text: str) -> str:
    """A name as it may be kept: without control and direction characters, and not endless."""
    kept = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") and c not in _BIDI)
    return kept.strip()[:LONGEST_NAME].strip()
