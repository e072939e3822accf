"""Files that list many ways: lines of links, the same in base64, Clash-like YAML, Outline's smart dialer, a .conf.

And the texts of several QR codes that make up one of these.

A wrong entry is named by its place and left out; the others are kept. Nothing here is fetched and nothing is started.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator

import msgspec
import yaml

from rozaneh.core import SpecError
from rozaneh.links import clash, outline, parts, wireguard
from rozaneh.links.given import Given, given, parse
from rozaneh.links.refused import Kind, LinkError, kind_of
from rozaneh.links.text import clean_edges
from rozaneh.words import later, text_of

LONGEST_FILE = 1 << 20
"""Bytes of a file that lists ways."""

MOST_LINES = 5000
_COMMENTS = ("#", "//", ";")
_HTML = re.compile(r"\s*<(!doctype|html|head|body)\b", re.IGNORECASE)
# Links that stand on one line, as some chats leave them: the second would be the end of the first one's name.
_TOGETHER = re.compile(r"[\s,]+(?=(?:ss|ssr|trojan|vless|vmess|hy2|hysteria2?|tuic|socks5?)://)")
_LINE = re.compile(r"line [0-9]+")


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that was left out.

    Attributes:
        place: where it stands: a line, or an entry of a list.
        reason: why; it repeats no secret.
        kind: the same in a word.
        line: of the text, from 1; 0 where it is not one line.
    """

    place: str
    reason: str
    kind: Kind = Kind.MISTAKEN
    line: int = 0


def read(text: str) -> tuple[list[Given], list[Wrong]]:
    """Everything in a text, in order and each once, and what is wrong in it.

    What was shown as several QR codes is put together first (:mod:`rozaneh.links.parts`).

    Of one that is too long its beginning is read, and the rest is said to be left out.
    """
    found: dict[str, Given] = {}
    wrong: list[Wrong] = []
    if len(text) > LONGEST_FILE:
        text = _beginning(text)
        most = later("of a list at most {most} characters are read", most=LONGEST_FILE)
        wrong.append(Wrong(place=later("the rest"), reason=most))
    for place, entry in _all_entries(text.lstrip("\ufeff")):
        if isinstance(entry, SpecError):
            line = int(place.removeprefix("line ")) if _LINE.fullmatch(place) else 0
            wrong.append(Wrong(place=place, reason=text_of(entry), kind=kind_of(entry), line=line))
        else:
            found.setdefault(entry.text, entry)
    return list(found.values()), wrong


def _beginning(text: str) -> str:
    """As much of a text as is read: whole lines, or whole groups of base64."""
    begun = text[:LONGEST_FILE]
    lines, _, _ = begun.rpartition("\n")
    bare = "".join(lines.split())
    return bare[: len(bare) // 4 * 4] if bare and ":" not in bare else lines or begun[: LONGEST_FILE // 4 * 4]


Entry = tuple[str, Given | SpecError]


def _all_entries(text: str) -> Iterator[Entry]:
    lines = text.splitlines()
    bare = [clean_edges(line) for line in lines]
    if not any(map(parts.is_part, bare)):
        yield from _entries(text)
        return
    rest = "\n".join("" if parts.is_part(each) else line for line, each in zip(lines, bare, strict=True))
    yield from _entries(rest)
    for number, whole in enumerate(parts.join(filter(parts.is_part, bare)), 1):
        place = later("QR codes, text {number}", number=number)
        if isinstance(whole, SpecError):
            yield place, whole
        else:
            yield from (
                (later("{place}, {inner}", place=place, inner=inner), entry) for inner, entry in _entries(whole)
            )


def _entries(text: str) -> Iterator[Entry]:
    if wireguard.looks_like(text):
        yield from _one(later("the file"), lambda: given(wireguard.parse(text)))
        return
    if _HTML.match(text):
        yield (
            later("the file"),
            LinkError(Kind.NO_LINK, later("a web page and no list of links: perhaps an error of whoever sent it")),
        )
        return
    value = _structured(text)
    if clash.is_list(value):
        for place, link in clash.entries(value):
            yield place, link if isinstance(link, SpecError) else given(link)
    elif outline.is_smart(value):
        for place, stack in outline.smart(value):
            yield place, stack if isinstance(stack, SpecError) else given(stack)
    elif value is not None:
        yield (
            later("the file"),
            LinkError(Kind.NO_LINK, later("JSON or YAML that lists no ways that are known here")),
        )
    else:
        yield from _lines(_unwrapped(_unwrapped(text)))


def _lines(text: str) -> Iterator[Entry]:
    lines = text.splitlines()
    for number, line in enumerate(lines[:MOST_LINES], 1):
        bare = line.strip()
        if bare and not bare.startswith(_COMMENTS):
            several = [each for each in _TOGETHER.split(line) if "://" in each]
            for link in several if len(several) > 1 else [line]:
                yield from _one(later("line {number}", number=number), lambda link=link: parse(link))  # type: ignore[misc]  # bound on purpose
    if len(lines) > MOST_LINES:
        yield (
            later("line {number}", number=MOST_LINES + 1),
            SpecError(later("a list may have at most {most_lines} lines; the rest is left out", most_lines=MOST_LINES)),
        )


def _one(place: str, make: Callable[[], Given]) -> Iterator[Entry]:
    try:
        yield place, make()
    except SpecError as error:
        yield place, error


def _unwrapped(text: str) -> str:
    """A list that is one base64 text, as many services send it; anything else is returned as it is."""
    bare = "".join(line.strip() for line in text.splitlines() if not line.startswith(_COMMENTS))
    bare = "".join(bare.split())
    if not bare or ":" in bare:
        return text
    try:
        padded = bare.rstrip("=") + "=" * (-len(bare.rstrip("=")) % 4)
        return base64.b64decode(padded.translate(str.maketrans("-_", "+/")), validate=True).decode().lstrip("\ufeff")
    except ValueError:
        return text


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Reads plain data alone: no tags that make objects, and no aliases, by which a small file can grow without end."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse an alias where one would be followed."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def _structured(text: str) -> object:
    """The text as JSON or YAML where it looks like a list or a configuration; else none."""
    head = text.lstrip()[:1]
    marked = any(line.startswith(("proxies:", "dns:", "tls:", "fallback:")) for line in text.splitlines())
    if head != "{" and not marked:
        return None
    try:
        if head == "{":
            return json.loads(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
