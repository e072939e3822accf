"""``multipart/form-data`` as browsers send a form with a file: bytes in, fields out.

Strict: what no browser sends is refused rather than guessed at. Nothing is written to disk, as it would be by readers
that spool large parts to files.

Sources: RFC 7578; RFC 2046, 5.1; the HTML standard, "multipart form data", by which names are escaped.
"""

import re

import msgspec

from rozaneh.core import RemoteFault

__all__ = ["Field", "boundary_of", "parse"]

_MOST_FIELDS = 16
_LONGEST_HEAD = 2048
_TYPE = re.compile(r'multipart/form-data *; *boundary=("?)([A-Za-z0-9\'()+_,./:=?-]{1,70})\1', re.IGNORECASE)
_DISPOSITION = re.compile(rb'form-data; name="([^"\r\n]{1,200})"(; filename="[^"\r\n]{0,1000}")?', re.IGNORECASE)
_HEADS = (b"content-disposition", b"content-type")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a form.

    Attributes:
        name: of it, in ASCII.
        value: its bytes as they came.
        is_file: whether it is a file; one that was not chosen is empty.
    """

    name: str
    value: bytes
    is_file: bool = False


def boundary_of(content_type: str) -> str:
    """The boundary that a ``Content-Type`` names; empty where it is of another type.

    Args:
        content_type: the header's value.
    """
    found = _TYPE.fullmatch(content_type.strip())
    return found[2] if found is not None else ""


def parse(body: bytes, boundary: str) -> list[Field]:
    """The fields of a form, in order.

    Args:
        body: all of it; whoever reads it bounds its length.
        boundary: as :func:`boundary_of` gives it.

    Raises:
        RemoteFault: it is no such body, is not whole, or has more fields than any form here.
    """
    line = b"--" + boundary.encode("ascii")
    first, *parts = (b"\r\n" + body).split(b"\r\n" + line, _MOST_FIELDS + 1)
    if first or not parts or parts.pop() not in (b"--", b"--\r\n"):
        raise RemoteFault("no form, or not all of it")
    return [_field(part) for part in parts]


def _field(part: bytes) -> Field:
    head, between, value = part.partition(b"\r\n\r\n")
    if not head.startswith(b"\r\n") or not between or len(head) > _LONGEST_HEAD:
        raise RemoteFault("no field of a form")
    found = None
    for header in head[2:].split(b"\r\n"):
        name, _, said = header.partition(b":")
        if name.strip().lower() not in _HEADS:
            raise RemoteFault("no field of a form")
        if name.strip().lower() == _HEADS[0]:
            if found is not None:
                raise RemoteFault("no field of a form")
            found = _DISPOSITION.fullmatch(said.strip())
    if found is None or not found[1].isascii():
        raise RemoteFault("no field of a form")
    return Field(name=found[1].decode("ascii"), value=value, is_file=found[2] is not None)
