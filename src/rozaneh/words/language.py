"""Which language to speak."""

from collections.abc import Mapping

from rozaneh.core import LocalFault

LANGUAGES = ("en", "fa")
"""The languages that are complete; a test holds them to it."""

_VARIABLES = ("ROZANEH_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def language(asked: str | None, environment: Mapping[str, str]) -> str:
    """The language somebody asked for, else the one of the environment, else English.

    Args:
        asked: what ``--lang`` was given, or none.
        environment: the variables to look at; the first of ``ROZANEH_LANG``, ``LANGUAGE``, ``LC_ALL``, ``LC_MESSAGES``
            and ``LANG`` that is set decides, as in GNU gettext.

    Raises:
        LocalFault: ``asked`` is a language that we do not speak.
    """
    if asked:
        tongue = _tongue(asked)
        if tongue not in LANGUAGES:
            raise LocalFault(f"--lang {asked!r}: Rozaneh speaks {' and '.join(LANGUAGES)}")
        return tongue
    for name in _VARIABLES:
        if wanted := environment.get(name):
            # LANGUAGE is a list, best first; the others are one locale such as fa_IR.UTF-8.
            return next((tongue for tongue in map(_tongue, wanted.split(":")) if tongue in LANGUAGES), "en")
    return "en"


def _tongue(locale: str) -> str:
    return locale.partition(".")[0].partition("@")[0].replace("-", "_").partition("_")[0].lower()
