"""A TLS handshake that looks like a browser's, over any stream: that of curl as curl_cffi builds it, on BoringSSL.

Theory of operation. curl is told to connect and do no more (``CURLOPT_CONNECT_ONLY``), on one end of a pair of
sockets that we hand it as if it were connected to the server. What it writes comes out of the other end and goes
down the stream, and back; so everything below, cuts of the first flight among them, works as for any TLS. Afterwards
bytes go in and out by ``curl_easy_send`` and ``curl_easy_recv``, which curl_cffi does not offer itself but its
library exports.

What it is not: the order of packets, their sizes and HTTP are ours and not a browser's. It offers HTTP/1.1 alone, as
browsers do for WebSockets.
"""

import ctypes
import os
import socket
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import ByteStream

from rozaneh.core import DialFailed, Failure, Op
from rozaneh.net.streams import StreamOver
from rozaneh.net.trace import NETWORK_ERRORS, Step, Trace, dial_failed
from rozaneh.net.trust import Trust

if TYPE_CHECKING:
    from curl_cffi import Curl

PROFILES = {
    "android": "chrome131_android",
    "chrome": "chrome136",
    "edge": "edge101",
    "firefox": "firefox135",
    "ios": "safari18_0_ios",
    "safari": "safari18_0",
}
"""What a link's ``fp=`` may ask for, and the profile of curl_cffi that comes nearest."""

_OPEN_SOCKET, _SOCKET_OPTION = 20163, 20148  # CURLOPT_OPENSOCKETFUNCTION, CURLOPT_SOCKOPTFUNCTION
_ALREADY_CONNECTED = 2  # CURL_SOCKOPT_ALREADY_CONNECTED
_AGAIN = 81  # CURLE_AGAIN
_NOT_BELIEVED = 60  # CURLE_PEER_FAILED_VERIFICATION
_HTTP_1_1 = 2
_CHUNK = 16384
_WIDE = 65536
_FAILURES = {28: Failure.GENERIC_TIMEOUT_ERROR, 52: Failure.EOF_ERROR, 56: Failure.CONNECTION_RESET}
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_OPTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)


async def start_browser_tls(
    stream: ByteStream, trace: Trace, trust: Trust, server_name: str, profile: str, *, peer: str = "", ech: str = ""
) -> ByteStream:
    """Shake hands as a browser does, as a step TLS. The certificate is verified.

    Args:
        stream: what to speak over.
        trace: where the step goes.
        trust: whom to believe.
        server_name: the name to ask for and to find in the certificate.
        profile: a key of :data:`PROFILES`, or a name that curl_cffi knows.
        peer: ``address:port``, for the record.
        ech: an ECHConfigList in base64, to hide the name by (RFC 9849); empty for none.

    Raises:
        DialFailed: the handshake failed, or there is no such profile.
    """
    async with trace.step(Op.TLS, peer=peer, sni=server_name, verified=False, fingerprint=profile) as step:
        session = _Session(stream, trust, server_name, PROFILES.get(profile, profile), ech)
        with ExitStack() as undo:
            undo.callback(session.close)
            await session.shake_hands()
            undo.pop_all()
        step.tag(verified=True, ech=bool(ech))
        _count(step, session)
    return session


def _count(step: Step, session: "_Session") -> None:
    step.sent, step.received = session.moved


