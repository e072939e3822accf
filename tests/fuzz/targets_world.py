"""The parsers of the lab's own servers: they meet whatever the code under test, and real programs, send."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from rozaneh.core import RemoteFault
from rozaneh.lab.loopback.hop import parse_wish
from rozaneh.lab.topology import Service, World
from rozaneh.lab.world.directory import Directory
from rozaneh.lab.world.dns import answer, parse_question, refusal
from rozaneh.lab.world.http import parse_head
from rozaneh.lab.world.relays import authorised, parse_authority, read_destination
from rozaneh.lab.world.shadowsocks import ClearText
from rozaneh.lab.world.shadowsocks2022 import Key, read_request
from rozaneh.lab.world.tunnels import read_frame, vless_request
from rozaneh.lab.world.vpn import answer_openvpn, answer_wireguard

_DIRECTORY = Directory(World(service=(Service(kind="web", names=("*.example",), addresses=("93.184.216.34",)),)))


def fuzz_question(data: bytes) -> None:
    try:
        question = parse_question(data)
    except RemoteFault:
        refusal(data)
        return
    assert len(answer(question, _DIRECTORY, udp=True)) <= 1232
    answer(question, _DIRECTORY, udp=False)


def fuzz_request(data: bytes) -> None:
    for head in (data, b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n"):
        _faults(partial(parse_head, head))


def fuzz_authority(data: bytes) -> None:
    text = data.decode("latin-1")
    _faults(lambda: parse_authority(text))
    authorised(text, "user", "password")


def fuzz_destination(data: bytes) -> None:
    _faults(lambda: _run(read_destination(_reader(data))))


def fuzz_shadowsocks(data: bytes) -> None:
    _faults(lambda: _run(ClearText(_reader(data), "chacha20-ietf-poly1305", "password").destination()))


def fuzz_shadowsocks2022(data: bytes) -> None:
    key = Key("2022-blake3-aes-128-gcm", "AAAAAAAAAAAAAAAAAAAAAA==")
    _faults(lambda: _run(read_request(_reader(data), key, 0.0)))
    # Whoever has the key may still say nonsense.
    sealer = key.sealer(bytes(16))
    head = sealer.seal(bytes(9) + len(data).to_bytes(2, "big")) + sealer.seal(data)
    _faults(lambda: _run(read_request(_reader(bytes(16) + head), key, 0.0)))


def fuzz_tunnels(data: bytes) -> None:
    _faults(lambda: _run(vless_request(_reader(data), data[1:17])))
    _faults(lambda: _run(read_frame(_reader(data))))


def fuzz_vpn(data: bytes) -> None:
    _faults(lambda: answer_wireguard(data))
    _faults(lambda: answer_openvpn(data))


def fuzz_wish(data: bytes) -> None:
    _faults(lambda: parse_wish(data))


def _faults(parse: Callable[[], Any]) -> None:
    try:
        parse()
    except (RemoteFault, EOFError):
        return


def _reader(data: bytes) -> Callable[[int], Awaitable[bytes]]:
    left = bytearray(data)

    async def read(count: int) -> bytes:
        if len(left) < count:
            raise EOFError
        part = bytes(left[:count])
        del left[:count]
        return part

    return read


def _run(work: Any) -> Any:
    """Nothing here waits, so no event loop is needed: the first step is the last."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("a parser waited for something else than its reader")
