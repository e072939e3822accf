"""Leading curl through the hop: its ``--connect-to`` says where a host and port really are."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from urllib.parse import urlsplit

import msgspec

_PORTS = {"http": 80, "https": 443}


class Url(msgspec.Struct, frozen=True, kw_only=True):
    """Where one of curl's URLs leads.

    Attributes:
        host: its name or address.
        port: its port.
        address: what ``--resolve`` says that it is, or what it literally is; else empty.
    """

    host: str
    port: int
    address: str = ""


def is_curl(argv: Sequence[str]) -> bool:
    """Whether a command is curl."""
    return PurePath(argv[0]).name == "curl"


def urls_of(argv: Sequence[str]) -> list[Url]:
    """The URLs of a command line of curl."""
    resolved: dict[tuple[str, str], str] = {}
    for option, value in itertools.pairwise(argv):
        if option == "--resolve" and value.count(":") >= 2:
            name, number, address = value.split(":", 2)
            resolved[name, number] = address.split(",")[0].strip("[]")
    found = []
    for word in argv[1:]:
        parts = urlsplit(word)
        if parts.scheme in _PORTS and parts.hostname:
            host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
            literal = host if ":" in host or host.replace(".", "").isdigit() else ""
            found.append(Url(host=host, port=port, address=resolved.get((host, str(port)), literal)))
    return found


def redirected(argv: Sequence[str], places: Mapping[Url, tuple[str, int]]) -> list[str]:
    """The command line, with the true place of each URL."""
    options = []
    for url, (address, port) in places.items():
        host = f"[{url.host}]" if ":" in url.host else url.host
        options += ["--connect-to", f"{host}:{url.port}:{address}:{port}"]
    return [argv[0], *options, *argv[1:]]
