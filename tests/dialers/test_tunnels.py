"""The ways inside TLS and WebSocket, against servers in memory that see the exact bytes."""

import hashlib
from typing import cast
from uuid import UUID

import anyio
import pytest
from anyio.abc import ByteStream

from rozaneh.codecs.websocket import Frames, accept, frame
from rozaneh.core import SpecError, Target
from rozaneh.dialers import build
from rozaneh.net import measure
from rozaneh.net.memory import Behaviour, MemoryNetwork, echo, resets, sends, silence
from rozaneh.net.trust import Trust
from tests.dialers.test_upstream import RELAY, RELAY_NAME, TARGET, connect_server, conversation
from tests.dialers.world import in_tls, outline

pytestmark = pytest.mark.anyio

USER = "b831381d-6324-4d53-ad4f-8cda48b30811"
ADDRESS = b"\x03\x0csite.example\x01\xbb"
TROJAN = hashlib.sha224(b"pass").hexdigest().encode() + b"\r\n\x01" + ADDRESS + b"\r\n"
VLESS = b"\x00" + UUID(USER).bytes + b"\x00\x01\x01\xbb\x02\x0csite.example"


def after(expected: bytes, seen: list[bytes], answer: bytes = b"") -> Behaviour:
    """A server that waits for its opening, keeps what came with it, says its answer and echoes."""

    async def behaviour(stream: ByteStream) -> None:
        data = b""
        while len(data) < len(expected):
            data += await stream.receive()
        seen.append(data[: len(expected)])
        await stream.send(answer + data[len(expected) :])
        await echo(stream)

    return behaviour


