"""Lists in the manner of Clash: YAML with ``proxies:``, each a mapping with ``type``, ``server``, ``port`` and more.

Only the proxies are read. Rules, groups, scripts, providers and ports of such a file are somebody's policy for this
device, and nothing obeys them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rozaneh.core import SpecError
from rozaneh.links import proxy, shadowsocks, trojan, vless
from rozaneh.links.url import encoded, join
from rozaneh.words import later

MOST_PROXIES = 1000

_COMMON = {"name", "type", "server", "port", "udp", "tfo", "ip-version"}
Server = shadowsocks.Shadowsocks | trojan.Trojan | vless.Vless | proxy.Proxy


def is_list(value: object) -> bool:
    """Whether a file read as JSON or YAML is such a list."""
    return isinstance(value, Mapping) and isinstance(value.get("proxies"), list)


def entries(value: object) -> Iterator[tuple[str, Server | SpecError]]:
    """The proxies of a file, each with its place in it, and what is wrong with those that are none."""
    if not isinstance(value, Mapping):
        return
    for number, entry in enumerate(value.get("proxies", ())[:MOST_PROXIES], 1):
        try:
            yield later("proxy {number}", number=number), _server(entry)
        except SpecError as error:
            yield later("proxy {number}", number=number), error


def _server(entry: object) -> Server:
    if not isinstance(entry, Mapping):
        raise SpecError(later("expected a mapping with type, server and port"))
    kind = str(entry.get("type", ""))
    makers = {"ss": _ss, "trojan": _trojan, "vless": _vless, "socks5": _proxy, "http": _proxy}
    if kind not in makers:
        raise SpecError(
            later(
                "type {kind!r} is not spoken here; expected one of {makers}", kind=kind[:30], makers=", ".join(makers)
            )
        )
    return makers[kind](entry)


def _ss(entry: Mapping[Any, Any]) -> Server:
    options = entry.get("plugin-opts")
    plugin = _text(entry, "plugin")
    if plugin and isinstance(options, Mapping):
        plugin += "".join(f";{key}={value}" for key, value in options.items())
    query = (("plugin", plugin),) if plugin else ()
    user = encoded(f"{_text(entry, 'cipher')}:{_text(entry, 'password')}")
    return shadowsocks.parse(_link("ss", user, entry, query, {"cipher", "password", "plugin", "plugin-opts"}))


def _trojan(entry: Mapping[Any, Any]) -> Server:
    query = _transport(entry)
    taken = {"password", *_TLS_KEYS}
    return trojan.parse(_link("trojan", encoded(_text(entry, "password")), entry, query, taken))


def _vless(entry: Mapping[Any, Any]) -> Server:
    query = _transport(entry)
    if "reality-opts" in entry:
        reality = entry["reality-opts"] if isinstance(entry["reality-opts"], Mapping) else {}
        query += (("security", "reality"), ("pbk", str(reality.get("public-key", ""))))
        query += (("sid", str(reality.get("short-id", ""))),)
    else:
        query += (("security", "tls" if entry.get("tls") is True else "none"),)
    query += (("flow", _text(entry, "flow")),)
    taken = {"uuid", "tls", "flow", "reality-opts", *_TLS_KEYS}
    return vless.parse(_link("vless", encoded(_text(entry, "uuid")), entry, query, taken))


def _proxy(entry: Mapping[Any, Any]) -> Server:
    user = ""
    if _text(entry, "username"):
        user = f"{encoded(_text(entry, 'username'))}:{encoded(_text(entry, 'password'))}"
    scheme = "socks5" if entry["type"] == "socks5" else "https" if entry.get("tls") is True else "http"
    if scheme == "socks5" and entry.get("tls") is True:
        raise SpecError(later("SOCKS5 inside TLS is not read from such a list"))
    return proxy.parse(_link(scheme, user, entry, (), {"username", "password", "tls"}))


_TLS_KEYS = ("sni", "servername", "alpn", "skip-cert-verify", "client-fingerprint", "network", "ws-opts")


def _transport(entry: Mapping[Any, Any]) -> tuple[tuple[str, str], ...]:
    alpn = entry.get("alpn")
    query = [
        ("sni", _text(entry, "sni") or _text(entry, "servername")),
        ("alpn", ",".join(map(str, alpn)) if isinstance(alpn, list) else ""),
        ("allowInsecure", "1" if entry.get("skip-cert-verify") is True else ""),
        ("fp", _text(entry, "client-fingerprint")),
        ("type", _text(entry, "network")),
    ]
    options = entry.get("ws-opts")
    if isinstance(options, Mapping):
        headers = options.get("headers")
        query.append(("path", str(options.get("path", ""))))
        query.append(("host", str(headers.get("Host", "")) if isinstance(headers, Mapping) else ""))
    return tuple(query)


def _link(scheme: str, user: str, entry: Mapping[Any, Any], query: tuple[tuple[str, str], ...], taken: set[str]) -> str:
    """The entry as the link that says the same, so that one parser judges both."""
    port = entry.get("port")
    if isinstance(port, bool) or not isinstance(port, int | str):
        raise SpecError(later("the port is missing"))
    unknown = tuple(
        (str(key), str(value)) for key, value in entry.items() if str(key) not in _COMMON | taken and str(key) != "type"
    )
    given = tuple(pair for pair in query if pair[1])
    return join(scheme, user, _text(entry, "server"), port, query=given + unknown, name=_text(entry, "name"))


def _text(entry: Mapping[Any, Any], key: str) -> str:
    value = entry.get(key, "")
    if isinstance(value, Mapping | list):
        raise SpecError(later("{key} is a text", key=key))
    return "" if value is None else str(value)
