"""A plain request to a proxy (RFC 9112 section 3.2.2), and the same request as its origin server is to get it.

Only one request is taken from a connection, and its end is known before anything of it leaves: by its length, or
because it has no body. What leaves is written anew from the fields that were read, so that no two readers can disagree
about where a request ends.
"""

from urllib.parse import urlsplit

import msgspec

from rozaneh.codecs.http_connect import RequestHead
from rozaneh.core import RemoteFault, TargetError
from rozaneh.core.target import clean_host

_OF_THIS_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
}  # fmt: skip
_WRITTEN_ANEW = {"content-length", "host"}
_LONGEST_BODY = 1 << 40


class Forward(msgspec.Struct, frozen=True, kw_only=True):
    """A request for an origin server.

    Attributes:
        host: the origin's name or address.
        port: its port.
        head: what to send it.
        body: how many bytes of the client's follow.
    """

    host: str
    port: int
    head: bytes
    body: int


def forward(request: RequestHead) -> Forward:
    """The request for the origin server, asking it to close the connection afterwards.

    Raises:
        RemoteFault: its target is no ``http://`` URL, or its length cannot be told.
    """
    try:
        url = urlsplit(request.target)
        host, port = clean_host(url.hostname or ""), url.port or 80
    except (ValueError, TargetError) as error:
        raise RemoteFault(f"not a URL that can be asked for: {request.target[:80]!r}") from error
    if url.scheme != "http" or url.username is not None:
        raise RemoteFault("a proxy is asked for http:// URLs without a user name, and by CONNECT for all others")
    named = {
        token.strip().lower() for key, value in request.headers if key == "connection" for token in value.split(",")
    }
    dropped = _OF_THIS_HOP | _WRITTEN_ANEW | named
    shown = f"[{host}]" if ":" in host else host
    path = url.path or "/"
    fields = [("Host", shown if port == 80 else f"{shown}:{port}")]
    fields += [(key, value) for key, value in request.headers if key not in dropped]
    # A field named in Connection goes no further; where the length went with it, the body would be the next request.
    length = _length(request)
    fields += [("Content-Length", str(length))] if length is not None else []
    fields.append(("Connection", "close"))
    target = f"{path}?{url.query}" if url.query else path
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{key}: {value}" for key, value in fields)]
    return Forward(host=host, port=port, head=("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body=length or 0)


def _length(request: RequestHead) -> int | None:
    """Bytes of its body; none where it says nothing of one."""
    if any(key == "transfer-encoding" for key, _ in request.headers):
        raise RemoteFault("a request without a length; send it with Content-Length")
    lengths = {value.strip() for key, value in request.headers if key == "content-length"}
    if not lengths:
        return None
    text = lengths.pop()
    if lengths or not (text.isascii() and text.isdigit()) or len(text) > 15 or int(text) > _LONGEST_BODY:
        raise RemoteFault("a request whose length cannot be told")
    return int(text)
