"""Servers that speak nonsense, die half-way or drip: each way fails once, within its bounds, and leaves nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
import pytest
from anyio.abc import ByteStream

from rozaneh.core import Attempt, Target
from rozaneh.dialers import build
from rozaneh.net import measure
from rozaneh.net.exchange import http_get
from rozaneh.net.memory import Behaviour, MemoryNetwork, echo, sends, silence
from rozaneh.net.streams import StreamOver
from rozaneh.net.trust import Trust
from tests.dialers.test_tunnels import TROJAN, USER, VLESS, after, in_websocket
from tests.dialers.test_upstream import RELAY, RELAY_NAME, connect_server, socks_server, ss_server
from tests.dialers.world import NAME, SITE, ZONE, dns_over_http, dns_over_stream, in_tls

pytestmark = pytest.mark.anyio

PAGE = Target(host=NAME, port=80, speaks="http")
LONGEST = 60.0
"""Seconds within which all of an attempt is over, whatever its server does."""
MOST = 4 << 20
"""Bytes that are taken from a server that never stops."""
KEY = "AAECAwQFBgcICQoLDA0ODw%3D%3D"
TLS = f"security=tls&sni={RELAY_NAME}"


@dataclass(frozen=True)
class Way:
    """A way, where its server is, what an honest one does there, and inside of what a hostile one may begin."""

    spec: str
    port: int
    honest: Callable[[], Behaviour]
    inside: Sequence[Callable[[Behaviour], Behaviour]] = ()
    carries: bool = False
    """Whether it takes the first bytes that it hears for the target's."""


def tls(inside: Behaviour) -> Behaviour:
    return in_tls(RELAY_NAME, inside)


def websocket(inside: Behaviour) -> Behaviour:
    return in_websocket(inside, [])


def tls_and_websocket(inside: Behaviour) -> Behaviour:
    return tls(websocket(inside))


WAYS = {
    "socks5": Way(f"socks5://u:p@{RELAY}", 1080, lambda: socks_server([], login=("u", "p"))),
    "http": Way(f"http://{RELAY}", 80, connect_server),
    "https": Way(f"https://{RELAY_NAME}?address={RELAY}", 443, lambda: tls(connect_server()), [tls]),
    "ss": Way(f"ss://aes-256-gcm:lab@{RELAY}:8388", 8388, lambda: ss_server([])),
    "ss-2022": Way(f"ss://2022-blake3-aes-128-gcm:{KEY}@{RELAY}:8388", 8388, lambda: sends(bytes(80))),
    "trojan": Way(
        f"trojan://pass@{RELAY}:443?sni={RELAY_NAME}", 443, lambda: tls(after(TROJAN, [])), [tls], carries=True,
    ),
    "vless": Way(
        f"vless://{USER}@{RELAY}:443?{TLS}&type=ws&path=/w", 443,
        lambda: tls_and_websocket(after(VLESS, [], b"\0\0")), [tls, tls_and_websocket],
    ),
    "ws": Way(f"ws:path=/w|override:host={RELAY}", 80, lambda: websocket(echo), [websocket], carries=True),
    "doh": Way(f"doh:{RELAY_NAME}@{RELAY}", 443, lambda: tls(dns_over_http(ZONE)), [tls]),
    "dot": Way(f"dot:{RELAY_NAME}@{RELAY}", 853, lambda: tls(dns_over_stream(ZONE)), [tls]),
    "dnstcp": Way(f"dnstcp:{RELAY}", 53, lambda: dns_over_stream(ZONE)),
}  # fmt: skip


def again(begin: bytes, piece: bytes, *, every: float = 0.01, hear: bool = True) -> Behaviour:
    """Answers with a beginning, and then with the same piece for ever."""

    async def behaviour(stream: ByteStream) -> None:
        if hear:
            await stream.receive()
        await stream.send(begin)
        while piece:
            await anyio.sleep(every)
            await stream.send(piece)
        await silence(stream)

    return behaviour


A_PAGE = "a page without end"
"""Which whoever asks for a page, and for no more than its beginning, may take for one."""


async def _gone(_stream: ByteStream) -> None:
    await anyio.lowlevel.checkpoint()


