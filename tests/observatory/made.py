"""Measurements of OONI's format, made here."""

import gzip
import json
from pathlib import Path
from typing import Any


def web(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A Web Connectivity measurement of a site with two addresses that works; keys can be given anew."""
    addresses = ("151.101.1.5", "151.101.65.5")
    keys = {
        "queries": [
            {
                "engine": "getaddrinfo", "hostname": "site.example", "query_type": "ANY", "failure": None,
                "answers": [{"answer_type": "A", "ipv4": a, "asn": 54113} for a in addresses],
                "transaction_id": 10001, "tags": ["classic", "depth=0"],
            }
        ],
        "tcp_connect": [
            {"ip": a, "port": 443, "status": {"failure": None, "success": True}, "transaction_id": 50001 + i}
            for i, a in enumerate(addresses)
        ],
        "tls_handshakes": [
            {"address": f"{a}:443", "failure": None, "server_name": "site.example", "transaction_id": 50001 + i}
            for i, a in enumerate(addresses)
        ],
        "requests": [
            {
                "failure": None, "transaction_id": 50001, "request": {"url": "https://site.example/"},
                "response": {"code": 200, "body": "<html><title>A site</title></html>"},
            }
        ],
        "control": {
            "dns": {"failure": None, "addrs": list(addresses)},
            "tcp_connect": {f"{a}:443": {"status": True, "failure": None} for a in addresses},
            "tls_handshake": {f"{a}:443": {"status": True, "failure": None} for a in addresses},
            "http_request": {"failure": None, "status_code": 200, "body_length": 34, "title": "A site", "headers": {}},
        },
        "blocking": False, "accessible": True, "dns_consistency": "consistent",
    }  # fmt: skip
    return {
        "annotations": {"network_type": "mobile", "platform": "android"},
        "input": "https://site.example/",
        "measurement_start_time": f"2022-09-21 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}",
        "measurement_uid": f"20220921120000.{number:06}_IR_webconnectivity_{number:016x}",
        "probe_asn": "AS44244",
        "probe_cc": "IR",
        "software_name": "ooniprobe-android",
        "software_version": "3.7.0",
        "test_name": "web_connectivity",
        "test_keys": keys,
        **changes,
    }


def reset(number: int = 0) -> dict[str, Any]:
    """The same site, where handshakes are reset at both addresses."""
    made = web(number)
    for shake in made["test_keys"]["tls_handshakes"]:
        shake["failure"] = "connection_reset"
    made["test_keys"]["requests"] = []
    made["test_keys"] |= {"blocking": "http-failure", "accessible": False}
    return made


def write(path: Path, lines: list[Any]) -> Path:
    """Lines to a file, packed if its name says so; what is no text yet becomes JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines) + b"\n"
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return path
