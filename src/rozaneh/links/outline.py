"""Outline's texts: ``configurl`` strings, and the configuration of its smart dialer.

In a configurl string ``A|B`` means that B dials through A: the innermost stands first. Ours stands last. So the order
is turned around and nothing else: ``doh:...|split:2`` splits what goes to the target and not the question to the
resolver, and ``tlsfrag:1|split:2`` cuts the first two bytes off *before* the record is put together again and cut,
which undoes the split. That is what the text says there, so that is what it says here. Sources:
github.com/Jigsaw-Code/outline-sdk, ``x/configurl/doc.go`` and ``config.go``, ``x/smart/README.md``.
"""

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links import shadowsocks
from rozaneh.links.proxy import parse as parse_proxy
from rozaneh.links.url import encoded, host_and_port, name_of, path_of, query
from rozaneh.words import later

LEAF = Element("tcp")
_MOST_ELEMENTS = 15
_NUMBER_AT_MOST = 1 << 16


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """A way that is a stack of dialers.

    Attributes:
        spec: the stack.
        name: what it is called.
    """

    spec: Spec
    name: str = ""
    unknown: tuple[tuple[str, str], ...] = ()

    @property
    def host(self) -> str:
        """The outermost server's name or address; empty when it leads through none."""
        return next((host for host, _ in self._servers()), "")

    @property
    def port(self) -> int:
        """Its port, or 0."""
        return next((port for _, port in self._servers()), 0)

    def _servers(self) -> Iterator[tuple[str, int]]:
        for element in self.spec:
            if element.is_url:
                yield host_and_port(
                    element.argument[2:].partition("/")[0].partition("?")[0].rpartition("@")[2], default=443
                )

    def __str__(self) -> str:
        return str(self.spec)

    def __repr__(self) -> str:
        return f"Stack(spec={self.spec.redacted()!r})"


def parse(text: str) -> Stack:
    """Read a configurl string.

    Raises:
        SpecError: an element is none that can be gone here; the message numbers it and repeats no secret.
    """
    parts = [part.strip() for part in text.strip().split("|")]
    if len(parts) > _MOST_ELEMENTS:
        raise SpecError(later("more than {most_elements} elements", most_elements=_MOST_ELEMENTS))
    elements: list[Element] = []
    for number, part in enumerate(parts, 1):
        scheme, _, argument = part.partition(":")
        try:
            if scheme == "disorder":
                elements.append(_disorder(argument, parts[number : number + 1]))
            elif not (scheme == "split" and number > 1 and parts[number - 2].startswith("disorder:")):
                elements.append(_element(scheme, argument, part))
        except SpecError as error:
            raise SpecError(later("element {number} of the way: {error}", number=number, error=error)) from None
    return Stack(spec=Spec((*reversed(elements), LEAF)))


def smart(value: object) -> Iterator[tuple[str, Stack | SpecError]]:
    """The candidates in a smart dialer's configuration: a place in the file, and a way or what is wrong there.

    They are a set: which to try when is for the finder to say.

    Args:
        value: the file, read as JSON or YAML.
    """
    if not isinstance(value, Mapping):
        return
    for index, entry in enumerate(_entries(value, "dns"), 1):
        yield f"dns {index}", _tried(_resolver, entry)
    for index, entry in enumerate(_entries(value, "tls"), 1):
        yield f"tls {index}", _tried(_text, entry)
    for index, entry in enumerate(_entries(value, "fallback"), 1):
        yield f"fallback {index}", _tried(_text, entry)


def is_smart(value: object) -> bool:
    """Whether a file read as JSON or YAML is such a configuration."""
    return isinstance(value, Mapping) and bool({"dns", "tls", "fallback"} & set(value)) and "proxies" not in value


def _entries(value: Mapping[object, object], key: str) -> Sequence[object]:
    found = value.get(key)
    return found[:256] if isinstance(found, list) else ()


def _tried(read: Callable[[object], Stack], entry: object) -> Stack | SpecError:
    try:
        return read(entry)
    except SpecError as error:
        return error


def _text(entry: object) -> Stack:
    if not isinstance(entry, str):
        raise SpecError(later("expected a text such as override:host=cloudflare.net|tlsfrag:1"))
    if not entry.strip():
        return Stack(spec=Spec((LEAF,)))
    return parse(entry)


