"""The sockets of the status page: one request on a connection, bounded in size, in time and in number."""

from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteStream, Listener, SocketAttribute

from rozaneh.core import RemoteFault
from rozaneh.gateway.desk import Desk, unless_wrong
from rozaneh.gateway.page.guard import Admitted, Guard, Session, Turned
from rozaneh.gateway.page.notes import Note, of_added, of_wiped
from rozaneh.gateway.page.request import LONGEST_BODY, Reader, Request, Room
from rozaneh.gateway.pictures import LARGEST, SENTENCES, PictureError, Trouble, read_codes
from rozaneh.net.streams import receive_or_nothing
from rozaneh.net.trace import NETWORK_ERRORS
from rozaneh.words import LANGUAGES, Words

__all__ = ["Bounds", "Page", "place_of"]

_REASONS = {
    200: "OK",
    303: "See Other",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    413: "Content Too Large",
    421: "Misdirected Request",
    503: "Service Unavailable",
}
_UPLOAD = LARGEST + LONGEST_BODY
_HEARD = 64 << 20
_NOBODY_ELSE_S = (
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nConnection: close\r\n"
    # With no-referrer a browser would say Origin: null in its own forms, and that is what everybody can say.
    "Referrer-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
)


@dataclass(frozen=True)
class Bounds:
    """What a client of the page is given. Times are seconds.

    Attributes:
        connections: at the same time; more are closed unheard.
        reading: to say all of its request.
        sending: to take the answer.
    """

    connections: int = 32
    reading: float = 10.0
    sending: float = 10.0


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[str, ...] = ()

    def __bytes__(self) -> bytes:
        lines = (f"HTTP/1.1 {self.status} {_REASONS[self.status]}", f"Content-Type: {self.kind}", *self.headers)
        head = "\r\n".join((*lines, f"Content-Length: {len(self.body)}", _NOBODY_ELSE_S, ""))
        return head.encode("ascii") + self.body


@dataclass
class Page:
    """Serves the page of one gateway.

    Attributes:
        desk: what it shows and does.
        guard: who may.
        language: of whoever has not chosen one.
        bounds: what clients are given.
    """

    desk: Desk
    guard: Guard
    language: str = "en"
    bounds: Bounds = field(default_factory=Bounds)
    _connected: int = 0
    _uploading: bool = False

    async def serve(self, listener: Listener[ByteStream]) -> None:
        """Answer until cancelled."""
        await listener.serve(self._connection)

    async def _connection(self, stream: ByteStream) -> None:
        if self._connected >= self.bounds.connections:
            await anyio.aclose_forcefully(stream)
            return
        self._connected += 1
        try:
            await self._converse(stream)
        except NETWORK_ERRORS:
            return  # it went away, which is its right
        finally:
            self._connected -= 1
            with anyio.CancelScope(shield=True), anyio.move_on_after(1.0):
                await stream.aclose()

    async def _converse(self, stream: ByteStream) -> None:
        uploads = False

        def room(head: Request) -> Room:
            """Pictures are for those who were let in, one at a time: no more of them is ever in memory."""
            nonlocal uploads
            if self.guard.sends_to(head).partition("/")[2] != "add":
                return Room()
            if self._uploading:
                return Room(heard=_HEARD)
            self._uploading = uploads = True
            return Room(taken=_UPLOAD, heard=_HEARD)

        reader, request = Reader(room), None
        answer = _Answer(400, b"too slow\n")
        try:
            with anyio.move_on_after(self.bounds.reading):
                try:
                    while request is None:
                        request = reader.receive(await receive_or_nothing(stream))
                except RemoteFault as fault:
                    answer = _Answer(400, f"{fault}\n".encode())
            if request is not None:
                answer = await self.answer(request)
        finally:
            if uploads:
                self._uploading = False
        with anyio.move_on_after(self.bounds.sending):
            await stream.send(bytes(answer))

    async def answer(self, request: Request) -> _Answer:
        """What a request gets."""
        if not request.whole:
            return self._dropped(request)
        verdict = self.guard.judge(request)
        if isinstance(verdict, Turned):
            return _Answer(verdict.status, f"{verdict.reason}\n".encode())
        if verdict.page == "open":
            return self._opened(verdict)
        language, _, page = verdict.page.partition("/")
        if language not in LANGUAGES:
            return _Answer(404, b"nothing is here\n")
        if request.method == "POST":
            return await self._done(page, request, verdict.session, Words(language))
        return self._shown(page, verdict.session, Words(language))

    def _opened(self, admitted: Admitted) -> _Answer:
        """The cookie comes with a page that leads on: a redirection of a link from elsewhere would not carry it."""
        from rozaneh.gateway.page.views import message  # noqa: PLC0415 - templates are loaded by those who look

        words = Words(self.language)
        target = f"{self.guard.path}{words.language}/status"
        body = message(words.say("This browser may see the status page until it is closed."), words, self.guard.path)
        return _html(body, f"Set-Cookie: {admitted.cookie}", f"Refresh: 1; url={target}")

    def _shown(self, page: str, session: Session, words: Words) -> _Answer:
        from rozaneh.gateway.page.views import PAGES, render  # noqa: PLC0415 - as above

        if page not in PAGES:
            return _Answer(404, b"nothing is here\n")
        return _html(render(page, self.desk.look(), words, self.guard.path, session, shared=self.desk.shared))

    def _dropped(self, request: Request) -> _Answer:
        """What is said of a picture that was not taken. Its form is not known, so nothing is done."""
        from rozaneh.gateway.page.views import message  # noqa: PLC0415 - as above

        language = self.guard.sends_to(request).partition("/")[0]
        words = Words(language if language in LANGUAGES else self.language)
        large = any(int(length) > _UPLOAD for length in request.all("content-length"))
        said = words.say(SENTENCES[Trouble.TOO_LARGE if large else Trouble.BUSY])
        return _html(message(said, words, self.guard.path), status=413 if large else 503)

    async def _done(self, page: str, request: Request, session: Session, words: Words) -> _Answer:
        if page == "add":
            session.said = await self._add(request, words)
        elif page == "wipe":
            wiped = self.desk.wipe(servers=request.form.get("servers") == "yes")
            session.said = tuple(of_wiped(wiped, words))
        elif page == "pause":
            self.desk.switch.pause()
        elif page == "resume":
            self.desk.switch.resume()
        else:
            return _Answer(404, b"nothing is here\n")
        return _Answer(303, b"", headers=(f"Location: {self.guard.path}{words.language}/status",))

    async def _add(self, request: Request, words: Words) -> tuple[Note, ...]:
        """Take the links that were pasted, and those of the codes in a picture."""
        pasted, notes = request.form.get("links", ""), list[Note]()
        if pasted.strip() or not request.picture:
            notes += of_added(unless_wrong(self.desk, pasted), words)
        if request.picture:
            try:
                codes = await read_codes(request.picture)
            except PictureError as error:
                notes.append(Note(text=words.say(SENTENCES[error.trouble])))
            else:
                for added in self.desk.add_codes(codes):
                    notes += of_added(added, words)
        return tuple(notes)


def place_of(listener: Listener[ByteStream]) -> str:
    """``address:port`` of a listener, as it stands in ``Host``."""
    address, port = listener.extra(SocketAttribute.local_address)[0], listener.extra(SocketAttribute.local_port)
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def _html(body: bytes, *headers: str, status: int = 200) -> _Answer:
    from rozaneh.gateway.page.views import policy  # noqa: PLC0415 - as above

    return _Answer(status, body, "text/html; charset=utf-8", (f"Content-Security-Policy: {policy()}", *headers))
