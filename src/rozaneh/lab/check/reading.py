"""From what a program printed to one word: what the client got.

Exit codes of curl are those of its manual; openssl and dig say it in text alone. The words are those of
:mod:`rozaneh.lab.matrix.outcome`, so that a scenario says the same thing of a program and of a way.
"""

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from types import MappingProxyType

import msgspec

from rozaneh.core import Failure, Target
from rozaneh.lab.check.clients import Call
from rozaneh.lab.matrix.outcome import answer_of, is_throttled

TIMED_OUT = -1
"""The exit code of a program that had to be ended."""

_CURL_CODES: Mapping[int, str] = MappingProxyType(
    {
        6: Failure.DNS_NXDOMAIN_ERROR,
        7: Failure.CONNECTION_REFUSED,
        28: Failure.GENERIC_TIMEOUT_ERROR,
        35: Failure.SSL_FAILED_HANDSHAKE,
        52: Failure.EOF_ERROR,
        56: Failure.CONNECTION_RESET,
        60: Failure.SSL_UNKNOWN_AUTHORITY,
    }
)
_TEXTS: tuple[tuple[str, str], ...] = (
    ("errno=104", Failure.CONNECTION_RESET),
    ("reset by peer", Failure.CONNECTION_RESET),
    ("connection reset", Failure.CONNECTION_RESET),
    ("errno=111", Failure.CONNECTION_REFUSED),
    ("connection refused", Failure.CONNECTION_REFUSED),
    ("errno=113", Failure.HOST_UNREACHABLE),
    ("no route to host", Failure.HOST_UNREACHABLE),
    ("host is unreachable", Failure.HOST_UNREACHABLE),
    ("network is unreachable", Failure.NETWORK_UNREACHABLE),
    ("destination net unreachable", Failure.NETWORK_UNREACHABLE),
    ("no route", Failure.NETWORK_UNREACHABLE),
    ("destination host unreachable", Failure.HOST_UNREACHABLE),
    ("address unreachable", Failure.HOST_UNREACHABLE),
    ("packet filtered", Failure.HOST_UNREACHABLE),
    ("administratively prohibited", Failure.HOST_UNREACHABLE),
    ("permission denied", Failure.HOST_UNREACHABLE),
    ("no alternative certificate subject name", Failure.SSL_INVALID_HOSTNAME),
    ("hostname mismatch", Failure.SSL_INVALID_HOSTNAME),
    ("unable to get local issuer", Failure.SSL_UNKNOWN_AUTHORITY),
    ("self-signed certificate", Failure.SSL_UNKNOWN_AUTHORITY),
    ("self signed certificate", Failure.SSL_UNKNOWN_AUTHORITY),
    ("unexpected eof", Failure.EOF_ERROR),
    ("status: nxdomain", Failure.DNS_NXDOMAIN_ERROR),
    ("status: servfail", Failure.DNS_SERVFAIL_ERROR),
    ("status: refused", Failure.DNS_REFUSED_ERROR),
    ("no servers could be reached", Failure.GENERIC_TIMEOUT_ERROR),
    ("timed out", Failure.GENERIC_TIMEOUT_ERROR),
)
_CURL_FACTS = re.compile(r"\[curl\] HTTP (\d+) from \S* in ([\d.]+) s, (\d+) bytes, rate ([\d.]+), to (\S*)")
_HOST_HEADER = re.compile(r"-H Host:(\S+)")
_RATE = re.compile(r"^(\d+) bytes, rate (\d+)", re.MULTILINE)
_OWN = re.compile(r"^outcome: (\w+)$", re.MULTILINE)
_RECORD = re.compile(r"^\S+\s+\d+\s+IN\s+A\s+(\S+)$", re.MULTILINE)
_TIMED_ANSWER = re.compile(r"^([\d.]+) after", re.MULTILINE)
_STATUS = re.compile(r"^HTTP (\d+)$", re.MULTILINE)
_PING = re.compile(r"(\d+)(?:\.\d+)?% packet loss")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a program did.

    Attributes:
        code: its exit code, or :data:`TIMED_OUT`.
        text: what it printed, both channels.
        rate: bytes per second of a download or upload, where it says so.
        size: bytes of it.
    """

    code: int
    text: str
    rate: float = 0.0
    size: int = 0


def seen(code: int, text: str) -> Seen:
    """Take the figures out of a program's output."""
    facts, speed = _CURL_FACTS.search(text), _RATE.search(text)
    if facts:
        return Seen(code=code, text=text, rate=float(facts[4]), size=int(facts[3]))
    return Seen(code=code, text=text, rate=float(speed[2]) if speed else 0.0, size=int(speed[1]) if speed else 0)


