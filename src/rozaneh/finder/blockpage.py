"""Is this the page of a censor instead of the site's answer? Pure.

Iran's page for plain HTTP is a 403 of 337 bytes that frames ``http://10.10.34.36/?type=Invalid Keyword`` (I4, bbs#226);
one mobile operator redirects instead. What such pages share is that they are short and lead the browser to an address
that no site of the public internet can have, or to a host that shows nothing but block pages (listed in the table).
"""

import re
from dataclasses import dataclass

import msgspec

from rozaneh.core.addresses import is_bogon
from rozaneh.core.target import is_ip

_LONGEST_HEAD = 16 * 1024
_BODY_HEAD = 4096
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")
_SHORT = 2048
_URL = r"""(?:https?:)?//(\[[0-9a-f:.]+\]|[^\s"'/?#:>]+)"""
_LEADS = re.compile(
    r"""(?:<i?frame[^>]{0,200}?\ssrc|;\s*url|location(?:\.href)?)\s*=\s*["']?\s*""" + _URL, re.IGNORECASE
)
_HOST_OF_URL = re.compile(_URL, re.IGNORECASE)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of an HTTP response.

    Attributes:
        status: the status code; 0 when this is no HTTP response.
        location: where it redirects to, or empty.
        body_head: the first bytes of the body, as text.
        blocked: whether it is a censor's page.
    """

    status: int = 0
    location: str = ""
    body_head: str = ""
    blocked: bool = False


@dataclass(frozen=True)
class BlockPages:
    """What is known of block pages.

    Attributes:
        hosts: names that show nothing but block pages.
    """

    hosts: frozenset[str] = frozenset()

    def read(self, data: bytes, *, ended: bool = False) -> Page | None:
        """Judge the beginning of a response; none while too little of it is there.

        Args:
            data: all bytes so far.
            ended: no more will come.
        """
        head, blank, body = data.partition(b"\r\n\r\n")
        if not blank:
            return None if not ended and len(data) < _LONGEST_HEAD and _may_be_http(data) else Page()
        found = _STATUS.match(head)
        if found is None:
            return Page()
        fields = _fields(head)
        wanted = min(_length(fields.get("content-length", "")), _BODY_HEAD)
        if not ended and len(body) < wanted < _BODY_HEAD and "html" in fields.get("content-type", "html"):
            return None
        text = body[:_BODY_HEAD].decode("latin-1")
        location = fields.get("location", "")[:2048]
        leads = _HOST_OF_URL.match(location)
        hosts = [leads.group(1)] if leads else []
        if len(text) < _SHORT:
            hosts += _LEADS.findall(text)
        return Page(
            status=int(found.group(1)),
            location=location,
            body_head=text,
            blocked=any(self._shows_block_pages(host.strip("[]").lower()) for host in hosts),
        )

    def _shows_block_pages(self, host: str) -> bool:
        return is_bogon(host) if is_ip(host) else host in self.hosts


def _may_be_http(data: bytes) -> bool:
    return data.startswith(b"HTTP/1."[: len(data)])


def _fields(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _length(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
