"""What answers hold: title, where they lead, how long they are, and which signatures stand in their heads.

All signatures are looked for in all heads of a batch at once, by RE2 in Arrow's compiled code: its time does not grow
with their number, where one search for each of them is what OONI's scoring spends 97 % of its time on. The compiled
search may hit too much and never too little; what it hits is looked at again by :mod:`rozaneh.diagnosis.signatures`,
whose word counts.
"""

import re
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from rozaneh.diagnosis import signatures
from rozaneh.observatory import schema
from rozaneh.ooni.records import HttpTransaction
from rozaneh.ooni.values import header_map, text

COLUMNS: Final = ("page_block", "page_refusal", "page_challenge", "signatures")
HEAD: Final = 8192
"""Characters of an answer in which signatures are looked for, as in :mod:`rozaneh.diagnosis.signatures`."""

_KINDS: Final = ("block", "refusal", "challenge")
_TITLE = re.compile(r"<title[^>]{0,200}>(.{0,1000}?)</title", re.IGNORECASE | re.DOTALL)
_REDIRECTS = range(300, 400)
_KIND: Final = pa.schema([schema.DIAL.field(name) for name in COLUMNS])


def page_of(http: HttpTransaction) -> tuple[tuple[object, ...], bytes]:
    """Status, title, location, length and digest of an answer; and what signatures are to be looked for in."""
    response = http.response
    if response is None:
        return (0, None, None, None, None), b""
    status = response.code or 0
    location = ""
    if status in _REDIRECTS:
        headers = header_map(response.headers)
        location = next((value for name, value in headers.items() if name.lower() == "location"), "")[:500]
    body = text(response.body)
    if not body:
        return (max(status, 0), None, location or None, 0, None), location.encode(errors="replace")
    packed = body.encode(errors="replace")
    found = _TITLE.search(body, 0, HEAD) if "<title" in body[:HEAD] or "<TITLE" in body[:HEAD] else None
    title = " ".join(found[1].split())[:200] if found else None
    head = "\n".join(filter(None, (title, location, body[:HEAD])))[:HEAD].encode(errors="replace")
    digest = blake3(packed).hexdigest(length=16)
    return (max(status, 0), title, location or None, len(packed), digest), head


def look(heads: Sequence[tuple[int, bytes]], rows: int) -> pa.RecordBatch:
    """The columns of signatures for a batch of rows.

    Args:
        heads: the row that each text belongs to, and the text.
        rows: how many rows there are.
    """
    kinds: dict[str, list[bool]] = {kind: [False] * rows for kind in _KINDS}
    names: list[list[str]] = [[] for _ in range(rows)]
    for index in _hits([head for _, head in heads]):
        row, head = heads[index]
        for page in signatures().matches(head.decode(errors="replace")):
            kinds[page.kind][row] = True
            names[row].append(page.id)
    flags = [pa.array(kinds[kind], pa.bool_()) for kind in _KINDS]
    return pa.RecordBatch.from_arrays([*flags, pa.array(names, _KIND.field("signatures").type)], schema=_KIND)


def _hits(heads: Sequence[bytes]) -> list[int]:
    if not heads:
        return []
    # Building the array from its buffers saves looking at every text twice.
    offsets = pa.array([0, *accumulate(map(len, heads))], pa.int64()).buffers()[1]
    column = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(heads), [None, offsets, pa.py_buffer(b"".join(heads))]
    )
    hit = pc.match_substring_regex(column, _pattern(), ignore_case=True)
    return [int(index) for index in pc.indices_nonzero(hit).to_pylist()]


@cache
def _pattern() -> str:
    # Only what means the same to RE2: letters, digits and quoted signs.
    return "|".join(
        "".join(c if c.isalnum() or c == " " else f"\\x{{{ord(c):x}}}" for c in word) for word in signatures().pages
    )
