"""The ways that ask a proxy to dial, against proxies in memory."""

import base64
from dataclasses import replace
from urllib.parse import quote

import pytest
from anyio.abc import ByteStream

from rozaneh.codecs import shadowsocks2022
from rozaneh.codecs.http_connect import ConnectServer, reply
from rozaneh.codecs.shadowsocks import METHODS, Decoder, Encoder, key_from_password
from rozaneh.codecs.socks5 import Asked, Rejected, Send, Server, reply_for
from rozaneh.core import Failure, Op, SpecError, Target
from rozaneh.dialers import build
from rozaneh.dialers.ss import Shadowsocks
from rozaneh.net import Dialer, Trace, measure
from rozaneh.net.memory import Behaviour, MemoryNetwork, echo, resets, sends, silence
from rozaneh.net.trust import Trust
from tests.codecs.test_shadowsocks2022 import answer, now, opened
from tests.dialers.world import NAME, in_tls, outline

pytestmark = pytest.mark.anyio

RELAY = "45.76.10.11"
RELAY_NAME = "relay.example"
TARGET = Target(host=NAME, port=443, speaks="https")


def socks_server(
    asked: list[Asked],
    failure: Failure | None = None,
    *,
    login: tuple[str, str] | None = None,
    then: Behaviour | None = None,
) -> Behaviour:
    """A SOCKS5 server; what it connects to sends a banner and then echoes, or behaves as it is told."""

    async def behaviour(stream: ByteStream) -> None:
        server = Server(login)
        while True:
            for event in server.receive(await stream.receive()):
                if isinstance(event, Send):
                    await stream.send(event.data)
                elif isinstance(event, Rejected):
                    return
                elif isinstance(event, Asked):
                    asked.append(event)
                    await stream.send(reply_for(failure) + (b"" if failure or then else b"banner "))
                    await (then or echo)(stream)
                    return

    return behaviour


async def conversation(way: Dialer, expected: bytes = b"hello") -> list[str]:
    async with await measure(way, TARGET) as measured:
        assert measured.ok, measured.detail
        assert measured.stream is not None
        await measured.stream.send(b"hello")
        got = b""
        while len(got) < len(expected):
            got += await measured.stream.receive(3)
        assert got == expected
        return outline(measured.attempt)


async def test_socks5_lets_the_proxy_resolve_and_loses_no_byte() -> None:
    asked: list[Asked] = []
    async with MemoryNetwork() as network:
        network.serve(RELAY, 1080, socks_server(asked))
        steps = await conversation(build(f"socks5://{RELAY}|tcp", network), b"banner hello")
    assert steps == [f"proxy {RELAY}:1080", f"proxy>connect {RELAY}:1080"]
    assert asked == [Asked(host=NAME, port=443)]


@pytest.mark.parametrize(("login", "failure"), [("lab:l%40b@", None), ("lab:wrong@", "unknown_failure")])
async def test_socks5_logs_in(login: str, failure: str | None) -> None:
    async with MemoryNetwork() as network:
        network.serve(RELAY, 1081, socks_server([], login=("lab", "l@b")))
        measured = await measure(build(f"socks5://{login}{RELAY}:1081|tcp", network), TARGET)
        assert measured.failure == failure
        await measured.aclose()


async def test_socks5_resolves_the_name_of_the_proxy_below_or_takes_the_address_given() -> None:
    async with MemoryNetwork(names={RELAY_NAME: [RELAY]}) as network:
        network.serve(RELAY, 1080, socks_server([]))
        steps = await conversation(build(f"socks5://{RELAY_NAME}|tcp", network), b"banner hello")
        assert steps == [f"proxy {RELAY_NAME}:1080", "proxy>resolve", f"proxy>connect {RELAY}:1080"]
        network.names.clear()
        steps = await conversation(build(f"socks5://{RELAY_NAME}?address={RELAY}|tcp", network), b"banner hello")
        assert steps == [f"proxy {RELAY_NAME}:1080", f"proxy>connect {RELAY}:1080"]


