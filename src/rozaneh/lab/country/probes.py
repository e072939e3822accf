"""Measurements that are no Web Connectivity: QUIC, Tor, VPNs, and transfers in pairs, which only Rozaneh's probe makes.

Whatever is done to such a service, it shows as its test shows it: a handshake over QUIC gets no answer, no relay of Tor
can be reached, a tunnel does not come up. Where a service works the same test says so.
"""

from typing import Any

from rozaneh.lab.country.timeline import Service

Json = dict[str, Any]

_TIMEOUT = "generic_timeout_error"
_RELAYS = (
    ("or_port_dirauth", "128.31.0.39:9201"),
    ("or_port_dirauth", "86.59.21.38:443"),
    ("or_port", "5.9.158.75:9001"),
    ("obfs4", "193.11.166.194:27015"),
)
_FAST, _ASIDE, _SLOW = (910_000.0, 840_000.0), (880_000.0, 905_000.0), (22_000.0, 19_000.0)
_VANTAGE = {"vantage": "simulated", "dns": True, "tcp": True, "tls": True, "http": True, "quic": True, "status": 200}


def other(service: Service, *, works: bool) -> tuple[str, str | None, Json]:
    """A measurement by a service's own test: name of the test, input, and keys."""
    if service.test == "quic":
        keys = {"x_rozaneh": _own(service, _quic(service, works=works), "quic")}
        return "urlgetter", f"quichandshake://{service.host}:443", keys
    if service.test == "wireguard":
        keys = {"x_rozaneh": _own(service, _packets(service, works=works), "udp")}
        return "urlgetter", f"udp://{service.host}:2408", keys
    if service.test == "tor":
        return "tor", None, {"targets": {str(number): _relay(*relay, works=works)
                                         for number, relay in enumerate(_RELAYS)}}  # fmt: skip
    place = f"openvpn://simulated.corp/?address={service.address}:1194&transport=udp"
    return "openvpn", place, {"success": works, "failure": None if works else _TIMEOUT, "network_events": None}


def paired(service: Service, *, slowed: bool) -> Json:
    """What Rozaneh's probe adds where a page works: equal transfers with the site's name and with a harmless one."""
    steps = [
        {"op": "resolve", "t0": 0.0, "took": 0.05, "tags": {"answers": [service.address]}},
        {"op": "connect", "t0": 0.05, "took": 0.08, "peer": f"{service.address}:443"},
        {"op": "tls_handshake", "t0": 0.13, "took": 0.1, "peer": f"{service.address}:443", "tags": {"verified": True}},
        {"op": "first_byte", "t0": 0.23, "took": 0.1, "peer": f"{service.address}:443"},
        {"op": "throughput", "t0": 0.33, "took": 0.4, "peer": f"{service.address}:443", "tags": {"status": 200}},
    ]
    own = _own(service, [_tried("system", service.host, 443, None, steps)], "https")
    own["evidence"] |= {
        "trusted_answers": [service.address],
        "slowness": {"target": _SLOW if slowed else _ASIDE, "neutral": _FAST},
    }
    return own


def _own(service: Service, tried: list[Json], kind: str) -> Json:
    evidence = {"tried": tried, "control": [_VANTAGE], "kind": kind}
    return {"evidence": evidence, "service": service.id.removeprefix("quic.")}


def _quic(service: Service, *, works: bool) -> list[Json]:
    failure = None if works else _TIMEOUT
    step = {"op": "quic_handshake", "t0": 0.0, "took": 0.2 if works else 5.0, "peer": f"{service.address}:443"}
    if failure:
        step["failure"] = failure
    tries = [_tried("system", service.host, 443, failure, [step])] * (1 if works else 2)
    elsewhere = [{"op": "quic_handshake", "t0": 0.0, "took": 0.2, "peer": "198.51.100.7:443"}]
    return tries if works else [*tries, _tried("quic_neutral", "harmless.example", 443, None, elsewhere)]


def _packets(service: Service, *, works: bool) -> list[Json]:
    failure = None if works else _TIMEOUT
    step = {"op": "first_byte", "t0": 0.0, "took": 0.1 if works else 4.0, "peer": f"{service.address}:2408"}
    if failure:
        step["failure"] = failure
    tries = [_tried("system", service.host, 2408, failure, [step])]
    if works:
        return tries
    echo = {"op": "first_byte", "t0": 0.0, "took": 0.1, "peer": "198.51.100.7:2408"}
    alike = _tried("shaped", "198.51.100.7", 2408, failure, [echo | {"failure": failure}])
    return [*tries, *tries, alike, _tried("shaped_neutral", "198.51.100.7", 2408, None, [echo])]


def _tried(role: str, host: str, port: int, failure: str | None, steps: list[Json]) -> Json:
    attempt: Json = {
        "target": {"host": host, "port": port, "speaks": "https" if port == 443 else "raw"},
        "spec": "tcp",
        "started": 0.0,
        "took": 1.0,
        "observations": steps,
    }
    return {"role": role, "attempt": attempt | ({"failure": failure} if failure else {})}


def _relay(protocol: str, address: str, *, works: bool) -> Json:
    return {
        "failure": None if works else _TIMEOUT,
        "target_address": address,
        "target_protocol": protocol,
        "network_events": None,
        "queries": None,
        "requests": None,
        "summary": {},
        "tcp_connect": None,
        "tls_handshakes": None,
    }
