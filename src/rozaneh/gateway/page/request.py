"""One request to the status page, as bytes in and a value out. Everything about it has a bound."""

import re
from urllib.parse import parse_qsl

import h11
import msgspec

from rozaneh.codecs.http1 import Headers
from rozaneh.core import RemoteFault

__all__ = ["LONGEST_BODY", "Reader", "Request"]

LONGEST_HEAD = 16 * 1024
LONGEST_BODY = 64 * 1024
_MOST_FIELDS = 16
_FORM = "application/x-www-form-urlencoded"
_PATH = re.compile(r"/[A-Za-z0-9_\-/]{0,200}")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for.

    Attributes:
        method: ``GET`` or ``POST``.
        path: letters, digits, ``-``, ``_`` and ``/`` alone; it never has a query.
        headers: names in lower case, and values.
        form: the fields of a POST.
    """

    method: str
    path: str
    headers: Headers
    form: dict[str, str] = {}

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]


class Reader:
    """Reads one request."""

    def __init__(self) -> None:
        self._peer = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_HEAD)
        self._head: h11.Request | None = None
        self._body = bytearray()

    def receive(self, data: bytes) -> Request | None:
        """Take bytes from the client; none while the request is incomplete.

        Raises:
            RemoteFault: they are no request, or none that this page could answer.
        """
        try:
            self._peer.receive_data(data)
            while True:
                event = self._peer.next_event()
                if event is h11.NEED_DATA:
                    return None
                if isinstance(event, h11.Request):
                    self._head = _bounded(event)
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > LONGEST_BODY:
                        raise RemoteFault("more was sent than any form here holds")
                elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                    return _request(self._head, bytes(self._body))
                else:
                    raise RemoteFault("the client closed the connection without a request")
        except h11.RemoteProtocolError as error:
            raise RemoteFault(f"not an HTTP request: {error}") from error


def _bounded(head: h11.Request) -> h11.Request:
    method, path = head.method.decode("ascii"), head.target.decode("latin-1")
    names = [name for name, _ in head.headers]
    # h11's own bound is for a head that is not whole yet; one that comes in one piece passes it.
    if sum(len(name) + len(value) for name, value in head.headers) > LONGEST_HEAD:
        raise RemoteFault("more headers than any browser sends")
    if method not in ("GET", "POST"):
        raise RemoteFault("only GET and POST are understood here")
    if not _PATH.fullmatch(path):
        raise RemoteFault("no such page")
    if b"transfer-encoding" in names or b"upgrade" in names or (method == "GET" and b"content-length" in names):
        raise RemoteFault("a page is asked for without a body, and a form has a length")
    return head


def _request(head: h11.Request, body: bytes) -> Request:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
    request = Request(method=head.method.decode("ascii"), path=head.target.decode("latin-1"), headers=headers)
    if request.method == "GET":
        return request
    if [value.partition(";")[0].strip().lower() for value in request.all("content-type")] != [_FORM]:
        raise RemoteFault("no form of this page")
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise RemoteFault("no form of this page") from error
    if len({name for name, _ in fields}) != len(fields):
        raise RemoteFault("a field of the form was sent twice")
    return msgspec.structs.replace(request, form=dict(fields))
