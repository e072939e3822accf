"""Measurements of Web Connectivity 0.5, record by record, for tests that say what each record must lead to."""

import json
from typing import Any

import msgspec

HOST = "www.example.com"
RIGHT, OTHER, FORGED = "93.184.216.34", "93.184.216.35", "10.10.34.35"
ASNS = {RIGHT: 15133, OTHER: 15133, "130.192.182.17": 137}
PAGE = "<html><title>Default Page Here</title>" + "x" * 1000 + "</html>"

Record = dict[str, Any]


def lookup(
    *addresses: str,
    failure: str | None = None,
    engine: str = "getaddrinfo",
    query_type: str = "ANY",
    host: str = HOST,
    depth: int = 0,
    transaction: int = 10001,
) -> Record:
    answers = [
        {
            "answer_type": "AAAA" if ":" in address else "A",
            "ipv6" if ":" in address else "ipv4": address,
            "ttl": None,
            **({"asn": ASNS[address]} if address in ASNS else {}),
        }
        for address in addresses
    ]
    return {
        "answers": answers or None,
        "engine": engine,
        "failure": failure,
        "hostname": host,
        "query_type": query_type,
        "resolver_address": "",
        "t": 0.1,
        "tags": [f"depth={depth}"],
        "transaction_id": transaction,
    }


def connect(
    address: str = RIGHT,
    port: int = 443,
    failure: str | None = None,
    depth: int = 0,
    transaction: int = 50001,
    *,
    fetch: bool = True,
) -> Record:
    return {
        "ip": address,
        "port": port,
        "status": {"failure": failure, "success": failure is None},
        "t0": 0.1,
        "t": 0.2,
        "tags": [f"depth={depth}", f"fetch_body={str(fetch).lower()}"],
        "transaction_id": transaction,
    }


def handshake(
    address: str = RIGHT,
    failure: str | None = None,
    depth: int = 0,
    transaction: int = 50001,
    name: str = HOST,
) -> Record:
    return {
        "network": "tcp",
        "address": f"{address}:443",
        "failure": failure,
        "server_name": name,
        "no_tls_verify": False,
        "peer_certificates": [],
        "t0": 0.2,
        "t": 0.3,
        "tags": [f"depth={depth}"],
        "transaction_id": transaction,
    }


def request(
    url: str = f"https://{HOST}/",
    failure: str | None = None,
    *,
    status: int = 200,
    body: str = PAGE,
    headers: dict[str, str] | None = None,
    depth: int = 0,
    transaction: int = 50001,
    address: str = RIGHT,
) -> Record:
    headers = headers or {"Content-Type": "text/html", "X-Site": "1"}
    port = 443 if url.startswith("https") else 80
    return {
        "network": "tcp",
        "address": f"{address}:{port}",
        "failure": failure,
        "request": {"method": "GET", "url": url, "x_transport": "tcp", "headers": {}, "headers_list": []},
        "response": {
            "code": status,
            "body": body,
            "body_is_truncated": False,
            "headers": headers,
            "headers_list": [[name, value] for name, value in headers.items()],
        },
        "t0": 0.3,
        "t": 0.4,
        "tags": [f"depth={depth}", "fetch_body=true"],
        "transaction_id": transaction,
    }


def helper(
    *addresses: str,
    dns: str | None = None,
    tcp: dict[str, str | None] | None = None,
    tls: dict[str, str | None] | None = None,
    http: str | None = None,
    status: int = 200,
    length: int = len(PAGE),
    title: str = "Default Page Here",
    headers: dict[str, str] | None = None,
) -> Record:
    addresses = addresses or (() if dns else (RIGHT,))
    endpoints = {f"{address}:{port}": None for address in addresses for port in (80, 443)}
    connected = endpoints if tcp is None else tcp
    secured = {place: None for place in endpoints if place.endswith(":443")} if tls is None else tls
    fetched = (
        {"failure": http, "status_code": -1, "body_length": -1, "title": "", "headers": {}}
        if http
        else {
            "failure": None,
            "status_code": status,
            "body_length": length,
            "title": title,
            "headers": headers or {"X-Site": "1"},
        }
    )
    return {
        "dns": {"failure": dns, "addrs": list(addresses)},
        "tcp_connect": {place: {"status": failure is None, "failure": failure} for place, failure in connected.items()},
        "tls_handshake": {
            place: {"status": failure is None, "failure": failure, "server_name": HOST}
            for place, failure in secured.items()
        },
        "http_request": fetched,
        "ip_info": {address: {"asn": ASNS.get(address, 0), "flags": 2} for address in addresses},
    }


def measurement(
    *,
    queries: list[Record] | None = None,
    tcp_connect: list[Record] | None = None,
    tls_handshakes: list[Record] | None = None,
    requests: list[Record] | None = None,
    control: Record | None = None,
    control_failure: str | None = None,
    url: str = f"https://{HOST}/",
    test: str = "web_connectivity",
    **more: object,
) -> bytes:
    """One line of a file."""
    keys = {
        "queries": queries,
        "tcp_connect": tcp_connect,
        "tls_handshakes": tls_handshakes,
        "requests": requests,
        "control": control,
        "control_failure": control_failure,
        "x_control_request": {"http_request": url, "tcp_connect": []},
        **more,
    }
    return json.dumps(
        {
            "data_format_version": "0.2.0",
            "input": url,
            "measurement_start_time": "2022-10-01 16:00:00",
            "probe_asn": "AS44244",
            "probe_cc": "IR",
            "software_name": "ooniprobe",
            "software_version": "3.24.0",
            "test_keys": keys,
            "test_name": test,
            "test_version": "0.5.28",
        }
    ).encode()


class Recorded(msgspec.Struct, frozen=True):
    """The verdict that a probe wrote into its measurement."""

    blocking: bool | str | None = None
    accessible: bool | None = None
    dns_consistency: str | None = None
    dns_experiment_failure: str | None = None
    http_experiment_failure: str | None = None
    x_blocking_flags: int | None = None
    x_dns_flags: int | None = None
    x_null_null_flags: int | None = None
    body_proportion: float | None = None
    body_length_match: bool | None = None
    headers_match: bool | None = None
    status_code_match: bool | None = None
    title_match: bool | None = None
