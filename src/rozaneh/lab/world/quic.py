"""HTTP/3. The library is loaded when the first datagram comes, or in the background once the world is up."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rozaneh.core import RemoteFault
from rozaneh.lab.world.certificates import Authority
from rozaneh.lab.world.directory import Directory
from rozaneh.lab.world.doors import Doors
from rozaneh.lab.world.http import Request, without_port
from rozaneh.lab.world.web import Web

if TYPE_CHECKING:
    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.quic.configuration import QuicConfiguration

_MOST_NAMES = 64


class Http3:
    """HTTP/3 at many addresses."""

    def __init__(self, directory: Directory, authority: Authority, web: Web, doors: Doors, room: Path) -> None:
        self._directory = directory
        self._authority = authority
        self._web = web
        self._doors = doors
        self._room = room

    @staticmethod
    def load() -> None:
        """Load the library, so that the first visitor does not wait for it."""
        import aioquic.asyncio.server  # noqa: PLC0415 - not before it is needed: 0.1 s of start-up
        import aioquic.h3.connection  # noqa: F401, PLC0415 - as above

    def stand(self, raw: socket.socket, address: str, origin: Callable[[tuple[str, int]], str]) -> None:
        """Serve a bound UDP socket from the first datagram on; until then it costs nothing."""

        def make() -> asyncio.DatagramProtocol:
            from aioquic.asyncio.server import QuicServer  # noqa: PLC0415 - as above

            connection = _protocol(self._web, self._doors, address, origin)
            return QuicServer(configuration=self._configuration(address), create_protocol=connection)

        self._doors.open_datagrams(raw, make, when_spoken_to=True)

    def _configuration(self, address: str) -> "QuicConfiguration":
        from aioquic.h3.connection import H3_ALPN  # noqa: PLC0415 - as above
        from aioquic.quic.configuration import QuicConfiguration  # noqa: PLC0415 - as above

        configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, idle_timeout=30.0)
        stem = self._room / address.replace(":", "-")
        certificate, key = stem.with_suffix(stem.suffix + ".pem"), stem.with_suffix(stem.suffix + ".key")
        names = self._directory.names_at(address)[:_MOST_NAMES]
        self._authority.write_pair((*names, address), certificate, key)
        try:
            configuration.load_cert_chain(certificate, key)
        finally:
            certificate.unlink()
            key.unlink()
        return configuration


def _protocol(
    web: Web, doors: Doors, address: str, origin: Callable[[tuple[str, int]], str]
) -> "Callable[..., QuicConnectionProtocol]":
    from aioquic.asyncio.protocol import QuicConnectionProtocol  # noqa: PLC0415 - as above
    from aioquic.h3.connection import H3Connection  # noqa: PLC0415 - as above
    from aioquic.h3.events import HeadersReceived  # noqa: PLC0415 - as above
    from aioquic.quic.events import ProtocolNegotiated, QuicEvent  # noqa: PLC0415 - as above

    class Connection(QuicConnectionProtocol):
        """One client's connection; answers GET as the web does."""

        _http: H3Connection | None = None

        def quic_event_received(self, event: QuicEvent) -> None:
            if isinstance(event, ProtocolNegotiated):
                self._http = H3Connection(self._quic)
            if self._http is None:
                return
            for happened in self._http.handle_event(event):
                if isinstance(happened, HeadersReceived):
                    doors.spawn(self._answer(self._http, happened.stream_id, dict(happened.headers)))

        async def _answer(self, http: H3Connection, stream: int, headers: dict[bytes, bytes]) -> None:
            name = self._quic._network_paths[0].addr  # noqa: SLF001 - the library tells a peer's address in no other way
            peer = origin((str(name[0]), int(name[1])))
            request = Request(
                method=headers.get(b":method", b"GET").decode("latin-1"),
                path=headers.get(b":path", b"/").decode("latin-1"),
                host=without_port(headers.get(b":authority", b"").decode("latin-1")),
                headers={},
                length=0,
                keep=True,
            )
            try:
                response = await web.respond(address, request, peer, secure=True)
            except RemoteFault:
                return
            await asyncio.sleep(response.wait)
            body = b"x" * response.filler if response.filler else response.body
            fields = [
                (b":status", str(response.status).encode()),
                (b"content-type", response.content.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"server", b"rozaneh-lab"),
                *((key.lower().encode(), value.encode()) for key, value in response.headers),
            ]
            http.send_headers(stream, fields, end_stream=not body)
            if body:
                http.send_data(stream, body, end_stream=True)
            self.transmit()

    return Connection
