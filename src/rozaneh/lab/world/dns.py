"""The resolvers' side of DNS: read a question, write the answer of the lab's world (RFC 1035, 6891, 9460).

No input or output here. The whole world is one zone; there is no recursion and no delegation to model.
"""

import struct
from ipaddress import ip_address

import msgspec

from rozaneh.core import RemoteFault
from rozaneh.lab.world.directory import Directory, option_flag

A, SOA, AAAA, OPT, HTTPS = 1, 6, 28, 41, 65
_NOERROR, _FORMERR, _NXDOMAIN, _NOTIMP = 0, 1, 3, 4
_TTL = 300
_SMALLEST = 512
_LARGEST_UDP = 1232
_LONGEST_MESSAGE = 65_535
_HEADER = struct.Struct("!6H")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question.

    Attributes:
        ident: the message's id.
        flags: the second word of the header.
        name: lower-case, without the last dot.
        kind: the type asked for.
        raw: the question section as it came, so that the answer mirrors its upper and lower case.
        udp_size: the answer's limit that EDNS stated, or none without EDNS.
    """

    ident: int
    flags: int
    name: str
    kind: int
    raw: bytes
    udp_size: int | None


def parse_question(message: bytes) -> Question:
    """Read a query.

    Raises:
        RemoteFault: it is not a query with exactly one question of class IN.
    """
    if not _HEADER.size <= len(message) <= _LONGEST_MESSAGE:
        raise RemoteFault("a DNS message of this length does not exist")
    ident, flags, questions, answers, authorities, additional = _HEADER.unpack_from(message)
    if flags & 0x8000 or questions != 1 or answers or authorities:
        raise RemoteFault("not a DNS query with one question")
    labels, end = _labels(message, _HEADER.size)
    if len(message) < end + 4:
        raise RemoteFault("the DNS question is cut off")
    kind, group = struct.unpack_from("!HH", message, end)
    if group != 1:
        raise RemoteFault("not a DNS question about the internet")
    end += 4
    return Question(
        ident=ident,
        flags=flags,
        name=b".".join(labels).decode("latin-1").lower(),
        kind=kind,
        raw=message[_HEADER.size : end],
        udp_size=_edns_size(message, end) if additional else None,
    )


def _labels(message: bytes, start: int) -> tuple[list[bytes], int]:
    labels: list[bytes] = []
    at = start
    while True:
        length = message[at] if at < len(message) else 0xFF
        if length == 0:
            return labels, at + 1
        if length > 63 or at + 1 + length > len(message) or at - start > 254:
            raise RemoteFault("the DNS name is malformed")
        labels.append(message[at + 1 : at + 1 + length])
        at += 1 + length


def _edns_size(message: bytes, at: int) -> int | None:
    if len(message) < at + 11 or message[at] != 0:
        return None
    kind, size = struct.unpack_from("!HH", message, at + 1)
    return max(_SMALLEST, size) if kind == OPT else None


def answer(question: Question, directory: Directory, *, udp: bool) -> bytes:
    """The answer to a question; over UDP cut to what the asker takes, with the flag that says so."""
    records, code = _records(question, directory)
    response = _message(question, records, code)
    limit = min(question.udp_size or _SMALLEST, _LARGEST_UDP)
    if udp and len(response) > limit:
        return _message(question, [], code, truncated=True)
    return response


def refusal(message: bytes) -> bytes | None:
    """What a resolver says to bytes that are no question: format error, or nothing if there is no header."""
    if len(message) < _HEADER.size or message[2] & 0x80:
        return None
    return message[:2] + struct.pack("!5H", 0x8080 | _FORMERR, 0, 0, 0, 0)


def _records(question: Question, directory: Directory) -> tuple[list[bytes], int]:
    if question.flags & 0x7800:
        return [], _NOTIMP
    addresses = directory.addresses(question.name)
    if addresses is None:
        return [], _NOERROR if directory.exists_below(question.name) else _NXDOMAIN
    if question.kind in (A, AAAA):
        version = 4 if question.kind == A else 6
        parsed = [ip_address(text) for text in addresses]
        return [_record(question.kind, ip.packed) for ip in parsed if ip.version == version], _NOERROR
    if question.kind == HTTPS and any(_speaks_http3(directory, address, question.name) for address in addresses):
        return [_record(HTTPS, b"\0\x01\0" + b"\0\x01\0\x03\x02h3")], _NOERROR
    return [], _NOERROR


def _speaks_http3(directory: Directory, address: str, name: str) -> bool:
    service = directory.site(address, name)
    return service is not None and service.kind == "web" and option_flag(service, "http3", otherwise=True)


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("!HHHIH", 0xC000 | _HEADER.size, kind, 1, _TTL, len(data)) + data


_AUTHORITY = (
    b"\0"
    + struct.pack("!HHI", SOA, 1, _TTL)
    + struct.pack("!H", 2 * 1 + 20)
    + b"\0\0"
    + struct.pack("!5I", 1, 3600, 600, 86400, _TTL)
)


def _message(question: Question, records: list[bytes], code: int, *, truncated: bool = False) -> bytes:
    flags = 0x8080 | (question.flags & 0x0100) | (0x0200 if truncated else 0) | code
    negative = [_AUTHORITY] if not records and not truncated else []
    edns = [b"\0" + struct.pack("!HHIH", OPT, _LARGEST_UDP, 0, 0)] if question.udp_size is not None else []
    head = _HEADER.pack(question.ident, flags, 1, len(records), len(negative), len(edns))
    return head + question.raw + b"".join([*records, *negative, *edns])
