"""DNS as an inspector reads it, and the answers that injectors forge: RFC 1035, 7766 (over TCP), 9460 (HTTPS)."""

import struct
from dataclasses import dataclass

A, CNAME, AAAA, HTTPS = 1, 5, 28, 65
RCODES = {"noerror": 0, "empty": 0, "formerr": 1, "servfail": 2, "nxdomain": 3, "refused": 5}
_MOST_LABELS = 128
_MOST_ANSWERS = 64


@dataclass(slots=True, frozen=True)
class Message:
    """What an inspector needs of a DNS message.

    Attributes:
        query_id: the identifier, as its two bytes.
        is_answer: whether it is an answer.
        recursion: whether recursion was asked for.
        rcode: response code.
        qname: name of the first question, lower case, without the last dot.
        qtype: its type.
        question: bytes of the first question.
        answers: addresses in A and AAAA records of the answer section.
    """

    query_id: bytes
    is_answer: bool
    recursion: bool
    rcode: int
    qname: str
    qtype: int
    question: bytes
    answers: tuple[bytes, ...]


def read_message(data: bytes) -> Message | None:
    """Read a DNS message; ``None`` if the bytes are not one with a question."""
    if len(data) < 17 or (data[2] >> 3) & 15 or data[4:6] != b"\0\1":
        return None
    name, at = _name(data, 12)
    if name is None or at + 4 > len(data):
        return None
    qtype = (data[at] << 8) | data[at + 1]
    is_answer = bool(data[2] & 0x80)
    if not is_answer and data[6:8] != b"\0\0":
        return None
    return Message(
        query_id=data[:2],
        is_answer=is_answer,
        recursion=bool(data[2] & 1),
        rcode=data[3] & 15,
        qname=name,
        qtype=qtype,
        question=data[12 : at + 4],
        answers=_answers(data, at + 4) if is_answer else (),
    )


def _name(data: bytes, at: int) -> tuple[str | None, int]:
    labels: list[str] = []
    for _ in range(_MOST_LABELS):
        if at >= len(data):
            return None, at
        length = data[at]
        if length == 0:
            return ".".join(labels).lower(), at + 1
        if length > 63 or at + 1 + length > len(data):
            return None, at
        labels.append(data[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    return None, at


def _skip_name(data: bytes, at: int) -> int:
    for _ in range(_MOST_LABELS):
        if at >= len(data) or data[at] == 0:
            return at + 1
        if data[at] >= 192:
            return at + 2
        at += 1 + data[at]
    return len(data)


def _answers(data: bytes, at: int) -> tuple[bytes, ...]:
    found = []
    for _ in range(min((data[6] << 8) | data[7], _MOST_ANSWERS)):
        at = _skip_name(data, at)
        if at + 10 > len(data):
            break
        kind, _, _, length = struct.unpack_from("!HHIH", data, at)
        content = data[at + 10 : at + 10 + length]
        if (kind, len(content)) in ((A, 4), (AAAA, 16)):
            found.append(content)
        at += 10 + length
    return tuple(found)


def forge_answer(
    query: Message, *, rcode: int = 0, addresses: tuple[bytes, ...] = (), cname: str = "", ttl: int = 300
) -> bytes:
    """An answer to a query. EDNS of the query is not repeated, so there is no additional section."""
    records = b""
    owner = b"\xc0\x0c"
    if cname:
        target = _encoded(cname)
        records += owner + struct.pack("!HHIH", CNAME, 1, ttl, len(target)) + target
        owner = target
    for address in addresses:
        kind = A if len(address) == 4 else AAAA
        records += owner + struct.pack("!HHIH", kind, 1, ttl, len(address)) + address
    count = len(addresses) + bool(cname)
    flags = 0x8080 | (0x0100 if query.recursion else 0) | rcode
    return query.query_id + struct.pack("!HHHHH", flags, 1, count, 0, 0) + query.question + records


def _encoded(name: str) -> bytes:
    labels = [
        label.encode("idna" if not label.isascii() else "ascii")[:63] for label in name.strip(".").split(".") if label
    ]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def over_tcp(data: bytes) -> bytes | None:
    """The first message of a DNS stream over TCP, without its length; ``None`` while it is not all there."""
    if len(data) < 2:
        return None
    length = (data[0] << 8) | data[1]
    return data[2 : 2 + length] if 12 <= length <= len(data) - 2 else None
