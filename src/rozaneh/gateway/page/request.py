"""One request to the status page, as bytes in and a value out. Everything about it has a bound."""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

import h11
import msgspec

from rozaneh.codecs import form_data
from rozaneh.codecs.http1 import Headers
from rozaneh.core import RemoteFault

__all__ = ["LONGEST_BODY", "Reader", "Request", "Room"]

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
        picture: the file among them; empty where none was chosen.
        whole: whether its body was taken; one that is larger than it may be was heard and dropped.
    """

    method: str
    path: str
    headers: Headers
    form: dict[str, str] = {}
    picture: bytes = b""
    whole: bool = True

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]


class Room(msgspec.Struct, frozen=True):
    """Bytes that the body of a request may have.

    Attributes:
        taken: it may have, to be read.
        heard: of one that has more so many are heard out and dropped, since a browser shows no answer to a form that it
            could not send; beyond that the connection ends.
    """

    taken: int = LONGEST_BODY
    heard: int = LONGEST_BODY


class Reader:
    """Reads one request.

    Args:
        room: told the head of a request, says what its body may have.
    """

    def __init__(self, room: Callable[[Request], Room] = lambda _: Room()) -> None:
        self._room_for = room
        self._room = Room()
        self._heard = 0
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
                    self._room = self._room_for(_told(self._head))
                elif isinstance(event, h11.Data):
                    self._take(event.data)
                elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                    return self._request(self._head)
                else:
                    raise RemoteFault("the client closed the connection without a request")
        except h11.RemoteProtocolError as error:
            raise RemoteFault(f"not an HTTP request: {error}") from error

    def _take(self, data: bytes) -> None:
        self._heard += len(data)
        if self._heard > max(self._room.taken, self._room.heard):
            raise RemoteFault("more was sent than any form here holds")
        if self._heard > self._room.taken:
            self._body.clear()
        else:
            self._body += data

    def _request(self, head: h11.Request) -> Request:
        told = _told(head)
        if self._heard > self._room.taken:
            return msgspec.structs.replace(told, whole=False)
        return told if told.method == "GET" else _filled(told, bytes(self._body))


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


def _told(head: h11.Request) -> Request:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
    return Request(method=head.method.decode("ascii"), path=head.target.decode("latin-1"), headers=headers)


def _filled(request: Request, body: bytes) -> Request:
    """A request with the fields of its form."""
    kinds = request.all("content-type")
    boundary = form_data.boundary_of(kinds[0]) if len(kinds) == 1 else ""
    picture = b""
    try:
        if boundary:
            parts = form_data.parse(body, boundary)
            fields = [(part.name, "" if part.is_file else part.value.decode()) for part in parts]
            files = [part.value for part in parts if part.is_file]
            if len(files) > 1:
                raise RemoteFault("no form of this page")
            picture = b"".join(files)
        elif [kind.partition(";")[0].strip().lower() for kind in kinds] == [_FORM]:
            fields = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
            )
        else:
            raise RemoteFault("no form of this page")
    except ValueError as error:
        raise RemoteFault("no form of this page") from error
    if len({name for name, _ in fields}) != len(fields):
        raise RemoteFault("a field of the form was sent twice")
    return msgspec.structs.replace(request, form=dict(fields), picture=picture)
