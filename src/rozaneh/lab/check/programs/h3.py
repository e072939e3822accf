"""Fetch a page over HTTP/3 with aioquic."""

import argparse
import asyncio
import os
import sys
from typing import Any
from urllib.parse import SplitResult

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent


def options(parser: argparse.ArgumentParser) -> None:
    """How long silence may last."""
    parser.add_argument("--timeout", type=float, default=3.0)


def run(given: argparse.Namespace) -> str:
    """The page, or the error of the library, which is ``ConnectionError`` after its idle timeout."""
    try:
        page = asyncio.run(_fetch(given.target, given.timeout))
    except TimeoutError:
        sys.stdout.write("TimeoutError\n")
        return "generic_timeout_error"
    except ConnectionError as error:
        sys.stdout.write(f"{type(error).__name__}: no QUIC handshake\n")
        return "generic_timeout_error"
    sys.stdout.write(f"{page}\n")
    return "answer"


class _Browser(QuicConnectionProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._http = H3Connection(self._quic)
        self._text = b""
        self.page: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def quic_event_received(self, event: QuicEvent) -> None:
        for found in self._http.handle_event(event):
            if isinstance(found, HeadersReceived):
                self._text += b"HTTP " + dict(found.headers).get(b":status", b"?") + b"\n"
            elif isinstance(found, DataReceived):
                self._text += found.data
            if found.stream_ended and not self.page.done():  # type: ignore[attr-defined]  # both kinds have it
                self.page.set_result(self._text.decode(errors="replace"))

    def ask(self, target: SplitResult) -> None:
        stream = self._quic.get_next_available_stream_id()
        host = (target.hostname or "").encode()
        headers = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", host), (b":path", b"/")]
        self._http.send_headers(stream, headers, end_stream=True)
        self.transmit()


async def _fetch(target: SplitResult, seconds: float) -> str:
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=True, server_name=target.hostname)
    configuration.load_verify_locations(os.environ["SSL_CERT_FILE"])
    configuration.idle_timeout = seconds
    async with connect(
        target.hostname or "", target.port or 443, configuration=configuration, create_protocol=_Browser
    ) as browser:
        assert isinstance(browser, _Browser)  # noqa: S101 - for the type checker; connect made it
        browser.ask(target)
        return await asyncio.wait_for(browser.page, seconds)
