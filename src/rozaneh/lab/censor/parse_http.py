"""HTTP/1 as an inspector reads it: request line, headers, status line. RFC 9112, without its strictness."""

from dataclasses import dataclass, field

METHODS = (
    b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PROPFIND",
)  # fmt: skip
_MOST_HEADERS = 100
_LONGEST_METHOD = 9


@dataclass(slots=True)
class Request:
    """A request, read as far as its bytes are there.

    Attributes:
        method: as sent.
        path: the request target.
        headers: by lower-case name; the first of each.
        complete: whether the headers ended.
    """

    method: str
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    complete: bool = False

    @property
    def host(self) -> str | None:
        """The Host header without its port, lower case."""
        value = self.headers.get("host")
        if value is None:
            return None
        name = value.strip().lower()
        if not name.startswith("["):
            name = name.partition(":")[0]
        return name.rstrip(".")


def begins_request(data: bytes) -> bool:
    """Whether bytes begin a request line; a method cut short does not."""
    space = data.find(b" ", 0, _LONGEST_METHOD)
    return space > 0 and data[:space] in METHODS


def read_request(data: bytes) -> Request | None:
    """A request at the start of a stream or segment; ``None`` if none begins there."""
    if not begins_request(data):
        return None
    head, _, rest = data.partition(b"\n")
    words = head.rstrip(b"\r").decode("latin-1").split(" ")
    request = Request(words[0], words[1] if len(words) > 1 else "")
    lines = rest.split(b"\n")
    for index, line in enumerate(lines[:_MOST_HEADERS]):
        if not line.rstrip(b"\r"):
            request.complete = index < len(lines) - 1
            break
        if index == len(lines) - 1:
            break  # the last line has no end yet: more of it may follow
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            request.headers.setdefault(name.strip().lower(), value.strip())
    return request


def read_status(data: bytes) -> int | None:
    """The status code of an answer that begins there; ``None`` if none does."""
    if data[:7] not in (b"HTTP/1.", b"HTTP/2 ") or len(data) < 12:
        return None
    code = data.partition(b" ")[2][:3]
    return int(code) if code.isdigit() and len(code) == 3 else None
