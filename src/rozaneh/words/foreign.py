r"""Showing text that somebody else wrote: a host's banner, a file's name, the title of a block page.

A terminal obeys escape sequences, and a right-to-left override makes one name look like another (CVE-2021-42574,
"Trojan Source"). So nothing foreign is printed as it came: controls become visible ``\x1b`` or ``\u202e``.
"""

import re
import unicodedata
from typing import Final

STEERS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u2028-\u202e\ufff9-\ufffb]")
"""Controls but tabs and new lines, marks that are no isolates, and what ends a line elsewhere than here."""

_JOINERS = "\u200c\u200d"  # ZWNJ and ZWJ are part of Persian spelling
_SHOWN = 500


def shown(text: str, longest: int = _SHOWN) -> str:
    """The text on one line, with every control, bidi control and unassigned character written out.

    Args:
        text: anything at all, lone surrogates included.
        longest: characters of the text to show; the rest is replaced by an ellipsis.
    """
    cut = text if len(text) <= longest else text[:longest] + "…"
    return cut if cut.isascii() and cut.isprintable() else "".join(map(_visible, cut))


def unsteered(text: str) -> str:
    """The text as it is, but for what steers a terminal or turns a line around: that is written out."""
    return STEERS.sub(lambda found: _visible(found[0]), text)


def escaped(text: str) -> str:
    """A JSON text that means the same, and that a terminal may be shown.

    JSON itself escapes the first 32 controls alone. What somebody else wrote may hold the later ones, of which U+009B
    begins what a terminal obeys, and characters that turn a line around (CVE-2021-42574).
    """
    return STEERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _visible(character: str) -> str:
    # Categories: C* are controls, format characters (all bidi controls), surrogates, private and unassigned; Zl and Zp
    # break a line.
    category = unicodedata.category(character)
    if character in _JOINERS or not (category[0] == "C" or category in ("Zl", "Zp")):
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
