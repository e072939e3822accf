"""What a payload looks like: classes of protocols by their first bytes, and statistics over them."""

from rozaneh.lab.censor.parse_dns import read_message
from rozaneh.lab.censor.parse_quic import is_quic

_HTTP_STARTS = (b"GET", b"POST", b"HEAD", b"CONNECT", b"OPTIONS", b"DELETE", b"PUT")
_HTTP_NEEDS = 8
_WIREGUARD = {1: 148, 2: 92, 3: 64}
_OPENVPN_RESETS = (0x38, 0x50)

PRINTABLE = bytes(range(0x20, 0x7F))
_IS_PRINTABLE = bytes(1 if PRINTABLE[0] <= byte <= PRINTABLE[-1] else 0 for byte in range(256))


def classify(payload: bytes, *, tcp: bool, limit: int) -> str:
    """The class of protocol that the first ``limit`` bytes suggest, or ``unknown``.

    HTTP and TLS as Iran's protocol filter told them apart in 2020 (Bock et al., "Iran's new protocol filter"): HTTP
    is eight bytes or more that begin with a method, TLS is judged by its first five bytes.
    """
    data = payload[:limit]
    if len(data) >= 3 and data[0] in (20, 21, 22, 23) and data[1] == 3 and data[2] <= 4 and tcp:
        stated = (data[3] << 8) | data[4] if len(data) >= 5 else 1
        if 0 < stated <= 16384 + 256:
            return "tls"
    if tcp and len(data) >= _HTTP_NEEDS and (data.startswith(_HTTP_STARTS) or data.startswith(b"HTTP/1.")):
        return "http"
    if tcp and data.startswith(b"SSH-"):
        return "ssh"
    return _datagram_class(payload, data, tcp=tcp)


def _datagram_class(payload: bytes, data: bytes, *, tcp: bool) -> str:
    if not tcp:
        if len(data) >= 4 and data[1:4] == b"\0\0\0" and _looks_like_wireguard(payload):
            return "wireguard"
        if len(payload) in (14, 26, 42, 54, 58, 66, 86) and data[0] in _OPENVPN_RESETS:
            return "openvpn"
        if len(data) >= 5 and data[0] & 0xC0 == 0xC0 and is_quic(payload):
            return "quic"
    elif len(data) >= 3 and data[2] in _OPENVPN_RESETS and ((data[0] << 8) | data[1]) + 2 == len(payload):
        return "openvpn"
    if len(data) >= 12 and read_message(payload[2:] if tcp else payload) is not None:
        return "dns"
    return "unknown"


def _looks_like_wireguard(payload: bytes) -> bool:
    kind = payload[0]
    return _WIREGUARD.get(kind) == len(payload) or (kind == 4 and len(payload) >= 32 and len(payload) % 16 == 0)


def bits_per_byte(data: bytes) -> float:
    """Mean number of bits set per byte; 4 for random bytes."""
    return int.from_bytes(data, "big").bit_count() / len(data)


def printable_share(data: bytes) -> float:
    """Share of printable ASCII bytes."""
    return (len(data) - len(data.translate(None, PRINTABLE))) / len(data)


def first_printable(data: bytes) -> int:
    """How many bytes stand before the first that is not printable."""
    return data.translate(_IS_PRINTABLE).find(b"\0") % (len(data) + 1)


def longest_printable(data: bytes) -> int:
    """Length of the longest run of printable bytes."""
    return max(map(len, data.translate(_IS_PRINTABLE).split(b"\0")))
