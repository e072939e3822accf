"""One text that is too long for one QR code, as several that are numbered, and the same text out of them again.

Each part is a line of its own: ``rozaneh-part:2/3:1f3a9c0b:...``: the second of three, the beginning of the SHA-256 of
the whole, by which parts of different texts are told apart and the whole is proved, and a piece of its UTF-8 in base64
for links, without padding. They may come in any order, twice, and between other lines.
"""

import base64
import hashlib
import math
import re
from collections.abc import Iterable, Iterator

from rozaneh.core import SpecError
from rozaneh.links.refused import Kind, LinkError
from rozaneh.words import later

LARGEST = 900
"""Bytes of one code: what the camera of an old phone still reads."""

MOST = 12
"""Parts of one text; whoever has to photograph more is better off with a file."""

_PIECE = 860
_PART = re.compile(rf"rozaneh-part:(\d{{1,2}})/(\d{{1,2}}):([0-9a-f]{{8}}):([A-Za-z0-9_-]{{1,{_PIECE}}})")


def split(text: str) -> list[str]:
    """The texts of the codes: the text itself where one is enough.

    Raises:
        SpecError: it would take more than :data:`MOST`.
    """
    data = text.encode()
    if len(data) <= LARGEST:
        return [text]
    whole = base64.urlsafe_b64encode(data).decode().rstrip("=")
    count = math.ceil(len(whole) / _PIECE)
    if count > MOST:
        raise SpecError(
            later(
                "{data} bytes would take {count} QR codes, and {most} is the most; send it as a file",
                data=len(data),
                count=count,
                most=MOST,
            )
        )
    size = math.ceil(len(whole) / count)  # all alike, so that all are as easy to read
    mark = _mark(data)
    return [f"rozaneh-part:{n + 1}/{count}:{mark}:{whole[n * size : (n + 1) * size]}" for n in range(count)]


def is_part(line: str) -> bool:
    """Whether a line is a part, or wants to be one."""
    return line.startswith("rozaneh-part:")


def join(lines: Iterable[str]) -> Iterator[str | SpecError]:
    """The texts that parts make up, and what is wrong with those that make up none.

    Args:
        lines: parts, in any order and each as often as it came.
    """
    texts: dict[tuple[int, str], dict[int, str]] = {}
    for line in lines:
        found = _PART.fullmatch(line)
        if found is None or not 1 <= int(found[1]) <= int(found[2]) <= MOST:
            yield LinkError(
                Kind.INCOMPLETE, later("no part of a text that was shown as several QR codes, or not all of it")
            )
        else:
            texts.setdefault((int(found[2]), found[3]), {})[int(found[1])] = found[4]
    for (count, mark), pieces in texts.items():
        missing = [str(n) for n in range(1, count + 1) if n not in pieces]
        if missing:
            yield LinkError(
                Kind.INCOMPLETE,
                later(
                    "of {count} QR codes that belong together these are missing: {missing}",
                    count=count,
                    missing=", ".join(missing),
                ),
            )
            continue
        whole = "".join(pieces[n] for n in range(1, count + 1))
        try:
            data = base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4))
            text = data.decode()
        except ValueError:
            data, text = b"", ""
        yield (
            text
            if _mark(data) == mark
            else LinkError(Kind.INCOMPLETE, later("QR codes that belong together do not make up what they should"))
        )


def waiting(lines: Iterable[str]) -> list[str]:
    """Of parts those of texts that are not whole yet.

    Args:
        lines: as for :func:`join`.
    """
    found = {line: part for line in lines if (part := _PART.fullmatch(line)) is not None}
    have: dict[tuple[str, str], set[str]] = {}
    for part in found.values():
        have.setdefault((part[2], part[3]), set()).add(part[1])
    return [line for line, part in found.items() if len(have[part[2], part[3]]) < int(part[2])]


def _mark(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]
