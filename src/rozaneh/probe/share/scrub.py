"""Removing what is private from a measurement, and refusing to let it go where that did not work."""

import base64
import binascii
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import dns.edns
import dns.exception
import dns.message
import msgspec

from rozaneh.core import LocalFault
from rozaneh.probe.share.forms import Finder
from rozaneh.probe.share.private import Private
from rozaneh.words import later

SCRUBBED = "[scrubbed]"
"""What stands in place of what was removed; OONI's own word for it."""

_DEEPEST = 64
_SECRET_HEADERS = frozenset(
    ("authorization", "cf-connecting-ip", "cookie", "date", "expires", "forwarded", "proxy-authorization", "set-cookie",
     "set-cookie2", "true-client-ip", "via", "x-client-ip", "x-forwarded-for", "x-real-ip")
)  # fmt: skip
"""Headers whose value is private, names the client, or tells the minute, whatever it is."""

_LINK_HEADERS = frozenset(("location", "content-location", "refresh", "referer", "link"))
_TOKEN = re.compile(r"[A-Za-z0-9_\-.~%]{24,}")
_NEVER_SHARED = ("probe_city", "probe_id")
_BASE64_KEYS = frozenset(("raw_response", "data"))


class NotScrubbed(LocalFault):
    """Something private would have left, so nothing does."""


def scrub(measurement: dict[str, Any], private: Private) -> dict[str, Any]:
    """A copy of a measurement without what is private.

    Addresses, names and hardware addresses are removed wherever they stand. So are cookies, credentials and headers
    that name the client; the query and tokens of redirects; the client's subnet in DNS messages; and the whole of a
    text or a piece of binary data in which something private is found only when it is decoded.

    Args:
        measurement: as OONI's data format has it.
        private: what must not leave.

    Raises:
        NotScrubbed: it is nested more deeply than any measurement is.
    """
    kept = {key: value for key, value in measurement.items() if key not in _NEVER_SHARED}
    kept["probe_ip"] = "127.0.0.1"
    done = _Scrubber(private).value(kept, 0)
    if not isinstance(done, dict):
        raise NotScrubbed(later("not a measurement"))
    return done


def vouch(data: bytes, private: Private) -> None:
    """Look at the very bytes that would leave, once more.

    Raises:
        NotScrubbed: something private is in them.
    """
    finder = Finder(private)
    try:
        value = msgspec.json.decode(data)
        text = data.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotScrubbed(later("what would be shared is not JSON")) from error
    if finder.spans(text) or any(finder.hidden(each) for each in _texts(value)):
        raise NotScrubbed(
            later(
                "what would be shared still holds an address or a name of yours, "
                "so nothing is shared: please report this"
            )
        )


def _texts(value: Any) -> list[str]:
    """All texts in a value, keys among them."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            found.append(each)
        elif isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
    return found


class _Scrubber:
    def __init__(self, private: Private) -> None:
        self._finder = Finder(private)

    def value(self, value: Any, depth: int) -> Any:
        """Any part of a measurement."""
        if depth > _DEEPEST:
            raise NotScrubbed(
                later("a measurement that is nested more than {deepest} deep is not shared", deepest=_DEEPEST)
            )
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            return 0 if self._finder.number(int(value)) else value
        if isinstance(value, list):
            return [self.value(each, depth + 1) for each in value]
        if isinstance(value, dict):
            return self._object(value, depth)
        raise NotScrubbed(later("a measurement holds no {name}", name=type(value).__name__))

    def _object(self, value: dict[str, Any], depth: int) -> Any:
        if value.get("format") == "base64" and isinstance(value.get("data"), str):
            return SCRUBBED if self._in_base64(value["data"]) else value
        made = {}
        for key, each in value.items():
            made[self.text(key)] = self._field(key, each, depth)
        return made

    def _field(self, key: str, value: Any, depth: int) -> Any:
        if key == "headers" and isinstance(value, dict):
            return {self.text(name): self._header(name, each, depth) for name, each in value.items()}
        if key == "headers_list" and isinstance(value, list):
            return [self._pair(each, depth) for each in value]
        if key == "raw_response" and isinstance(value, str):
            return self._message(value)
        if key in _BASE64_KEYS and isinstance(value, str) and self._in_base64(value):
            return SCRUBBED
        return self.value(value, depth + 1)

    def _pair(self, pair: Any, depth: int) -> Any:
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str):
            return [self.text(pair[0]), self._header(pair[0], pair[1], depth)]
        return self.value(pair, depth + 1)

    def _header(self, name: str, value: Any, depth: int) -> Any:
        if name.lower() in _SECRET_HEADERS:
            return SCRUBBED
        if name.lower() in _LINK_HEADERS and isinstance(value, str):
            return self.text(without_tokens(value))
        return self.value(value, depth + 1)

    def text(self, text: str) -> str:
        """A text: the private parts of it, or all of it where they are hidden in an encoding."""
        made = text
        for start, end in reversed(self._finder.spans(text)):
            made = made[:start] + SCRUBBED + made[end:]
        return SCRUBBED if self._finder.hidden(made) else made

    def _in_base64(self, text: str) -> bool:
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return self._finder.hidden(text)
        return self._finder.holds(data) or self._finder.hidden(text)

    def _message(self, text: str) -> str:
        """A DNS message. One that tells the client's subnet goes, and so does one that cannot be read."""
        try:
            message = dns.message.from_wire(base64.b64decode(text, validate=True), ignore_trailing=True)
        except (binascii.Error, ValueError, dns.exception.DNSException):
            return SCRUBBED
        subnet = any(option.otype == dns.edns.OptionType.ECS for option in message.options)
        return SCRUBBED if subnet or self._in_base64(text) else text


def without_tokens(link: str) -> str:
    """A link without its query, its fragment and what looks like a token in its path."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return SCRUBBED
    path = _TOKEN.sub(SCRUBBED, parts.path)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, path, SCRUBBED if parts.query else "", ""))
