"""One measurement of Web Connectivity 0.5 as a line, made from what happened to one dial."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import msgspec

from rozaneh.lab.country import probes
from rozaneh.lab.country.timeline import Service

Outcome = Literal[
    "ok", "dns_forgery", "dns_silence", "tls_name_reset", "tls_name_silence", "address_black_hole", "http_block_page",
    "quic_silence", "protocol_filter", "refusal", "throttling", "down", "cut", "alone",
]  # fmt: skip
"""What happens to a dial. ``cut``: nothing abroad answers, the control neither. ``alone``: it works, but the control,
which is abroad, is out of reach."""

_BOGON = "10.10.34.36"
_MARK = "@@"
_TIMEOUT = "generic_timeout_error"
_UNREACHABLE = ("cut", "alone")
_WORKING = ("ok", "alone", "throttling", "refusal")
_REFUSAL = "<html><head><title>Error 403 (Forbidden)!!1</title></head><body><b>403.</b> That’s an error. Your client does not have permission to get URL <code>/</code> from this server. That’s all we know.</body></html>"  # noqa: E501 - the page as it is served
_BLOCK_PAGE = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1256"><title>M1-7</title></head><body><iframe src="http://10.10.34.36?type=Invalid Site&policy=MainPolicy " style="width: 100%; height: 100%" scrolling="no"></iframe></body></html>'  # noqa: E501 - as above
_WORDS = "article section header footer span class href image script style content title button form label list item"


@dataclass(frozen=True)
class Template:
    """A line in parts: text, the name of a value, text, and so on."""

    parts: tuple[bytes, ...]

    def fill(self, values: Mapping[bytes, bytes]) -> bytes:
        """The line with its values; each must be safe inside a JSON string."""
        parts = list(self.parts)
        parts[1::2] = [values[name] for name in parts[1::2]]
        return b"".join(parts)


@cache
def template(service: Service, outcome: Outcome, *, ours: bool = False) -> Template:
    """The line of a service and what happened; which values it takes is said by its parts.

    Args:
        service: what is measured, by its own test.
        outcome: what happened.
        ours: by Rozaneh's probe, which compares how fast pages come.
    """
    made = msgspec.json.encode(_measurement(service, outcome, ours=ours))
    return Template(tuple(made.split(_MARK.encode())))


def bodies(mean: int, rng: random.Random, number: int = 64) -> list[bytes]:
    """Pages, long and short, as they stand in JSON; their mean is ``mean`` bytes, their lengths are lognormal."""
    if mean <= 0:
        return [b"<html><body>It works</body></html>"]
    words = _WORDS.split()
    lengths = [rng.lognormvariate(0, 0.95) for _ in range(number)]
    scale = mean * number / sum(lengths)
    made = []
    for length in lengths:
        wanted = round(length * scale)
        text = " ".join(f"<p>{rng.choice(words)} {rng.getrandbits(40):x}" for _ in range(wanted // 18 + 1))
        made.append(text[:wanted].encode())
    return made


def _value(name: str) -> str:
    return f"{_MARK}{name}{_MARK}"


def _measurement(service: Service, outcome: Outcome, *, ours: bool) -> dict[str, Any]:
    test, version = str(service.test), "0.5.28"
    place: str | None = f"{'http' if outcome == 'http_block_page' else 'https'}://{service.host}/"
    if test != "web_connectivity":
        test, place, keys = probes.other(service, works=outcome in _WORKING)
        version = "0.2.0"
    elif ours and outcome in ("ok", "throttling"):
        keys = {**_keys(service, "ok"), "x_rozaneh": probes.paired(service, slowed=outcome == "throttling")}
    else:
        keys = _keys(service, outcome)
    return {
        "annotations": {"platform": _value("platform"), "network_type": _value("network"), "engine_name": "simulated"},
        "data_format_version": "0.2.0",
        "extensions": {"dnst": 0, "httpt": 0, "netevents": 0, "tcpconnect": 0, "tlshandshake": 0, "tunnel": 0},
        "input": place,
        "measurement_start_time": _value("time"),
        "measurement_uid": _value("uid"),
        "probe_asn": _value("asn"),
        "probe_cc": _value("country"),
        "probe_ip": "127.0.0.1",
        "probe_network_name": "",
        "report_id": "",
        "resolver_asn": _value("asn"),
        "resolver_ip": "127.0.0.2",
        "resolver_network_name": "",
        "software_name": _value("name"),
        "software_version": _value("version"),
        "test_keys": keys,
        "test_name": test,
        "test_runtime": 2.5,
        "test_start_time": _value("time"),
        "test_version": version,
    }


def _keys(service: Service, outcome: Outcome) -> dict[str, Any]:
    plain = outcome == "http_block_page"
    resolved = _BOGON if outcome in ("dns_forgery", "http_block_page") else service.address
    port = 80 if plain else 443
    lookup = outcome not in ("dns_silence", "cut")
    connected = lookup and outcome not in ("address_black_hole", "down", "dns_forgery")
    handshake = {"tls_name_reset": "connection_reset", "tls_name_silence": _TIMEOUT}.get(outcome)
    talked = connected and not handshake
    failure = None if talked and outcome != "throttling" else handshake or _TIMEOUT
    blocking = _blocking(outcome)
    return {
        "agent": "redirect",
        "client_resolver": "127.0.0.2",
        "retries": None,
        "socksproxy": None,
        "network_events": [],
        "queries": [_query(service.host, resolved, service.asn, failure=None if lookup else _TIMEOUT)],
        "tcp_connect": [_connect(resolved, port, connected=connected)] if lookup else [],
        "tls_handshakes": [_handshake(service.host, resolved, handshake)] if connected and not plain else [],
        "requests": [_request(service, outcome, failure)] if connected and not handshake else [],
        "x_control_request": {"http_request": f"https://{service.host}/", "tcp_connect": [f"{service.address}:{port}"]},
        "control": None if outcome in _UNREACHABLE else _control(service, down=outcome == "down", port=port),
        "control_failure": _TIMEOUT if outcome in _UNREACHABLE else None,
        "dns_experiment_failure": None if lookup else _TIMEOUT,
        "dns_consistency": "inconsistent" if resolved == _BOGON or not lookup else "consistent",
        "http_experiment_failure": failure,
        "x_dns_flags": 1 if resolved == _BOGON else 0,
        "x_blocking_flags": 0,
        "x_null_null_flags": 0,
        "blocking": blocking,
        "accessible": None if blocking is None else blocking is False,
    }


def _blocking(outcome: Outcome) -> str | bool | None:
    """OONI's classic result, as the probe writes it."""
    return {
        "ok": False, "alone": False, "refusal": False, "cut": None, "down": None, "dns_forgery": "dns",
        "dns_silence": "dns", "address_black_hole": "tcp_ip", "http_block_page": "dns",
        "tls_name_reset": "http-failure", "tls_name_silence": "http-failure", "throttling": "http-failure",
    }[outcome]  # fmt: skip


