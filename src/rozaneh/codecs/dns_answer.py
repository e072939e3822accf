"""Answering a DNS question for addresses, as bytes in and bytes out: for a client that asks us in datagrams."""

import struct

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import msgspec

from rozaneh.core import RemoteFault, TargetError
from rozaneh.core.target import clean_host

__all__ = ["Asked", "answer", "read_question"]

_LONGEST = 4096
_KINDS = {dns.rdatatype.A: 4, dns.rdatatype.AAAA: 6}
_EMPTY = {dns.rdatatype.HTTPS, dns.rdatatype.SVCB}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question.

    Attributes:
        host: the name, in A-label form.
        version: 4 or 6, of the addresses that are wanted; 0 for a record that is answered with none; -1 for one that is
            not known here.
        message: the question as it came.
    """

    host: str
    version: int
    message: bytes


def read_question(message: bytes) -> Asked:
    """Read a question.

    Raises:
        RemoteFault: the bytes are no question, or not for one name.
    """
    read = _read(message)
    if len(read.question) != 1 or read.flags & dns.flags.QR or read.opcode():
        raise RemoteFault("not one question")
    (asked,) = read.question
    try:
        host = clean_host(asked.name.to_text(omit_final_dot=True))
    except TargetError as error:
        raise RemoteFault(str(error)) from error
    known = asked.rdclass == dns.rdataclass.IN
    empty = 0 if asked.rdtype in _EMPTY else -1
    return Asked(host=host, version=_KINDS.get(asked.rdtype, empty) if known else -1, message=message)


def answer(asked: Asked, addresses: tuple[str, ...], ttl: int, *, failed: str = "") -> bytes:
    """The answer.

    Args:
        asked: what to answer.
        addresses: of both families; those that were asked for are taken.
        ttl: seconds for which they hold.
        failed: a response code such as ``NXDOMAIN``; empty for success.
    """
    made = dns.message.make_response(_read(asked.message), recursion_available=True)
    code = failed or ("NOTIMP" if asked.version < 0 else "NOERROR")
    made.set_rcode(dns.rcode.from_text(code))
    wanted = [each for each in addresses if (6 if ":" in each else 4) == asked.version]
    if code == "NOERROR" and wanted:
        name = made.question[0].name
        made.answer.append(dns.rrset.from_text_list(name, ttl, "IN", made.question[0].rdtype, wanted))
    return made.to_wire()


def _read(message: bytes) -> dns.message.Message:
    if len(message) > _LONGEST:
        raise RemoteFault("longer than any question")
    try:
        return dns.message.from_wire(message, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        raise RemoteFault(f"not a DNS message: {error}") from error
