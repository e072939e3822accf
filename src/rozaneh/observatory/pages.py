"""What answers hold: title, where they lead, how long they are, and which signatures stand in them.

All signatures are looked for in one pass over the whole body, by an automaton that tests many bytes at once: its time
hardly grows with their number, where one search for each of them is what OONI's scoring spends 97 % of its time on. It
searches a copy whose letters are made alike by setting one bit, so it may hit too much and never too little; what it
hits is looked at again by :mod:`rozaneh.diagnosis.signatures`. What stands in the head of a page decides what kind of
page it is, as in memory; what stands further down is named, and decides nothing: an article about a block is no block.
"""

import re
import sys
from functools import cache
from typing import Final, NamedTuple

import ahocorasick_rs
import numpy as np
import pyarrow as pa
from blake3 import blake3
from msgspec import Raw

from rozaneh.diagnosis import signatures
from rozaneh.observatory import schema
from rozaneh.ooni.records import HttpResponse, HttpTransaction
from rozaneh.ooni.values import content, header_map, to_bytes

HEAD: Final = 8192
"""Characters of an answer that decide its kind, as in :mod:`rozaneh.diagnosis.signatures`."""
COLUMNS: Final = (
    "http_failure", "status", "title", "location", "body_length", "body_digest", "page_block", "page_refusal",
    "page_challenge", "signatures",
)  # fmt: skip
KIND: Final = pa.schema([schema.DIAL.field(name) for name in COLUMNS])

_KINDS: Final = ("block", "refusal", "challenge")
_TITLE = re.compile(rb"<title[^>]{0,200}>(.{0,4000}?)</title", re.IGNORECASE | re.DOTALL)
_LONGEST_TITLE = 4500
_REDIRECTS = range(300, 400)
_NO_KIND: Final[tuple[bool, bool, bool, list[str]]] = (False, False, False, [])
NO_ANSWER: Final = (None, 0, None, None, None, None, *_NO_KIND)
"""The columns of a dial that got no answer."""
_SAME: Final = 0x20
"""The bit in which capital letters differ from small ones."""
_SAME_EVERYWHERE: Final = np.array(_SAME, np.uint8)
"""As NumPy has it: making that of a number takes longer than setting the bit in a small page."""
_HEAD_BYTES: Final = 4 * HEAD
_STEP: Final = 1 << 20


def answer_of(http: HttpTransaction) -> tuple[object, ...]:
    """The columns of an answer."""
    response = http.response
    if response is None:
        return (http.failure, *NO_ANSWER[1:])
    status = max(response.code or 0, 0)
    location = ""
    if status in _REDIRECTS:
        headers = header_map(response.headers)
        location = next((value for name, value in headers.items() if name.lower() == "location"), "")[:500]
    body = body_of(response)
    if not body and not location:
        return (http.failure, status, None, None, 0, None, *_NO_KIND)
    title = _title_of(body)
    digest = blake3(body).hexdigest(length=16) if body else None
    return (http.failure, status, title, location or None, len(body), digest, *kinds_of(body, title or "", location))


def _title_of(body: bytes) -> str | None:
    start = body.find(b"<title", 0, HEAD)
    if start < 0 and (start := body.find(b"<TITLE", 0, HEAD)) < 0:
        return None
    found = _TITLE.match(body, start, start + _LONGEST_TITLE)
    return " ".join(found[1].decode(errors="replace").split())[:200] if found else None


def body_of(response: HttpResponse) -> bytes:
    """The bytes of a body, whether it was decoded with the rest or is still raw."""
    body: object = response.body
    if type(body) is str:
        return body.encode()
    return content(body) if isinstance(body, Raw) else to_bytes(body)  # type: ignore[arg-type]  # what the decoder makes


class _Automaton(NamedTuple):
    """The compiled signatures: their texts and ids by the number under which they are found, and room for a copy."""

    find: ahocorasick_rs.BytesAhoCorasick
    texts: tuple[str, ...]
    ids: tuple[str, ...]
    room: np.ndarray


def kinds_of(body: bytes, title: str, location: str) -> tuple[bool, bool, bool, list[str]]:
    """Whether an answer is a block page, a refusal or a challenge, and the ids of all signatures in it."""
    found, first = _found(body)
    before = "\n".join(filter(None, (title, location)))
    if first >= _HEAD_BYTES and (not before or _found(before.encode(errors="replace"))[1] == sys.maxsize):
        return (False, False, False, found) if found else _NO_KIND  # further down they are named, and decide nothing
    head = "\n".join(filter(None, (before, body[:_HEAD_BYTES].decode(errors="replace")[:HEAD])))[:HEAD]
    known = signatures().matches(head)
    kinds = {page.kind for page in known}
    return (*(kind in kinds for kind in _KINDS), list(dict.fromkeys((*(page.id for page in known), *found))))  # type: ignore[return-value]  # three flags and a list


def _found(text: bytes) -> tuple[list[str], int]:
    """The ids of the signatures in a text, each once, and where the first that may be one begins."""
    find, texts, ids, room = _automaton()
    found: dict[str, None] = {}
    start, first = 0, sys.maxsize
    while start < len(text):
        behind = 0
        part = np.frombuffer(text, np.uint8, min(len(room), len(text) - start), start)
        alike = np.bitwise_or(part, _SAME_EVERYWHERE, out=room[: len(part)])
        # All hits of a step are held at once, which is why a body is not searched in one.
        for number, begin, end in find.find_matches_as_indexes(alike):
            if begin >= _STEP:  # in what the next step begins with
                break
            behind = start + end
            if first == sys.maxsize:
                first = start + begin
            if ids[number] not in found:
                shown = text[start + begin : behind].decode(errors="replace")
                if shown.lower() == texts[number]:
                    found[ids[number]] = None
        start = max(start + _STEP, behind)
    return list(found), first


@cache
def _automaton() -> _Automaton:
    # The longest first, so that of two signatures that begin alike the more exact one is found. Setting one bit makes
    # ASCII letters alike; of others the capital form is one more text.
    by_form = {
        form: text for text in signatures().pages for form in ({text} if text.isascii() else {text, text.upper()})
    }
    forms = sorted(by_form, key=lambda form: (-len(form), form))
    alike = [bytes(byte | _SAME for byte in form.encode()) for form in forms]
    find = ahocorasick_rs.BytesAhoCorasick(alike, matchkind=ahocorasick_rs.MatchKind.LeftmostFirst)
    room = np.empty(_STEP + max(map(len, alike)), np.uint8)
    return _Automaton(
        find,
        tuple(by_form[form] for form in forms),
        tuple(signatures().pages[by_form[form]].id for form in forms),
        room,
    )
