"""A program of one's own as a way, ``exec:PROGRAM ARG...``: from what the device's owner typed, never from a link.

In the text each word is percent-encoded where it must be, so that a space or a ``|`` inside a word stays inside it.
The word ``{port}`` stands for the loopback port on which the program shall offer SOCKS5.
"""

import re

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links.given import Given
from rozaneh.links.text import refuse_hidden
from rozaneh.links.url import decoded

PORT = "{port}"

_TO_ESCAPE = re.compile(r"[%|\s]")
_MOST_WORDS = 64


def program(words: list[str], *, name: str = "") -> Given:
    """The way that a program offers.

    Args:
        words: the program and its arguments; one of them holds ``{port}``.
        name: what to call it.

    Raises:
        SpecError: there is no program, no ``{port}``, or a control character.
    """
    check(words)
    text = "exec:" + " ".join(_TO_ESCAPE.sub(lambda each: f"%{ord(each.group()):02X}", word) for word in words)
    return Given(kind="exec", text=text, way=str(Spec((Element("exec", text.removeprefix("exec:")),))), name=name)


def words_of(argument: str) -> list[str]:
    """The program and its arguments, from the argument of an ``exec:`` element.

    Raises:
        SpecError: it is none.
    """
    words = [decoded(word) for word in argument.split(" ") if word]
    check(words)
    return words


def check(words: list[str]) -> None:
    """Say what is wrong with an argument vector.

    Raises:
        SpecError: it cannot be run as a way.
    """
    if not 1 <= len(words) <= _MOST_WORDS or not words[0]:
        raise SpecError(
            f"expected a program and at most {_MOST_WORDS - 1} arguments, as in: sslocal -b 127.0.0.1:{PORT}"
        )
    if not any(PORT in word for word in words[1:]):
        raise SpecError(f"the program's arguments have to hold {PORT}, where the port for SOCKS5 is set in")
    for word in words:
        refuse_hidden(word)
