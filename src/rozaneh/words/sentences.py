"""Sentences: translated, with values set into them."""

import gettext
import os
import string
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Self

from rozaneh.words.foreign import shown
from rozaneh.words.language import language

_LOCALE = Path(__file__).parent / "locale"
_DOMAIN = "rozaneh"
_FIRST_STRONG_ISOLATE, _RIGHT_TO_LEFT_ISOLATE, _POP_DIRECTIONAL_ISOLATE = "\u2068", "\u2067", "\u2069"
_PERSIAN = str.maketrans("0123456789.,%", "۰۱۲۳۴۵۶۷۸۹٫٬٪")


class Said(str):
    """A text that :class:`Words` made. As a value in another sentence it is taken as it is."""

    __slots__ = ()


def mark(message: str) -> str:
    """The message itself: it is translated later, where ``say`` is given it in a variable."""
    return message


class Words:
    """One language.

    Attributes:
        language: ``en`` or ``fa``.
        right_to_left: whether it is written from right to left.
    """

    def __init__(self, tongue: str) -> None:
        self.language = tongue
        self.right_to_left = tongue == "fa"
        self._catalogue = gettext.translation(_DOMAIN, _LOCALE, [tongue], fallback=tongue == "en")
        self._formatter = _Formatter(persian=self.right_to_left)

    @classmethod
    def choose(cls, lang: str | None = None, environment: Mapping[str, str] = os.environ) -> Self:
        """The language of ``--lang``, else of the environment, else English.

        Raises:
            LocalFault: ``lang`` is a language that we do not speak.
        """
        return cls(language(lang, environment))

    def say(self, message: str, **values: object) -> Said:
        """The sentence, with ``{name}`` replaced by values.

        Args:
            message: the English sentence; a literal, or a text that went through :func:`mark`.
            values: numbers for the prose; texts, which are isolated and made harmless. A format such as ``{took:.1f}``
                works.
        """
        return self._set(self._catalogue.gettext(message), values)

    def say_n(self, one: str, many: str, n: int, **values: object) -> Said:
        """As :meth:`say`, for a sentence that depends on a number, which is the value ``{n}``."""
        return self._set(self._catalogue.ngettext(one, many, n), {"n": n, **values})

    def number(self, value: float, spec: str = "") -> Said:
        """A number of the prose, in this language's digits; ``spec`` is a format such as ``.1f``."""
        return Said(self._formatter.format_field(value, spec))

    def _set(self, sentence: str, values: Mapping[str, object]) -> Said:
        return Said(self._formatter.vformat(sentence, (), values) if values else sentence)


class _Formatter(string.Formatter):
    """``str.format`` that treats numbers as prose and texts as foreign."""

    def __init__(self, *, persian: bool) -> None:
        self._persian = persian

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool | Enum):
            number = format(value, format_spec)
            return number.translate(_PERSIAN) if self._persian else number
        text = value if isinstance(value, Said) else shown(str(value))
        text = format(text, format_spec)
        if not self._persian:
            return text
        # The first strong letter of a sentence of ours may stand in an isolate, where UAX #9 (P2) does not look.
        isolate = _RIGHT_TO_LEFT_ISOLATE if isinstance(value, Said) else _FIRST_STRONG_ISOLATE
        return f"{isolate}{text}{_POP_DIRECTIONAL_ISOLATE}"
