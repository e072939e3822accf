"""The servers' side of HTTP/1.1: read a request's head, write a response. No input or output."""

import msgspec

from rozaneh.core import RemoteFault

LONGEST_HEAD = 16_384
LONGEST_BODY = 1 << 20
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH"})
_REASONS = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    302: "Found",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    429: "Too Many Requests",
    451: "Unavailable For Legal Reasons",
    502: "Bad Gateway",
}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request.

    Attributes:
        method: upper-case.
        path: as sent: a path with its query, or ``host:port`` for CONNECT.
        host: of the ``Host`` header, lower-case and without a port; empty if there was none.
        headers: names in lower case; of a repeated header the last.
        length: of the body, in bytes.
        keep: whether the connection goes on afterwards.
        body: the content.
    """

    method: str
    path: str
    host: str
    headers: dict[str, str]
    length: int
    keep: bool
    body: bytes = b""


def parse_head(head: bytes) -> Request:
    """Read a request line and headers, up to and including the empty line.

    Raises:
        RemoteFault: this is no request that a web server would answer.
    """
    if len(head) > LONGEST_HEAD or not head.endswith(b"\r\n\r\n"):
        raise RemoteFault("the head of the request is too long or cut off")
    line, *rest = head[:-4].decode("latin-1").split("\r\n")
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] not in _METHODS or parts[2] not in ("HTTP/1.1", "HTTP/1.0") or not parts[1]:
        raise RemoteFault("not an HTTP request line")
    headers: dict[str, str] = {}
    for text in rest:
        name, colon, value = text.partition(":")
        if not colon or not name or name != name.strip():
            raise RemoteFault("not an HTTP header")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise RemoteFault("chunked requests are not served here")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or int(length[:8]) > LONGEST_BODY or len(length) > 8:
        raise RemoteFault("the request's length is not one that is served here")
    return Request(
        method=parts[0],
        path=parts[1],
        host=without_port(headers.get("host", "")),
        headers=headers,
        length=int(length),
        keep=parts[2] == "HTTP/1.1" and headers.get("connection", "").lower() != "close",
    )


def without_port(authority: str) -> str:
    """The host of ``host:port`` in lower case, without the brackets of an IPv6 address."""
    text = authority.lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """A response.

    Attributes:
        status: of HTTP.
        body: the content, unless ``filler`` says how much of it there is.
        content: its media type.
        headers: further headers.
        filler: bytes of letter ``x`` instead of a body.
        wait: seconds before the first byte.
        rate: bytes per second, 0 for as fast as it goes.
        close: end the connection afterwards.
    """

    status: int = 200
    body: bytes = b""
    content: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    filler: int = 0
    wait: float = 0.0
    rate: float = 0.0
    close: bool = False

    @property
    def length(self) -> int:
        """Bytes of the content."""
        return self.filler or len(self.body)

    def head(self, *, keep: bool) -> bytes:
        """Status line and headers with the empty line."""
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Status')}", "Server: rozaneh-lab"]
        if self.status != 204:
            lines += [f"Content-Type: {self.content}", f"Content-Length: {self.length}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append(f"Connection: {'keep-alive' if keep and not self.close else 'close'}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
