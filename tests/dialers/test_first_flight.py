"""The ways that cut the first flight: exact bytes, in exact pieces, at exact times."""

import errno
import os
import socket
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import ByteStream, SocketAttribute
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.codecs.tls import cut_record, find_client_hello, middle_of_name
from rozaneh.core import DialFailed, SpecError, Target
from rozaneh.dialers import build
from rozaneh.dialers.decoy import hello_for
from rozaneh.dialers.disorder import DisorderStream
from rozaneh.dialers.first_flight import Cuts, parse_cuts
from rozaneh.dialers.split import SplitStream
from rozaneh.dialers.tlsfrag import TlsFragStream, parse_argument
from rozaneh.net import Trace, measure
from rozaneh.net.memory import MemoryNetwork, echo
from rozaneh.net.real import RealNetwork
from rozaneh.net.sockets import SocketStream, SystemSockets, bare_socket_stream
from rozaneh.net.trust import Trust
from tests.codecs.test_tls import HELLO, NAME, client_hello, records
from tests.dialers.world import SITE, ca_file, in_tls

pytestmark = pytest.mark.anyio


class Recorder(ByteStream):
    """Keeps what is sent, each send with its time."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.times: list[float] = []

    async def send(self, item: bytes) -> None:
        self.sent.append(bytes(item))
        self.times.append(anyio.current_time())

    async def receive(self, max_bytes: int = 65536) -> bytes:
        raise AssertionError(f"nothing is read in these tests, not even {max_bytes} bytes")

    async def send_eof(self) -> None:
        raise AssertionError("nothing is ended in these tests")

    async def aclose(self) -> None:
        pass


def splitting(argument: str) -> tuple[Recorder, SplitStream]:
    recorder = Recorder()
    return recorder, SplitStream(recorder, parse_cuts(argument, default_delay_ms=10))


@pytest.mark.parametrize(
    ("argument", "pieces"),
    [
        ("2", [b"ab", b"cdefghij"]),
        ("1,3", [b"a", b"bc", b"defghij"]),
        ("3,1,3", [b"a", b"bc", b"defghij"]),
        ("-1", [b"abcdefghi", b"j"]),
        ("1,-1", [b"a", b"bcdefghi", b"j"]),
        ("10", [b"abcdefghij"]),
        ("-10,-11,500", [b"abcdefghij"]),
        ("sni", [b"abcde", b"fghij"]),
    ],
)
async def test_split_cuts_the_first_flight_and_nothing_after_it(argument: str, pieces: list[bytes]) -> None:
    recorder, stream = splitting(argument)
    await stream.send(b"")
    assert stream.beneath() is None
    await stream.send(b"abcdefghij")
    assert stream.beneath() is recorder
    await stream.send(b"and the rest")
    assert recorder.sent == [b"", *pieces, b"and the rest"]


async def test_what_is_said_while_the_first_flight_leaves_does_not_overtake_it() -> None:
    recorder, stream = splitting("1,2")
    async with anyio.create_task_group() as group:
        group.start_soon(stream.send, b"abc")
        while not recorder.sent:
            await anyio.lowlevel.checkpoint()
        assert stream.beneath() is None, "part of the flight is still here"
        await stream.send(b"and the rest")
    assert recorder.sent == [b"a", b"b", b"c", b"and the rest"]


async def test_split_waits_between_the_pieces() -> None:
    recorder, stream = splitting("1,2;delay=7")
    began = anyio.current_time()
    await stream.send(b"abc")
    assert [time - began for time in recorder.times] == pytest.approx([0, 0.007, 0.014])


async def test_split_in_the_middle_of_the_name() -> None:
    recorder, stream = splitting("sni")
    await stream.send(HELLO)
    first, second = recorder.sent
    assert first + second == HELLO
    assert first.endswith(NAME[: len(NAME) // 2].encode())


async def test_split_finds_the_name_across_the_records_of_tlsfrag_above() -> None:
    recorder = Recorder()
    stream = TlsFragStream(SplitStream(recorder, parse_cuts("sni")), parse_cuts("1"))
    await stream.send(HELLO)
    first, second = recorder.sent
    assert first + second == cut_record(HELLO, [1])
    assert first.endswith(NAME[: len(NAME) // 2].encode())


def tls_fragmenting(argument: str) -> tuple[Recorder, TlsFragStream]:
    recorder = Recorder()
    return recorder, TlsFragStream(recorder, parse_cuts(argument))


@pytest.mark.parametrize(("argument", "lengths"), [("1", [1]), ("1,100", [1, 99]), ("-3", [len(HELLO) - 5 - 3])])
async def test_tlsfrag_cuts_the_first_record_in_one_send(argument: str, lengths: list[int]) -> None:
    recorder, stream = tls_fragmenting(argument)
    await stream.send(HELLO)
    (sent,) = recorder.sent
    pieces = records(sent)
    assert [len(piece) for piece in pieces[:-1]] == lengths
    assert b"".join(pieces) == HELLO[5:]


async def test_tlsfrag_puts_the_halves_of_the_name_into_two_records() -> None:
    recorder, stream = tls_fragmenting("sni")
    await stream.send(HELLO)
    first, second = records(recorder.sent[0])
    assert first.endswith(NAME[:7].encode())
    assert second.startswith(NAME[7:].encode())
    hello = find_client_hello(recorder.sent[0])
    assert hello is not None
    assert hello.server_name == NAME


async def test_tlsfrag_without_a_name_cuts_in_the_middle() -> None:
    recorder, stream = tls_fragmenting("sni")
    await stream.send(client_hello(None))
    first, second = records(recorder.sent[0])
    assert abs(len(first) - len(second)) <= 1


async def test_tlsfrag_waits_for_the_whole_record_and_passes_what_follows() -> None:
    recorder, stream = tls_fragmenting("1")
    await stream.send(HELLO[:3])
    await stream.send(HELLO[3:300])
    assert recorder.sent == []
    assert stream.beneath() is None
    await stream.send(HELLO[300:] + b"early")
    await stream.send(b"data")
    assert recorder.sent == [cut_record(HELLO, [1]) + b"early", b"data"]
    assert stream.beneath() is recorder


@pytest.mark.parametrize(("argument", "cut"), [("pad=2", []), ("sni;pad=2", ["sni"]), ("1;pad=2", [1])])
async def test_tlsfrag_puts_empty_records_in_front(argument: str, cut: list[object]) -> None:
    recorder = Recorder()
    stream = TlsFragStream(recorder, *parse_argument(argument))
    await stream.send(HELLO[:100])
    await stream.send(HELLO[100:] + b"early")
    (sent,) = recorder.sent
    assert sent.startswith(b"\x16\x03\x01\0\0" * 2)
    rest = sent[10:].removesuffix(b"early")
    assert len(records(rest)) == 1 + len(cut)
    assert b"".join(records(rest)) == HELLO[5:]


async def test_a_server_on_openssl_skips_empty_records(tmp_path: Path) -> None:
    seen: list[str | None] = []
    async with MemoryNetwork() as network:
        network.serve(SITE, 443, in_tls(NAME, echo, seen))
        trust = Trust.with_ca(ca_file(tmp_path))
        way = build(f"tls:sni={NAME}&certname={NAME}|tlsfrag:sni;pad=16|tcp", network, trust=trust)
        async with await measure(way, Target(host=SITE, port=443)) as measured:
            assert measured.failure is None
            assert seen == [NAME]


async def test_tlsfrag_passes_what_is_no_tls() -> None:
    recorder, stream = tls_fragmenting("1")
    await stream.send(b"GET / HTTP/1.1\r\n")
    assert recorder.sent == [b"GET / HTTP/1.1\r\n"]


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(-250, 250), max_size=8))
def test_offsets_are_within_and_ascend(data: bytes, positions: list[int]) -> None:
    offsets = Cuts(tuple(positions)).offsets(len(data), None)
    assert offsets == sorted(set(offsets))
    assert all(0 < at < len(data) for at in offsets)


@pytest.mark.parametrize(
    ("way", "named"),
    [
        ("split:|tcp", "expected numbers of bytes"),
        ("split|tcp", "expected numbers of bytes"),
        ("split:0|tcp", "other than 0"),
        ("split:two|tcp", "'two'"),
        ("split:99999|tcp", "'99999'"),
        ("split:1;2|tcp", "delay=MS"),
        ("split:1;delay=-1|tcp", "delay=MS"),
        ("split:1;delay=5000|tcp", "0 to 1000"),
        ("split:1;delay=" + "9" * 5000 + "|tcp", "0 to 1000"),
        ("split:" + ",".join(map(str, range(1, 100))) + "|tcp", "at most 64"),
        ("tlsfrag:1;delay=5|tcp", "positions alone"),
        ("tlsfrag:1;pad=17|tcp", "pad=16"),
        ("tlsfrag:pad=0|tcp", "pad=1"),
        ("tlsfrag:1;pad=1;pad=2|tcp", "positions alone, or pad=N"),
        ("tlsfrag:x|tcp", "'x'"),
        ("disorder:1,2|tcp", "at most 1 position,"),
    ],
)
def test_a_wrong_argument_is_named(way: str, named: str) -> None:
    with pytest.raises(SpecError, match=f"element 1 of the way.*{named}"):
        build(way, RealNetwork())


@pytest.mark.parametrize("way", ["split:1|tcp", "tlsfrag:1|split:2|tcp", "split:sni;delay=0|tcp"])
async def test_the_ways_dial_by_the_way_below(way: str) -> None:
    async with MemoryNetwork() as network:
        network.serve("93.184.216.34", 443, echo)
        dialer = build(way, network)
        assert str(dialer.spec) == way
        async with await measure(dialer, Target(host="93.184.216.34", port=443)) as measured:
            assert measured.stream is not None
            await measured.stream.send(HELLO)
            got = b""
            while len(got) < len(HELLO):
                got += await measured.stream.receive()
            assert middle_of_name(got) is not None


async def test_disorder_without_a_socket_fails_with_the_reason() -> None:
    async with MemoryNetwork() as network:
        network.serve("93.184.216.34", 443, echo)
        with pytest.raises(DialFailed, match="needs a TCP socket"):
            await build("disorder:2|tcp", network).dial(Target(host="93.184.216.34", port=443), Trace())


class Refusing(SystemSockets):
    """A system that lets nobody have raw sockets."""

    def raw_tcp(self, family: socket.AddressFamily) -> socket.socket:
        del family
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


async def test_a_decoy_wants_the_name_of_a_host() -> None:
    async with MemoryNetwork() as network:
        with pytest.raises(SpecError, match="the name is not a host name"):
            build("decoy:a b|tcp", network)


@pytest.mark.parametrize(
    ("way", "named"),
    [
        ("decoy:example.org|tcp", "not allowed here: .*CAP_NET_RAW.*Operation not permitted"),
        ("decoy|tcp", "expected NAME"),
        ("decoy:a.example;ttl=0|tcp", "N from 1 to 255"),
        ("decoy:a.example;ttl=256|tcp", "N from 1 to 255"),
    ],
)
async def test_a_decoy_that_cannot_be_is_refused_with_the_reason(way: str, named: str) -> None:
    with pytest.raises(SpecError, match=named):
        build(way, RealNetwork(Refusing()))
    async with MemoryNetwork() as network:
        with pytest.raises(DialFailed, match="not allowed here"):
            await build("decoy:example.org|tcp", network).dial(Target(host=SITE, port=443), Trace())


def test_the_hello_of_a_decoy_asks_for_its_name() -> None:
    hello = find_client_hello(hello_for("harmless.example"))
    assert hello is not None
    assert hello.server_name == "harmless.example"


class Spy:
    """Stands for a socket stream below: notes the time to live at each send."""

    def __init__(self, inner: SocketStream, option: tuple[int, int]) -> None:
        self.inner = inner
        self.raw: socket.socket = inner.extra(SocketAttribute.raw_socket)
        self.option = option
        self.seen: list[tuple[bytes, int]] = []

    async def send(self, item: bytes) -> None:
        self.seen.append((item, self.raw.getsockopt(*self.option)))
        await self.inner.send(item)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("address", "option"),
    [
        ("127.0.0.1", (socket.IPPROTO_IP, socket.IP_TTL)),
        ("::1", (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)),
    ],
)
def test_disorder_gives_the_first_piece_one_hop_to_live(address: str, option: tuple[int, int], backend: str) -> None:
    async def main() -> None:
        network = RealNetwork()
        listener = await network.listen_tcp(address, 0)
        port = listener.extra(SocketAttribute.local_port)
        async with listener, await network.connect_tcp(address, port) as below:
            assert isinstance(below, SocketStream)
            spy: Any = Spy(below, option)
            usual = spy.raw.getsockopt(*option)
            stream = DisorderStream(spy, parse_cuts("2;delay=0"), spy.raw)
            await stream.send(b"hello")
            await stream.send(b"world")
            assert spy.seen == [(b"he", 1), (b"llo", usual), (b"world", usual)]
            short: Any = Spy(below, option)
            await DisorderStream(short, parse_cuts("2"), short.raw).send(b"hi")
            assert short.seen == [(b"hi", usual)]

    anyio.run(main, backend=backend)


def test_the_socket_below_is_free_for_the_pump_after_the_first_flight() -> None:
    async def main() -> None:
        network = RealNetwork()
        listener = await network.listen_tcp("127.0.0.1", 0)
        port = listener.extra(SocketAttribute.local_port)
        way = build("tlsfrag:sni|split:2|disorder:1|tcp", network)
        async with listener, await measure(way, Target(host="127.0.0.1", port=port)) as measured:
            assert measured.stream is not None
            assert bare_socket_stream(measured.stream) is None
            await measured.stream.send(HELLO)
            assert isinstance(bare_socket_stream(measured.stream), SocketStream)

    anyio.run(main)
