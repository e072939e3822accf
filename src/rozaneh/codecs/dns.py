"""DNS questions for addresses and the answers to them (RFC 1035, RFC 3596), as bytes in and values out.

:func:`question` and :func:`parse` are one message each, by dnspython. :class:`Lookup` holds the two questions that a
name needs, for A and for AAAA, until both are answered; whoever carries the bytes decides how long to wait.
"""

import struct
from typing import Literal, get_args

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import msgspec
from dns.flags import QR, TC

from rozaneh.core import Failure, RemoteFault

Kind = Literal["A", "AAAA"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_MOST_ADDRESSES = 32
_LARGEST_MESSAGE = 65535
_PADDING = 128  # RFC 8467 section 4.1: encrypted questions are padded to a multiple of 128 octets

_FAILURE_OF_RCODE = {
    "NXDOMAIN": Failure.DNS_NXDOMAIN_ERROR,
    "REFUSED": Failure.DNS_REFUSED_ERROR,
    "SERVFAIL": Failure.DNS_SERVFAIL_ERROR,
}


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What one message answered.

    Attributes:
        kind: the record type that was asked for.
        addresses: the addresses of that type in the answer section, at most 32.
        rcode: the response code by its name, for instance ``NXDOMAIN``.
        ttl: the smallest time to live among the answers, in seconds; 0 when there is none.
        truncated: whether the rest has to be fetched over TCP.
    """

    kind: Kind
    addresses: tuple[str, ...]
    rcode: str
    ttl: int
    truncated: bool

    @property
    def failure(self) -> Failure | None:
        """The failure that this response stands for; none when it gives an address."""
        if self.addresses:
            return None
        if self.rcode == "NOERROR":
            return Failure.DNS_NO_ANSWER
        return _FAILURE_OF_RCODE.get(self.rcode, Failure.DNS_SERVER_MISBEHAVING)


def question(host: str, kind: Kind, identifier: int, *, padded: bool = False) -> bytes:
    """The bytes of one question.

    Args:
        host: a host name in A-label form.
        kind: the record type to ask for.
        identifier: 0 to 65535; 0 over HTTPS (RFC 8484 section 4.1).
        padded: whether to pad, as is right under encryption.

    Raises:
        RemoteFault: the name cannot stand in a DNS message.
    """
    try:
        made = dns.message.make_query(host, kind, id=identifier)
        if padded:
            made.use_edns(0, pad=_PADDING)
        return made.to_wire()
    except dns.exception.DNSException as error:
        raise RemoteFault(f"not a name that DNS can carry: {host[:60]!r} ({error})") from error


def parse(message: bytes, host: str, kind: Kind, identifier: int) -> Response:
    """Read the answer to one question.

    Raises:
        RemoteFault: the bytes are no DNS response, or not the one to this question.
    """
    read = _read(message)
    if read.id != identifier or not read.flags & QR:
        raise RemoteFault("not the answer to this question: another identifier, or a question itself")
    asked = read.question[0] if read.question else None
    if asked is None or asked.rdtype != dns.rdatatype.from_text(kind) or asked.name != dns.name.from_text(host):
        raise RemoteFault("not the answer to this question: it repeats another one")
    return _response(read, kind)


def _read(message: bytes) -> dns.message.Message:
    if len(message) > _LARGEST_MESSAGE:
        raise RemoteFault(f"a DNS message has at most {_LARGEST_MESSAGE} bytes, this one has {len(message)}")
    try:
        return dns.message.from_wire(message, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        raise RemoteFault(f"not a DNS message: {error}") from error


def _response(read: dns.message.Message, kind: Kind) -> Response:
    wanted = dns.rdatatype.from_text(kind)
    sets = [found for found in read.answer if (found.rdclass, found.rdtype) == (dns.rdataclass.IN, wanted)]
    addresses = [record.address for found in sets for record in found]
    return Response(
        kind=kind,
        addresses=tuple(dict.fromkeys(addresses))[:_MOST_ADDRESSES],
        rcode=dns.rcode.to_text(read.rcode()),
        ttl=min((found.ttl for found in sets), default=0),
        truncated=bool(read.flags & TC),
    )


class Lookup:
    """The two questions for the addresses of one name, and what came back.

    Args:
        host: the name to look up.
        identifiers: the identifier of each question; over UDP they must be unpredictable.
        padded: whether to pad the questions.
    """

    def __init__(self, host: str, identifiers: tuple[int, int], *, padded: bool = False) -> None:
        self.host = host
        self.questions = {
            kind: question(host, kind, identifier, padded=padded)
            for kind, identifier in zip(KINDS, identifiers, strict=True)
        }
        self.responses: dict[Kind, Response] = {}
        self.late: list[str] = []
        self._identifiers = dict(zip(KINDS, identifiers, strict=True))

    @property
    def unanswered(self) -> dict[Kind, bytes]:
        """The questions that still wait, as bytes."""
        return {kind: message for kind, message in self.questions.items() if kind not in self.responses}

    @property
    def complete(self) -> bool:
        """Whether both questions are answered."""
        return len(self.responses) == len(KINDS)

    @property
    def addresses(self) -> list[str]:
        """All addresses, those of IPv4 first."""
        return [address for kind in KINDS if kind in self.responses for address in self.responses[kind].addresses]

    @property
    def failure(self) -> Failure | None:
        """None when there is an address; else the failure of the first question that was answered."""
        if self.addresses:
            return None
        failures = [self.responses[kind].failure for kind in KINDS if kind in self.responses]
        return failures[0] if failures else Failure.GENERIC_TIMEOUT_ERROR

    @property
    def ttl(self) -> int:
        """The smallest time to live, in seconds; 0 when there is no address."""
        return min((response.ttl for response in self.responses.values() if response.addresses), default=0)

    @property
    def rcode(self) -> str:
        """The response code of the first question that was answered; empty before."""
        return next((self.responses[kind].rcode for kind in KINDS if kind in self.responses), "")

    def receive(self, message: bytes) -> Response:
        """Take a message. The first answer to a question wins; the addresses of later ones are kept in ``late``.

        A truncated response is returned and not kept: the caller fetches the whole one over TCP.

        Raises:
            RemoteFault: the message answers neither question.
        """
        for kind, identifier in self._identifiers.items():
            try:
                response = parse(message, self.host, kind, identifier)
            except RemoteFault as fault:
                refused = fault
                continue
            if kind in self.responses:
                known = {*self.responses[kind].addresses, *self.late}
                self.late.extend(address for address in response.addresses if address not in known)
            elif not response.truncated:
                self.responses[kind] = response
            return response
        raise refused
