"""Is this the site's answer, or a page in its place? Pure.

Iran's page for plain HTTP is a 403 of 337 bytes that frames ``http://10.10.34.36/?type=Invalid Keyword`` (I4, bbs#226);
one mobile operator redirects instead. The signatures of the diagnosis know such pages by their text. Besides, a short
page that leads the browser to an address that no site of the public internet can have is nobody's true answer.
"""

import re
from typing import Literal

import msgspec

from rozaneh.core.addresses import is_bogon
from rozaneh.core.target import is_ip
from rozaneh.diagnosis.signatures import signatures

_LONGEST_HEAD = 16 * 1024
_BODY_HEAD = 4096
_SHORT = 2048
_REFUSALS = (403, 451)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
_URL = r"""(?:https?:)?//(\[[0-9a-f:.]+\]|[^\s"'/?#:>]+)"""
_LEADS = re.compile(
    r"""(?:<i?frame[^>]{0,200}?\ssrc|;\s*url|location(?:\.href)?)\s*=\s*["']?\s*""" + _URL, re.IGNORECASE
)
_HOST_OF_URL = re.compile(_URL, re.IGNORECASE)

Kind = Literal["", "block", "refusal"]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of an HTTP response.

    Attributes:
        status: the status code; 0 when this is no HTTP response.
        location: where it redirects to, or empty.
        body_head: the first bytes of the body, as text.
        kind: ``block`` for a censor's page, ``refusal`` where the service turns visitors away for where they come from.
    """

    status: int = 0
    location: str = ""
    body_head: str = ""
    kind: Kind = ""


def read_page(data: bytes, *, ended: bool = False) -> Page | None:
    """Judge the beginning of a response; none while too little of it is there.

    Args:
        data: all bytes so far.
        ended: no more will come.
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        wait = not ended and len(data) < _LONGEST_HEAD and data.startswith(b"HTTP/1."[: len(data)])
        return None if wait else Page()
    found = _STATUS.match(head)
    if found is None:
        return Page()
    fields = _fields(head)
    wanted = _length(fields.get("content-length", ""))
    if not ended and len(body) < wanted < _BODY_HEAD and "html" in fields.get("content-type", "html"):
        return None
    status = int(found.group(1))
    location = fields.get("location", "")[:2048]
    text = body[:_BODY_HEAD].decode("latin-1")
    return Page(status=status, location=location, body_head=text, kind=_kind(status, location, text))


def _kind(status: int, location: str, text: str) -> Kind:
    leads = _HOST_OF_URL.match(location)
    hosts = ([leads.group(1)] if leads else []) + (_LEADS.findall(text) if len(text) < _SHORT else [])
    known = {page.kind for page in signatures().matches(f"{location}\n{text}")}
    if "block" in known or any(_is_nowhere(host.strip("[]")) for host in hosts):
        return "block"
    return "refusal" if "refusal" in known and status in _REFUSALS else ""


def _is_nowhere(host: str) -> bool:
    return is_ip(host) and is_bogon(host)


def _fields(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _length(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