async def test_a_proxy_through_a_proxy() -> None:
    near: list[Asked] = []
    far: list[Asked] = []

    async def negotiate_twice(stream: ByteStream) -> None:
        await socks_server(near, then=socks_server(far))(stream)

    async with MemoryNetwork() as network:
        network.serve("45.76.10.12", 1080, negotiate_twice)
        way = build(f"socks5://{RELAY}:1080|socks5://45.76.10.12|tcp", network)
        steps = await conversation(way, b"banner hello")
    assert steps == [f"proxy {RELAY}:1080", "proxy>proxy 45.76.10.12:1080", "proxy>connect 45.76.10.12:1080"]
    assert [near[0].host, far[0].host] == [RELAY, NAME]


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [
        (socks_server([], Failure.CONNECTION_REFUSED), "connection_refused"),
        (socks_server([], Failure.HOST_UNREACHABLE), "host_unreachable"),
        (sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "unknown_failure"),
        (sends(b"\x05"), "eof_error"),
        (resets(), "connection_reset"),
        (silence, "generic_timeout_error"),
        (None, "connection_refused"),
    ],
)
async def test_socks5_that_fails(behaviour: Behaviour | None, failure: str) -> None:
    async with MemoryNetwork() as network:
        if behaviour:
            network.serve(RELAY, 1080, behaviour)
        measured = await measure(build(f"socks5://{RELAY}|tcp", network), TARGET)
        assert measured.failure == failure
        assert next(measured.attempt.steps(Op.PROXY)).failure == failure


def connect_server(status: int = 200, seen: list[dict[str, str]] | None = None) -> Behaviour:
    async def behaviour(stream: ByteStream) -> None:
        server = ConnectServer()
        head = None
        while head is None:
            head = server.receive(await stream.receive())
        if seen is not None:
            seen.append({**dict(head.headers), "target": head.target})
        await stream.send(reply(status, "Said so"))
        await echo(stream)

    return behaviour


async def test_https_asks_inside_tls(trust: Trust) -> None:
    names: list[str | None] = []
    seen: list[dict[str, str]] = []
    async with MemoryNetwork() as network:
        network.serve(RELAY, 443, in_tls(RELAY_NAME, connect_server(seen=seen), names))
        steps = await conversation(build(f"https://u:p@{RELAY_NAME}?address={RELAY}|tcp", network, trust=trust))
    place = f"{RELAY_NAME}:443"
    assert steps == [f"proxy {place}", f"proxy>connect {RELAY}:443", f"proxy>tls_handshake {place}"]
    assert names == [RELAY_NAME]
    assert seen == [{"target": f"{NAME}:443", "host": f"{NAME}:443", "proxy-authorization": "Basic dTpw"}]


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [
        (in_tls(RELAY_NAME, connect_server(407)), "http_unexpected_status_code"),
        (in_tls("other.example", connect_server()), "ssl_invalid_hostname"),
        (in_tls(RELAY_NAME, sends(b"SSH-2.0\r\n\r\n")), "unknown_failure"),
        (in_tls(RELAY_NAME, sends(b"")), "eof_error"),
        (resets(), "connection_reset"),
    ],
)
async def test_https_that_fails(behaviour: Behaviour, failure: str, trust: Trust) -> None:
    async with MemoryNetwork() as network:
        network.serve(RELAY, 443, behaviour)
        way = build(f"https://{RELAY_NAME}?address={RELAY}|tcp", network, trust=trust)
        assert (await measure(way, TARGET)).failure == failure


def ss_server(seen: list[bytes], *, speaks_first: bool = False) -> Behaviour:
    method = METHODS["aes-256-gcm"]
    key = key_from_password("lab", 32)

    async def behaviour(stream: ByteStream) -> None:
        decoder, encoder = Decoder(method, key), Encoder(method, key)
        plain = decoder.decode(await stream.receive())
        seen.append(plain)
        while True:
            await stream.send(encoder.encode(b"banner" if speaks_first else plain[-5:]))
            plain = decoder.decode(await stream.receive())

    return behaviour


