"""The finder as a dialer: TLS over it, its failures, and what is recorded."""

import ssl
from pathlib import Path

import pytest
import trustme
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from rozaneh.core import Failure, Op
from rozaneh.finder import Found
from rozaneh.net import measure
from rozaneh.net.exchange import http_get, https_get
from rozaneh.net.memory import MemoryNetwork, silence
from rozaneh.net.trust import Trust
from tests.finder.world import NAMES, RESOLVER, SITE, Recorder, answers, finder, resolver, table, target, unless_whole

pytestmark = pytest.mark.anyio


async def test_tls_goes_over_the_way_that_was_found(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("blocked.example").configure_cert(context)

    async def site(stream: ByteStream) -> None:
        secured = await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False)
        await secured.receive()
        await secured.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await silence(secured)

    async with MemoryNetwork(names=NAMES, delay=0.05) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", silence, site))
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        found = Found(
            finder(network, Recorder(), table=table(sni_silence=["split:sni|tcp"], unknown=["split:sni|tcp"]))
        )
        wanted = target()
        exchange = https_get(wanted, Trust.with_ca(tmp_path / "ca.pem"))
        async with await measure(found, wanted, exchange=exchange) as measured:
            attempt = measured.attempt
    assert attempt.ok, attempt
    (connect,) = attempt.steps(Op.CONNECT)
    assert "split" in str(connect.tag("way"))
    assert attempt.spec == "finder"
    assert next(attempt.steps(Op.THROUGHPUT)).tag("status") == 200


async def test_a_request_that_may_be_said_once_is_said_once() -> None:
    heard: list[bytes] = []

    async def site(stream: ByteStream) -> None:
        heard.append(await stream.receive())
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 80, site)
        wanted = target(port=80)
        found = Found(finder(network, Recorder(), table=table()))
        async with await measure(found, wanted, exchange=http_get(wanted)) as measured:
            assert measured.ok
    assert len(heard) == 1


async def test_where_no_way_leads_the_attempt_fails_as_the_finder_says() -> None:
    async with MemoryNetwork(names=NAMES) as network:
        found = Found(finder(network, Recorder(), table=table()))
        wanted = target()
        async with await measure(found, wanted, exchange=https_get(wanted, Trust())) as measured:
            assert measured.failure is Failure.CONNECTION_REFUSED


async def test_a_server_that_speaks_first_is_heard() -> None:
    async def greets(stream: ByteStream) -> None:
        await stream.send(b"220 hello\r\n")
        await silence(stream)

    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 25, greets)
        found = Found(finder(network, Recorder(), table=table()))
        async with await measure(found, target(port=25)) as measured:
            assert measured.stream is not None
            assert await measured.stream.receive() == b"220 hello\r\n"


async def test_a_stream_that_nobody_used_never_connects() -> None:
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 443, answers(b"x"))
        async with await measure(Found(finder(network, Recorder(), table=table())), target()) as measured:
            assert measured.ok
        assert network.connections == []