def in_websocket(inside: Behaviour, heads: list[str], *, status: str = "101 Switching Protocols") -> Behaviour:
    """A WebSocket server; it pings before each of its frames, and cuts them oddly."""

    async def behaviour(stream: ByteStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive()
        head, _, rest = head.partition(b"\r\n\r\n")
        heads.append(head.decode())
        key = next(
            line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        await stream.send(
            f"HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ".encode()
            + accept(key)
            + b"\r\n\r\n"
        )
        await inside(cast("ByteStream", _Framed(stream, rest)))

    return behaviour


class _Framed:
    """Just enough of a stream for the behaviours here."""

    def __init__(self, stream: ByteStream, first: bytes) -> None:
        self._stream = stream
        self._frames = Frames(expect_mask=True)
        self._first = first

    async def receive(self, _most: int = 65536) -> bytes:
        data = self._frames.receive(self._first)
        self._first = b""
        while not data:
            data = self._frames.receive(await self._stream.receive())
        return data

    async def send(self, data: bytes) -> None:
        await self._stream.send(frame(b"?", mask=None, opcode=9))
        whole = frame(data, mask=None)
        for piece in (whole[:1], whole[1:]):
            await self._stream.send(piece)

    def __aiter__(self) -> "_Framed":
        return self

    async def __anext__(self) -> bytes:
        return await self.receive()


async def test_trojan_says_its_password_and_the_target_inside_tls(trust: Trust) -> None:
    seen: list[bytes] = []
    names: list[str | None] = []
    async with MemoryNetwork(names={RELAY_NAME: [RELAY]}) as network:
        network.serve(RELAY, 443, in_tls(RELAY_NAME, after(TROJAN, seen), names))
        steps = await conversation(build(f"trojan://pass@{RELAY_NAME}:443|tcp", network, trust=trust))
    assert seen == [TROJAN]
    assert names == [RELAY_NAME]
    assert steps == [
        f"proxy {RELAY_NAME}:443",
        "proxy>resolve",
        f"proxy>connect {RELAY}:443",
        f"proxy>tls_handshake {RELAY_NAME}:443",
    ]


async def test_trojan_over_a_websocket(trust: Trust) -> None:
    seen: list[bytes] = []
    heads: list[str] = []
    async with MemoryNetwork() as network:
        network.serve(RELAY, 443, in_tls(RELAY_NAME, in_websocket(after(TROJAN, seen), heads)))
        way = f"trojan://pass@{RELAY}:443?host={RELAY_NAME}&path=/secret&type=ws|tcp"
        await conversation(build(way, network, trust=trust))
    assert seen == [TROJAN]
    assert heads[0].startswith(f"GET /secret HTTP/1.1\r\nHost: {RELAY_NAME}\r\n")


async def test_vless_over_a_websocket_takes_the_answer_s_head_off(trust: Trust) -> None:
    seen: list[bytes] = []
    heads: list[str] = []
    async with MemoryNetwork() as network:
        inside = after(VLESS, seen, b"\x00\x03abc")
        network.serve(RELAY, 443, in_tls("front.example", in_websocket(inside, heads)))
        way = f"vless://{USER}@{RELAY}:443?host=cdn.example&path=/ray&security=tls&sni=front.example&type=ws|tcp"
        await conversation(build(way, network, trust=trust))
    assert seen == [VLESS]
    assert "Host: cdn.example" in heads[0]


async def test_a_server_that_speaks_first_is_heard(trust: Trust) -> None:
    async def banner(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(b"\x00\x00SSH-2.0")
        await silence(stream)

    async with MemoryNetwork() as network:
        network.serve(RELAY, 443, in_tls(RELAY_NAME, banner))
        way = build(f"vless://{USER}@{RELAY}:443?security=tls&sni={RELAY_NAME}&type=tcp|tcp", network, trust=trust)
        async with await measure(way, TARGET) as measured:
            assert measured.stream is not None
            assert await measured.stream.receive() == b"SSH-2.0"


@pytest.mark.parametrize(
    ("behaviour", "failure"),
    [
        (in_tls(RELAY_NAME, in_websocket(echo, [], status="404 Not Found")), "http_unexpected_status_code"),
        (in_tls(RELAY_NAME, sends(b"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: x\r\n\r\n")), "unknown_failure"),
        (in_tls(RELAY_NAME, sends(b"nonsense\r\n\r\n")), "unknown_failure"),
        (in_tls(RELAY_NAME, sends(b"")), "eof_error"),
        (in_tls("other.example", echo), "ssl_invalid_hostname"),
        (in_tls(RELAY_NAME, silence), "generic_timeout_error"),
        (resets(), "connection_reset"),
    ],
)
@pytest.mark.parametrize(
    "way",
    [
        f"vless://{USER}@{RELAY_NAME}:443?security=tls&type=ws|tcp",
        f"trojan://pass@{RELAY_NAME}:443?type=ws|tcp",
        f"ws:path=/x|tls:sni={RELAY_NAME}&certname={RELAY_NAME}|override:host={RELAY_NAME}|tcp",
    ],
)
async def test_what_fails_is_a_failure_of_the_proxy(behaviour: Behaviour, failure: str, way: str, trust: Trust) -> None:
    async with MemoryNetwork(names={RELAY_NAME: [RELAY]}) as network:
        network.serve(RELAY, 443, behaviour)
        measured = await measure(build(way, network, trust=trust), TARGET)
    assert measured.failure == failure


async def test_a_vless_server_of_another_version_breaks_the_stream(trust: Trust) -> None:
    async with MemoryNetwork() as network:
        network.serve(RELAY, 443, in_tls(RELAY_NAME, sends(b"\x07\x00x")))
        way = build(f"vless://{USER}@{RELAY}:443?security=tls&sni={RELAY_NAME}&type=tcp|tcp", network, trust=trust)
        async with await measure(way, TARGET) as measured:
            assert measured.stream is not None
            with pytest.raises(anyio.BrokenResourceError):
                await measured.stream.receive()


async def test_fronting_shows_one_name_and_verifies_another(trust: Trust) -> None:
    names: list[str | None] = []
    async with MemoryNetwork() as network:
        network.serve(RELAY, 443, in_tls("real.example", echo, names))
        target = Target(host=RELAY, port=443)
        for spec, failure in (
            ("tls:sni=decoy.example&certname=real.example|tcp", None),
            ("tls:sni=&certname=real.example|tcp", None),
            ("tls:sni=real.example&certname=wrong.example|tcp", "ssl_invalid_hostname"),
            ("tls:sni=decoy.example|tcp", "ssl_invalid_hostname"),
        ):
            async with await measure(build(spec, network, trust=trust), target) as measured:
                assert measured.failure == failure
    assert names == ["decoy.example", None, "real.example", "decoy.example"]


async def test_override_dials_elsewhere_and_forgets_the_addresses() -> None:
    async with MemoryNetwork(names={"other.example": [RELAY]}) as network:
        network.serve(RELAY, 8443, echo)
        await conversation(build("override:host=other.example&port=8443|tcp", network))
        network.serve(RELAY, 444, echo)
        known = Target(host="site.example", port=1, addresses=(RELAY,))
        async with await measure(build("override:port=444|tcp", network), known) as measured:
            assert measured.ok
    assert network.connections == [(RELAY, 8443), (RELAY, 444)]


async def test_http_asks_in_the_clear() -> None:
    seen: list[dict[str, str]] = []
    async with MemoryNetwork() as network:
        network.serve(RELAY, 3128, connect_server(seen=seen))
        steps = await conversation(build(f"http://u:p@{RELAY}:3128|tcp", network))
        network.serve(RELAY, 3129, connect_server(407))
        measured = await measure(build(f"http://{RELAY}:3129|tcp", network), TARGET)
    assert seen[0]["proxy-authorization"] == "Basic dTpw"
    assert steps == [f"proxy {RELAY}:3128", f"proxy>connect {RELAY}:3128"]
    assert measured.failure == "http_unexpected_status_code"
    assert outline(measured.attempt)[0].startswith("proxy")


@pytest.mark.parametrize(
    ("way", "named"),
    [
        ("trojan://geheim@h.example:443?type=grpc|tcp", "type=grpc"),
        ("trojan://@h.example:443|tcp", "password is missing"),
        (f"vless://{USER}@h.example:443?type=ws|tcp", "security=tls"),
        (f"vless://{USER}@h.example:443?security=reality|tcp", "exec:"),
        ("ws:tcp_path=/|tcp", "path=PATH"),
        ("ws:path=a%20b|tcp", "a space"),
        ("tls:name=x|tcp", "sni=NAME"),
        ("tls:sni=a%20b|tcp", "not a host name"),
        ("override:|tcp", "host=NAME-OR-IP"),
        ("override:port=0|tcp", "1 to 65535"),
    ],
)
def test_a_wrong_argument_is_named_without_its_secret(way: str, named: str) -> None:
    with pytest.raises(SpecError, match=named) as caught:
        build(way, MemoryNetwork())
    assert "geheim" not in str(caught.value)
    assert USER not in str(caught.value)
