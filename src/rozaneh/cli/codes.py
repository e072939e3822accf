"""QR codes of links: on a terminal, or as files. One that would be too large for a camera comes as several."""

import shutil
import sys
from pathlib import Path

import segno

from rozaneh.core import LocalFault
from rozaneh.links.parts import split
from rozaneh.words import Words, later

__all__ = ["drawn", "save", "show"]

_BLACK_ON_WHITE, _USUAL = "\x1b[30;107m", "\x1b[0m"
_HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
_BORDER = 4


def drawn(text: str, *, coloured: bool) -> str:
    """One code out of half blocks, two modules to a character's height.

    Args:
        text: what it says.
        coloured: whether it is drawn black on white whatever the colours of the terminal are; else a dark terminal is
            taken for granted, and a light one shows it the wrong way round, which few cameras read.
    """
    rows = [list(map(bool, row)) for row in _code(text).matrix_iter(border=_BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    # A block is drawn in the colour of the text: black if that is set here, else white on a dark terminal.
    lines = [
        "".join(_HALVES[top is coloured, low is coloured] for top, low in zip(*pair, strict=True)) for pair in pairs
    ]
    return "".join(f"{_BLACK_ON_WHITE}{line}{_USUAL}\n" if coloured else f"{line}\n" for line in lines)


def show(text: str, tongue: Words) -> None:
    """Draw a text on standard output, as one code or as several that are numbered.

    Raises:
        LocalFault: the terminal is not wide enough for it.
        SpecError: it is too long for codes at all.
    """
    texts = split(text)
    terminal = sys.stdout.isatty()
    for number, each in enumerate(texts, 1):
        code = drawn(each, coloured=terminal)
        wide = _code(each).symbol_size(border=_BORDER)[0]
        if terminal and wide > shutil.get_terminal_size().columns:
            raise LocalFault(
                tongue.say(
                    "This QR code needs a terminal of {n} columns; make this one wider, or use the link.", n=wide
                )
            )
        if len(texts) > 1:
            sys.stdout.write(str(tongue.say("QR code {n} of {of}:", n=number, of=len(texts))) + "\n")
        sys.stdout.write(code)
    if len(texts) > 1:
        sys.stdout.write(str(tongue.say("Paste the texts of all of them where a link is added, in any order.")) + "\n")


def save(text: str, path: Path) -> list[Path]:
    """Write the code as a picture, or several beside each other: ``way-1.png``, ``way-2.png``...

    Raises:
        LocalFault: a file cannot be written.
        SpecError: it is too long for codes at all.
    """
    texts = split(text)
    paths = [path]
    if len(texts) > 1:
        paths = [path.with_stem(f"{path.stem}-{number}") for number in range(1, len(texts) + 1)]
    for each, where in zip(texts, paths, strict=True):
        try:
            _code(each).save(str(where), scale=5, border=_BORDER)
        except OSError as error:
            raise LocalFault(later("cannot write {where}: {why}", where=where, why=error.strerror)) from error
    return paths


def _code(text: str) -> segno.QRCode:
    return segno.make(text, error="l", boost_error=True, micro=False)
