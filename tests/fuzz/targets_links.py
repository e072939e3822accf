"""One target for each format of :mod:`rozaneh.links`: it reads or says why not, and what is printed reads the same."""

from collections.abc import Callable
from contextlib import suppress

from rozaneh import links
from rozaneh.core import SpecError
from rozaneh.links import outline, parts, proxy, shadowsocks, tor, trojan, vless, wireguard

_UUID = "b831381d-6324-4d53-ad4f-8cda48b30811"


def _both_ways(parse: Callable[[str], object], text: str) -> None:
    with suppress(SpecError):
        link = parse(text)
        assert parse(str(link)) == link


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def fuzz_any(data: bytes) -> None:
    with suppress(SpecError):
        way = links.parse(_text(data))
        assert links.parse(way.text) == way


def fuzz_list(data: bytes) -> None:
    with suppress(SpecError):
        links.read(_text(data))


def fuzz_parts(data: bytes) -> None:
    list(parts.join(["rozaneh-part:" + line for line in _text(data).splitlines()]))
    with suppress(SpecError):
        pieces = parts.split(_text(data) * 9)
        assert pieces == [_text(data) * 9] or list(parts.join(reversed(pieces))) == [_text(data) * 9]


def fuzz_clash(data: bytes) -> None:
    with suppress(SpecError):
        links.read("proxies:\n  - {type: ss, server: a.example, " + _text(data) + "}")


def fuzz_shadowsocks(data: bytes) -> None:
    _both_ways(shadowsocks.parse, "ss://" + _text(data))
    _both_ways(shadowsocks.parse, "ss://aes-128-gcm:x@h.example:1" + _text(data))


def fuzz_trojan(data: bytes) -> None:
    _both_ways(trojan.parse, "trojan://" + _text(data))
    _both_ways(trojan.parse, "trojan://x@h.example:1?type=ws&" + _text(data))


def fuzz_vless(data: bytes) -> None:
    _both_ways(vless.parse, f"vless://{_UUID}@" + _text(data))
    _both_ways(vless.parse, f"vless://{_UUID}@h.example:1?type=ws&" + _text(data))


def fuzz_proxy(data: bytes) -> None:
    for scheme in ("socks5", "socks", "https", "ssh"):
        _both_ways(proxy.parse, f"{scheme}://" + _text(data))


def fuzz_tor(data: bytes) -> None:
    _both_ways(tor.parse, _text(data))
    _both_ways(tor.parse, "webtunnel 192.0.2.3:80 url=" + _text(data))


def fuzz_wireguard(data: bytes) -> None:
    _both_ways(wireguard.parse, "[Interface]\n" + _text(data))


def fuzz_outline(data: bytes) -> None:
    with suppress(SpecError):
        outline.parse(_text(data))
    with suppress(SpecError):
        outline.parse("tls:sni=" + _text(data))