def _resolver(entry: object) -> Stack:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise SpecError(later("expected one of system, https, tls, udp, tcp"))
    kind, told = next(iter(entry.items()))
    fields = told if isinstance(told, Mapping) else {}
    name, address = str(fields.get("name", "")), str(fields.get("address", ""))
    if kind == "system":
        return Stack(spec=Spec((LEAF,)))
    if kind == "https":
        return Stack(spec=Spec((_named_resolver("doh", name, address, 443), LEAF)))
    if kind == "tls":
        return Stack(spec=Spec((_named_resolver("dot", name, address, 853), LEAF)))
    if kind in ("udp", "tcp"):
        return Stack(spec=Spec((_plain_resolver("dnsudp" if kind == "udp" else "dnstcp", address), LEAF)))
    raise SpecError(later("expected one of system, https, tls, udp, tcp, found {kind!r}", kind=str(kind)[:30]))


def _element(scheme: str, argument: str, part: str) -> Element:
    if scheme == "ss":
        return _only(shadowsocks.parse(part).spec)
    if scheme == "socks5":
        return _only(parse_proxy(part if argument.startswith("//") else f"socks5://{argument}").spec)
    if scheme in ("split", "tlsfrag"):
        return Element(scheme, str(_number(argument, signed=scheme == "tlsfrag")))
    known = {"doh": ("name", "address"), "do53": ("address",), "override": ("host", "port"), "tls": ("sni", "certname")}
    known["ws"] = ("tcp_path", "udp_path")
    if scheme not in known:
        raise SpecError(later("{scheme!r} is not spoken here", scheme=scheme[:30]))
    settings = dict(query(argument))
    if set(settings) - set(known[scheme]):
        raise SpecError(later("expected {known} after {scheme}:", known=" and ".join(known[scheme]), scheme=scheme))
    if scheme == "doh":
        return _named_resolver("doh", settings.get("name", ""), settings.get("address", ""), 443)
    if scheme == "do53":
        return _plain_resolver("dnsudp", settings.get("address", ""))
    return _wrapping(scheme, settings)


def _wrapping(scheme: str, settings: Mapping[str, str]) -> Element:
    if scheme == "ws":
        return Element("ws", f"path={encoded(path_of(settings.get('tcp_path', '')), safe='/')}")
    if scheme == "override" and settings.get("port"):
        _number(settings["port"])
    cleaned = {key: value if key == "port" else name_of(value, key) for key, value in settings.items()}
    kept = [f"{key}={value}" for key, value in cleaned.items() if value or key == "sni"]
    if not kept:
        raise SpecError(later("expected a setting after {scheme}:", scheme=scheme))
    return Element(scheme, "&".join(kept))


def _only(spec: Spec | None) -> Element:
    if spec is None:
        raise SpecError(later("it needs a program of its own"))
    return spec.elements[0]


def _disorder(argument: str, after: Sequence[str]) -> Element:
    """Outline counts writes, we count bytes: disorder of the first write of a split is disorder at that byte."""
    length = after[0].removeprefix("split:") if after and after[0].startswith("split:") else ""
    if argument != "0" or not length:
        raise SpecError(later("disorder is spoken here as disorder:0|split:N alone: the first N bytes arrive last"))
    return Element("disorder", str(_number(length)))


def _number(text: str, *, signed: bool = False) -> int:
    digits = text.removeprefix("-") if signed else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 6 and 0 < int(digits) < _NUMBER_AT_MOST):
        raise SpecError(later("expected a number of bytes, found {text!r}", text=text[:20]))
    return int(text)


def _named_resolver(kind: str, name: str, address: str, port: int) -> Element:
    host, given = host_and_port(address or name, default=port)
    if not _is_ip(host):
        raise SpecError(
            later(
                "the resolver {name} is given without an IP address, and its name may be what is blocked",
                name=name[:60],
            )
        )
    place = f"[{host}]" if ":" in host else host
    return Element(kind, f"{name_of(name.rstrip('.'), 'name')}@{place}{'' if given == port else f':{given}'}")


def _plain_resolver(kind: str, address: str) -> Element:
    host, port = host_and_port(address, default=53)
    if not _is_ip(host):
        raise SpecError(later("a resolver is given by its IP address"))
    place = f"[{host}]" if ":" in host else host
    return Element(kind, f"{place}{'' if port == 53 else f':{port}'}")


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