def _query(host: str, address: str, asn: int, *, failure: str | None) -> dict[str, Any]:
    answer = {"answer_type": "A", "asn": 0 if address == _BOGON else asn, "ipv4": address, "ttl": None}
    return {
        "answers": None if failure else [answer],
        "engine": "getaddrinfo",
        "failure": failure,
        "hostname": host,
        "query_type": "ANY",
        "resolver_hostname": None,
        "resolver_port": None,
        "resolver_address": "",
        "t0": 0.01,
        "t": 4.0 if failure else 0.06,
        "tags": ["classic", "depth=0"],
        "transaction_id": 1,
    }


def _connect(address: str, port: int, *, connected: bool) -> dict[str, Any]:
    return {
        "ip": address,
        "port": port,
        "status": {"failure": None if connected else _TIMEOUT, "success": connected},
        "t0": 0.07,
        "t": 0.15 if connected else 10.07,
        "tags": ["classic", "depth=0", "fetch_body=true"],
        "transaction_id": 2,
    }


def _handshake(host: str, address: str, failure: str | None) -> dict[str, Any]:
    return {
        "network": "tcp",
        "address": f"{address}:443",
        "cipher_suite": "" if failure else "TLS_AES_128_GCM_SHA256",
        "failure": failure,
        "negotiated_protocol": "" if failure else "h2",
        "no_tls_verify": False,
        "peer_certificates": None,
        "server_name": host,
        "t0": 0.15,
        "t": 10.15 if failure == _TIMEOUT else 0.3,
        "tags": ["classic", "depth=0", "fetch_body=true"],
        "tls_version": "" if failure else "TLSv1.3",
        "transaction_id": 2,
    }


def _request(service: Service, outcome: Outcome, failure: str | None) -> dict[str, Any]:
    url = f"{'http' if outcome == 'http_block_page' else 'https'}://{service.host}/"
    body, status = _value("body"), 200
    if outcome == "refusal":
        body, status = _REFUSAL, 403
    elif outcome == "http_block_page":
        body, status = _BLOCK_PAGE, 403
    answered: dict[str, Any] = {"body": "", "body_is_truncated": False, "code": 0, "headers_list": [], "headers": {}}
    if failure is None:
        headers = [["Content-Type", "text/html; charset=utf-8"], ["Server", "simulated"]]
        answered |= {"body": body, "code": status, "headers_list": headers, "headers": dict(headers)}
    return {
        "network": "tcp",
        "address": f"{_BOGON if outcome == 'http_block_page' else service.address}:443",
        "alpn": "h2",
        "failure": failure,
        "request": {
            "body": "",
            "body_is_truncated": False,
            "headers_list": [["Accept", "*/*"]],
            "headers": {"Accept": "*/*"},
            "method": "GET",
            "tor": {"exit_ip": None, "exit_name": None, "is_tor": False},
            "x_transport": "tcp",
            "url": url,
        },
        "response": answered,
        "t0": 0.3,
        "t": 10.3 if failure else 0.6,
        "tags": ["classic", "depth=0", "fetch_body=true"],
        "transaction_id": 2,
    }


def _control(service: Service, *, down: bool, port: int) -> dict[str, Any]:
    failure = _TIMEOUT if down else None
    endpoint = f"{service.address}:{port}"
    spoken = {"server_name": service.host, "status": not down, "failure": failure}
    return {
        "tcp_connect": {endpoint: {"status": not down, "failure": failure}},
        "tls_handshake": {} if port != 443 or down else {endpoint: spoken},
        "quic_handshake": {},
        "http_request": {
            "body_length": 0 if down else 34,
            "discovered_h3_endpoint": "",
            "failure": failure,
            "title": "",
            "headers": {} if down else {"Content-Type": "text/html; charset=utf-8", "Server": "simulated"},
            "status_code": -1 if down else 200,
        },
        "http3_request": None,
        "dns": {"failure": None, "addrs": [service.address]},
        "ip_info": {service.address: {"asn": service.asn, "flags": 11}},
    }
