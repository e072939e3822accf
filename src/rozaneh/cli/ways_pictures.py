"""Pictures of QR codes that are given to ``rozaneh ways add``."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import read_ordinary
from rozaneh.gateway.pictures import LARGEST, SENTENCES, PictureError, read_codes
from rozaneh.links import Given, Wrong, parts, read
from rozaneh.words import Words, later

__all__ = ["read_pictures"]


def read_pictures(pictures: Sequence[Path], tongue: Words) -> tuple[list[Given], list[Wrong]]:
    """What the codes in pictures say; those that belong together may stand in several.

    Args:
        pictures: the files.
        tongue: in which it is said why a picture says nothing.

    Raises:
        LocalFault: a file cannot be read, or is too large.
    """
    found: list[Given] = []
    wrong: list[Wrong] = []
    pieces: list[str] = []
    for picture in pictures:
        try:
            codes = anyio.run(read_codes, read_ordinary(picture, LARGEST))
        except OSError as error:
            raise LocalFault(later("cannot read {picture}: {why}", picture=picture, why=error.strerror)) from error
        except PictureError as error:
            wrong.append(Wrong(place=str(picture), reason=tongue.say(SENTENCES[error.trouble])))
            continue
        pieces += [each for each in codes if parts.is_part(each)]
        for text in codes:
            if not parts.is_part(text):
                ways, left = read(text)
                found += ways
                wrong += [msgspec.structs.replace(each, place=str(picture), line=0) for each in left]
    ways, left = read("\n".join(pieces))
    return found + ways, wrong + left