def outcome_of(call: Call, result: Seen, truth: Mapping[str, Sequence[str]], usual_rate: float | None) -> str:
    """What the client got.

    Args:
        call: what was run.
        result: what it did.
        truth: every name of the lab's world with its addresses.
        usual_rate: bytes per second of the same transfer without the scenario, where known.
    """
    if result.code == TIMED_OUT:
        return Failure.GENERIC_TIMEOUT_ERROR
    found = _READERS.get(call.client.name, _own)(call, result, truth)
    if found == "ok" and is_throttled(result.rate, result.size, usual_rate):
        return "throttled"
    return found


def _curl(call: Call, result: Seen, _truth: Mapping[str, Sequence[str]]) -> str:
    facts = _CURL_FACTS.search(result.text)
    if result.code == 0 and facts:
        host = _HOST_HEADER.search(call.text)
        site = msgspec.structs.replace(call.target, host=host[1]) if host else call.target
        return answer_of(int(facts[1]), facts[5], result.text[: facts.start()], site, int(facts[3]))
    usual = _CURL_CODES.get(result.code, Failure.UNKNOWN_FAILURE)
    if result.code in (7, 35, 56, 60):
        return _by_text(result.text, usual)
    return usual


def _openssl(_call: Call, result: Seen, _truth: Mapping[str, Sequence[str]]) -> str:
    # It says so too where no certificate ever came; a cipher was agreed on only in a handshake.
    if "Verify return code: 0 (ok)" in result.text and "Cipher is (NONE)" not in result.text:
        return "ok"
    return _by_text(result.text, Failure.SSL_FAILED_HANDSHAKE)


def _dig(call: Call, result: Seen, truth: Mapping[str, Sequence[str]]) -> str:
    answers = _RECORD.findall(result.text)
    if answers:
        return _true_or_forged(call.target, answers, truth)
    return _by_text(result.text, Failure.DNS_NO_ANSWER)


def _dns(call: Call, result: Seen, truth: Mapping[str, Sequence[str]]) -> str:
    found = _own(call, result, truth)
    answers = _TIMED_ANSWER.findall(result.text)
    return _true_or_forged(call.target, answers[:1], truth) if found == "ok" and answers else found


def _ping(_call: Call, result: Seen, _truth: Mapping[str, Sequence[str]]) -> str:
    lost = _PING.search(result.text)
    if lost is None:
        return _by_text(result.text, Failure.UNKNOWN_FAILURE)
    if int(lost[1]) == 100:
        return _by_text(result.text, Failure.GENERIC_TIMEOUT_ERROR)
    return "degraded" if int(lost[1]) else "ok"


def _own(call: Call, result: Seen, _truth: Mapping[str, Sequence[str]]) -> str:
    found = _OWN.findall(result.text)
    if not found:
        return Failure.UNKNOWN_FAILURE
    if found[-1] != "answer":
        return str(found[-1])
    status = _STATUS.search(result.text)
    return answer_of(int(status[1]) if status else 0, "", result.text, call.target, 0)


def _true_or_forged(target: Target, answers: Sequence[str], truth: Mapping[str, Sequence[str]]) -> str:
    known = {ip_address(address) for address in truth.get(target.host, ())}
    return "ok" if known and all(ip_address(answer) in known for answer in answers) else "forged"


def _by_text(text: str, otherwise: str) -> str:
    lowered = text.lower()
    return next((word for part, word in _TEXTS if part in lowered), otherwise)


_READERS = {"curl": _curl, "dig": _dig, "dns": _dns, "openssl": _openssl, "ping": _ping}
