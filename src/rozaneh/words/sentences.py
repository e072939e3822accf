"""Sentences: translated, with values set into them."""

import gettext
import os
import string
from collections.abc import Callable, Mapping
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


class Later(str):
    """A line in English, as an exception has it, that is said in another language when it reaches a person.

    Attributes:
        message: the English sentence.
        values: as for :meth:`Words.say`.
    """

    __slots__ = ("message", "values")
    message: str
    values: Mapping[str, object]

    def __reduce__(self) -> tuple[object, ...]:
        """For another process it is the English line."""
        return str, (str(self),)


def later(message: str, /, **values: object) -> Later:
    """A line for an exception: in English now, and in the language of whoever reads it by :meth:`Words.again`.

    Args:
        message: the English sentence; a literal, or a text that went through :func:`mark`.
        values: as for :meth:`Words.say`. An exception as a value is said again as well.
    """
    made = Later(_ENGLISH.vformat(message, (), values) if values else message)
    made.message, made.values = message, values
    return made


def text_of(error: BaseException) -> str:
    """What an exception says, so that :meth:`Words.again` can say it in another language, which ``str`` would undo."""
    text = error.args[0] if len(error.args) == 1 else None
    return text if isinstance(text, str) else str(error)


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
        self._formatter = _Formatter(self.again if self.right_to_left else None)

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

    def again(self, what: BaseException | str) -> Said:
        """What an exception says, in this language where :func:`later` made its text, else as it is; on one line."""
        text = text_of(what) if isinstance(what, BaseException) else what
        if isinstance(text, Later):
            return self.say(text.message, **text.values)
        return text if isinstance(text, Said) else Said(shown(text))

    def number(self, value: float, spec: str = "") -> Said:
        """A number of the prose, in this language's digits; ``spec`` is a format such as ``.1f``."""
        return Said(self._formatter.format_field(value, spec))

    def _set(self, sentence: str, values: Mapping[str, object]) -> Said:
        return Said(self._formatter.vformat(sentence, (), values) if values else sentence)


class _Formatter(string.Formatter):
    """``str.format`` that treats numbers as prose and texts as foreign.

    Args:
        again: says in Persian what an exception says, where that is what is spoken.
    """

    def __init__(self, again: Callable[[BaseException | str], Said] | None = None) -> None:
        self._persian = again is not None
        self._again = again

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool | Enum):
            number = format(value, format_spec)
            return number.translate(_PERSIAN) if self._persian else number
        if self._again is not None and isinstance(value, BaseException | Later):
            value = self._again(value)
        text = value if isinstance(value, Said) else shown(str(value))
        text = format(text, format_spec)
        if not self._persian:
            return text
        # The first strong letter of a sentence of ours may stand in an isolate, where UAX #9 (P2) does not look.
        isolate = _RIGHT_TO_LEFT_ISOLATE if isinstance(value, Said) else _FIRST_STRONG_ISOLATE
        return f"{isolate}{text}{_POP_DIRECTIONAL_ISOLATE}"


_ENGLISH = _Formatter()