HOSTILE: dict[str, Behaviour] = {
    "closes at once": _gone,
    "says nothing": silence,
    "drips": again(b"", b"\x05", every=1.0),
    "drips before it is asked": again(b"", b"H", every=1.0, hear=False),
    "drips a head": again(b"HTTP/1.1 200 OK\r\nX: ", b"y", every=1.0),
    "drips a record": again(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", b"\0", every=1.0),
    "a head without end": again(b"HTTP/1.1 101 Switching Protocols\r\n", b"X: " + b"y" * 900 + b"\r\n"),
    "early answers without end": again(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 20),
    "early answers all at once": again(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3000, every=1.0),
    "zeros without end": again(b"", bytes(1000)),
    "noise without end": again(b"", bytes(range(1, 256)) * 8),
    "a length of two gibibytes": again(b"\x82\x7f\0\0\0\0\x80\0\0\0", b"y" * 1000),
    "a frame that never fills": again(b"\x82\x7f" + (1 << 24).to_bytes(8, "big"), b"y" * 1000, every=0.1),
    "empty frames without end": again(b"", b"\x82\x00" * 500),
    "pings without end": again(b"", b"\x89\x00" * 100),
    "the longest message": again(b"\xff\xff", b"\xff" * 100, every=0.1),
    "the longest head of an answer": again(b"\x00\xff", b"y" * 100, every=0.1),
    "empty messages without end": again(b"", b"\0\0" * 100),
    "another method": again(b"\x05\x02\x01", b"\x05", every=1.0),
    "a reply of an unknown kind": again(b"\x05\x00\x05\x00\x00\x09", b"\xff" * 300, every=1.0),
    A_PAGE: again(b"HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\n\r\n", b"y" * 1000),
    "two lengths": again(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"", every=1.0),
}


class Cut(StreamOver):
    """Lets so many bytes out, and then breaks off."""

    def __init__(self, inner: ByteStream, left: int, died: anyio.Event) -> None:
        super().__init__(inner)
        self._left = left
        self._died = died

    async def send(self, item: bytes) -> None:
        piece, self._left = item[: self._left], self._left - len(item)
        if piece:
            await self._inner.send(piece)
        if self._left <= 0:
            self._died.set()
            raise anyio.EndOfStream


async def attempted(way: Way, server: Behaviour, trust: Trust) -> tuple[Attempt, float, int]:
    """What came of an attempt, after how many seconds, and how many connections its servers still hold."""
    open_ = 0

    async def counted(stream: ByteStream) -> None:
        nonlocal open_
        open_ += 1
        try:
            await server(stream)
        finally:
            open_ -= 1

    async with MemoryNetwork(names={NAME: [SITE], RELAY_NAME: [RELAY]}) as network:
        network.serve(RELAY, way.port, counted)
        began = anyio.current_time()
        measured = await measure(build(f"{way.spec}|tcp", network, trust=trust), PAGE, exchange=http_get(PAGE))
        took = anyio.current_time() - began
        await measured.aclose()
        await anyio.sleep(2.0)
        return measured.attempt, took, open_


@pytest.mark.parametrize("name", WAYS)
async def test_a_hostile_server_costs_one_attempt_and_no_more(name: str, trust: Trust) -> None:
    way = WAYS[name]
    for inside in (lambda behaviour: behaviour, *way.inside):
        for what, behaviour in HOSTILE.items():
            attempt, took, left = await attempted(way, inside(behaviour), trust)
            assert attempt.failure is not None or (what == A_PAGE and way.carries), what
            assert took <= LONGEST, what
            assert left == 0, what
            assert sum(step.received for step in attempt.observations) <= MOST, what


@pytest.mark.parametrize("name", WAYS)
async def test_a_server_that_dies_at_any_byte_costs_one_attempt(name: str, trust: Trust) -> None:
    way = WAYS[name]
    for count in range(0, 4000, 97) if way.inside else (*range(24), *range(24, 4000, 23)):
        died = anyio.Event()

        async def dies(stream: ByteStream, count: int = count, died: anyio.Event = died) -> None:
            await way.honest()(Cut(stream, count, died))

        attempt, took, left = await attempted(way, dies, trust)
        assert took <= LONGEST, count
        assert left == 0, count
        if not died.is_set():
            break
        assert attempt.failure is not None, count
    assert count, "an honest one says something"