class _Session(StreamOver):
    """curl's TLS between a stream and whoever uses it."""

    def __init__(self, stream: ByteStream, trust: Trust, name: str, profile: str, ech: str) -> None:
        super().__init__(stream)
        from curl_cffi import _wrapper  # noqa: PLC0415 - 0.1 s that only its users should wait for

        self.moved = (0, 0)
        self._library = ctypes.CDLL(_wrapper.__file__)
        self._near, far = socket.socketpair()
        self._near.settimeout(0)
        with ExitStack() as undo:
            undo.callback(self._near.close)
            self._curl, self._callbacks = _prepared(self._library, far.detach(), trust, name, profile=profile, ech=ech)
            undo.pop_all()
        self._handle = ctypes.c_void_p(_address(self._curl))
        self._buffer = ctypes.create_string_buffer(_WIDE)
        self._incoming = b""
        self._ended = False
        self._error: DialFailed | None = None
        self._sending = anyio.Lock()

    async def shake_hands(self) -> None:
        """Let curl do it in a thread, and carry what it says."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._carry_up)
            tasks.start_soon(self._carry_down)
            await anyio.to_thread.run_sync(partial(self._perform, self._curl), abandon_on_cancel=True)
            tasks.cancel_scope.cancel()
        if self._error is not None:
            raise self._error
        await self._drain()

    def _perform(self, curl: "Curl") -> None:
        from curl_cffi import CurlError  # noqa: PLC0415 - as above

        try:
            curl.perform(clear_headers=False)
        except CurlError as error:
            failed = DialFailed(_failure(int(error.code), str(error)), str(error)[:200])
            # A server that hears that it is not believed may well reset: the reason is the certificate all the same.
            self._error = failed if int(error.code) == _NOT_BELIEVED else self._error or failed

    async def _carry_up(self) -> None:
        more = True
        while more:
            await anyio.wait_readable(self._near)
            try:
                # What curl has said is said, whatever else ends meanwhile: a handshake without its end is none.
                with anyio.CancelScope(shield=True):
                    more = await self._drain()
            except NETWORK_ERRORS as error:
                # After an answer it is what was heard that counts: an alert that nobody takes any more says nothing.
                if not self.moved[1]:
                    self._break(dial_failed(error))
                return

    async def _carry_down(self) -> None:
        try:
            while True:
                data = await self._inner.receive()
                self.moved = (self.moved[0], self.moved[1] + len(data))
                self._near.send(data)  # a handshake is smaller than what the pair holds
        except anyio.EndOfStream:
            if not self.moved[1]:  # else curl says what is wrong with the bytes that came
                self._error = DialFailed(Failure.EOF_ERROR, "the server closed the connection")
            with suppress(OSError):
                self._near.shutdown(socket.SHUT_WR)
        except NETWORK_ERRORS as error:
            self._break(dial_failed(error))

    def _break(self, failed: DialFailed) -> None:
        self._error = self._error or failed
        with suppress(OSError):
            self._near.shutdown(socket.SHUT_RDWR)

    async def _drain(self) -> bool:
        """Send on what curl has written, and say whether there may be more later."""
        async with self._sending:
            while True:
                try:
                    data = self._near.recv(_WIDE)
                except BlockingIOError:
                    return True
                except ConnectionError:
                    return False
                if not data:
                    return False
                self.moved = (self.moved[0] + len(data), self.moved[1])
                await self._inner.send(data)

    async def send(self, item: bytes) -> None:
        """Seal and send."""
        for start in range(0, len(item), _CHUNK):
            piece = item[start : start + _CHUNK]
            while piece:
                count = ctypes.c_size_t()
                code = self._library.curl_easy_send(
                    self._handle, piece, ctypes.c_size_t(len(piece)), ctypes.byref(count)
                )
                if code not in (0, _AGAIN):
                    raise anyio.BrokenResourceError
                piece = piece[count.value :]
                await self._drain()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Receive and open."""
        while True:
            count = ctypes.c_size_t()
            size = ctypes.c_size_t(min(max_bytes, _WIDE))
            code = self._library.curl_easy_recv(self._handle, self._buffer, size, ctypes.byref(count))
            if code == 0 and count.value:
                return self._buffer.raw[: count.value]
            if code != _AGAIN or self._ended:
                raise anyio.EndOfStream
            await self._fill()

    async def _fill(self) -> None:
        """Give curl more to read."""
        if not self._incoming:
            try:
                self._incoming = await self._inner.receive()
            except anyio.EndOfStream:
                self._ended = True
                self._near.shutdown(socket.SHUT_WR)
                return
        with suppress(BlockingIOError):
            self._incoming = self._incoming[self._near.send(self._incoming) :]

    async def send_eof(self) -> None:
        """Nothing is said: a close would end both directions."""
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close both ends."""
        self.close()
        await self._inner.aclose()

    def close(self) -> None:
        """Let go of the pair of sockets; curl ends with whoever still uses it."""
        self._near.close()


def _prepared(
    library: ctypes.CDLL, descriptor: int, trust: Trust, name: str, *, profile: str, ech: str
) -> "tuple[Curl, tuple[object, object]]":
    from curl_cffi import Curl, CurlOpt  # noqa: PLC0415 - as above

    curl = Curl()
    place = f"[{name}]" if ":" in name else name
    curl.setopt(CurlOpt.URL, f"https://{place}/")
    if curl.impersonate(profile, default_headers=False):
        os.close(descriptor)
        raise DialFailed(Failure.UNKNOWN_FAILURE, f"no browser is called {profile[:30]!r} here")
    curl.setopt(CurlOpt.HTTP_VERSION, _HTTP_1_1)
    curl.setopt(CurlOpt.RESOLVE, [f"{name}:443:127.0.0.1".encode()])  # never used: the socket is connected already
    curl.setopt(CurlOpt.CONNECT_ONLY, 1)
    file, folder = trust.locations()
    if file:
        curl.setopt(CurlOpt.CAINFO, file.encode())
    elif folder:
        curl.setopt(CurlOpt.CAPATH, folder.encode())
    if ech:
        curl.setopt(CurlOpt.ECH, f"ecl:{ech}".encode())
    opened = _OPEN(lambda _data, _purpose, _address: descriptor)
    ready = _OPTION(lambda _data, _socket, _purpose: _ALREADY_CONNECTED)
    handle = ctypes.c_void_p(_address(curl))
    library.curl_easy_setopt(handle, _OPEN_SOCKET, opened)
    library.curl_easy_setopt(handle, _SOCKET_OPTION, ready)
    return curl, (opened, ready)


def _address(curl: "Curl") -> int:
    from curl_cffi._wrapper import ffi  # noqa: PLC0415 - as above

    return int(ffi.cast("uintptr_t", curl._curl))  # noqa: SLF001 - curl_cffi has no other way to its handle


def _failure(code: int, text: str) -> Failure:
    if code == _NOT_BELIEVED:
        if "subject name" in text or "host name" in text:
            return Failure.SSL_INVALID_HOSTNAME
        return Failure.SSL_UNKNOWN_AUTHORITY if "issuer" in text else Failure.SSL_INVALID_CERTIFICATE
    return _FAILURES.get(code, Failure.SSL_FAILED_HANDSHAKE)