LINK = f"ss://aes-256-gcm:lab@{RELAY}:8388|tcp"
HEADER = b"\x03\x0csite.example\x01\xbb"


async def test_ss_sends_the_address_with_the_first_data() -> None:
    seen: list[bytes] = []
    async with MemoryNetwork() as network:
        network.serve(RELAY, 8388, ss_server(seen))
        steps = await conversation(build(LINK, network))
    assert seen == [HEADER + b"hello"]
    assert steps == [f"proxy {RELAY}:8388", f"proxy>connect {RELAY}:8388"]


async def test_ss_sends_the_address_before_it_reads() -> None:
    seen: list[bytes] = []
    async with MemoryNetwork() as network:
        network.serve(RELAY, 8388, ss_server(seen, speaks_first=True))
        async with await measure(build(LINK, network), TARGET) as measured:
            assert measured.stream is not None
            assert await measured.stream.receive() == b"banner"
    assert seen == [HEADER]


async def test_ss_with_another_password_breaks_at_the_first_byte() -> None:
    async with MemoryNetwork() as network:
        network.serve(RELAY, 8388, sends(bytes(100)))

        async def first_byte(stream: ByteStream, trace: Trace) -> None:
            async with trace.step(Op.FIRST_BYTE):
                await stream.receive()

        measured = await measure(build(LINK, network), TARGET, exchange=first_byte)
        assert measured.failure == "connection_reset"


@pytest.mark.parametrize("name", list(shadowsocks2022.METHODS))
async def test_ss_of_2022_speaks_and_hears(name: str) -> None:
    method = shadowsocks2022.METHODS[name]
    key = bytes(method.key_size)
    seen: list[bytes] = []

    async def behaviour(stream: ByteStream) -> None:
        request = await stream.receive()
        seen.append(opened(name, key, request)[2])
        salt = request[: method.key_size]
        await stream.send(answer(name, key, salt, [seen[0]]))
        await silence(stream)

    async with MemoryNetwork() as network:
        network.serve(RELAY, 8388, behaviour)
        password = quote(base64.b64encode(key).decode(), safe="")
        way = build(f"ss://{name}:{password}@{RELAY}:8388|tcp", network)
        await conversation(at_that_time(way))
    assert seen == [b"hello"]


def at_that_time(way: Dialer) -> Dialer:
    """The way at the time that the answers here are made for."""
    assert isinstance(way, Shadowsocks)
    return replace(way, now=now)


@pytest.mark.parametrize(
    ("way", "named"),
    [
        ("ss://aes-256-gcm:geheim@host:1?plugin=obfs-local|tcp", "plugin"),
        ("socks5:host:1080|tcp", "expected socks5://"),
        ("socks5://|tcp", "expected socks5://"),
        ("socks5://host:0x1|tcp", "expected socks5://"),
        ("socks5://user:geheim@host:99999|tcp", "expected socks5://"),
        ("socks5://host?address=name|tcp", "expected socks5://"),
        ("socks5://host?adress=1.2.3.4|tcp", "nothing after it"),
        ("https://host/path|tcp", "nothing after it"),
        ("https://host?allowInsecure=1|tcp", "nothing after it"),
        (f"socks5://{'u' * 256}:geheim@host|tcp", "1 to 255 bytes"),
        ("ss://rc4:geheim@host:1|tcp", "cipher 'rc4'"),
        ("ss:aes-256-gcm:geheim@host:1|tcp", "begins with ss://"),
    ],
)
def test_a_wrong_url_is_named_without_its_secret(way: str, named: str) -> None:
    with pytest.raises(SpecError, match=named) as caught:
        build(way, MemoryNetwork())
    assert "geheim" not in str(caught.value)
