"""Measurements for the figures of the observatory: shaped and sized like those that OONI publishes, made here, seeded.

The proportions are those of real ones. At 20 kB a page is less than half; certificates, the operations on sockets and
the control are the rest. At 800 kB the page is the half megabyte at which OONI's probe cuts pages off, and two dozen
connections with a chain of certificates each are most of the rest.
"""

import base64
import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.observatory.made import web

_SITES = 300
_LONGEST_PAGE = 512 << 10
_WORDS = 4000
_VOWELS, _OTHERS = "aeiou", "bcdfghklmnprstvw"
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8", "Cache-Control": "max-age=0, private", "Server": "nginx",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains; preload", "Vary": "Accept-Encoding, Cookie",
    "Content-Security-Policy": "default-src 'self'; img-src * data:; frame-ancestors 'none'; report-uri /csp-report",
}  # fmt: skip


class Corpus:
    """Measurements of some hundred sites, each with its own certificate."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._words = [self._word() for _ in range(_WORDS)]
        self._weights = [1 / (rank + 3) for rank in range(_WORDS)]
        self._chains = list(_chains(_SITES))
        self._text = self._html(4 << 20)

    def _word(self) -> str:
        syllables = self._rng.randint(1, 4)
        return "".join(self._rng.choice(_OTHERS) + self._rng.choice(_VOWELS) for _ in range(syllables))

    def typical(self, number: int) -> dict[str, Any]:
        """About 20 kB; every tenth is of a site whose handshakes are reset."""
        size = min(int(self._rng.lognormvariate(8.35, 0.95)), 150_000)
        return self._made(number, size, addresses=2, chain=2, cut=False, fails=number % 10 == 9)

    def large(self, number: int) -> dict[str, Any]:
        """About 800 kB."""
        return self._made(number, _LONGEST_PAGE, addresses=24, chain=7, cut=True, fails=False)

    def _made(self, number: int, size: int, *, addresses: int, chain: int, cut: bool, fails: bool) -> dict[str, Any]:
        made = web(number)
        keys = made["test_keys"]
        site = self._rng.randrange(_SITES)
        host = f"www.site{site}.example"
        made |= {"input": f"https://{host}/", "probe_asn": f"AS{44200 + number % 40}"}
        made |= {"report_id": "20220921T115950Z_webconnectivity_IR_44244_n1_made", "test_version": "0.5.28"}
        made |= {"test_runtime": 2.75, "test_start_time": "2022-09-21 11:59:50"}
        made["measurement_start_time"] = str(dt.datetime(2022, 9, 21) + dt.timedelta(seconds=7 * number))  # noqa: DTZ001 - as OONI writes it
        here = [f"151.{101 + i // 8}.{site % 200}.{number % 50 + i}" for i in range(addresses)]
        shown = [{"data": text, "format": "base64"} for text in (self._chains[site] * 4)[:chain]]
        answers = [
            {"answer_type": "A", "ipv4": a, "asn": 54113, "as_org_name": "Fastly, Inc.", "ttl": None} for a in here
        ]
        keys["queries"] = [
            {"answers": answers, "engine": engine, "failure": None, "hostname": host, "query_type": kind,
             "t0": 0.001, "t": 0.06, "resolver_address": address, "tags": ["depth=0"],
             "transaction_id": 10001 + 10000 * index}
            for index, (engine, kind, address) in enumerate(
                (("getaddrinfo", "ANY", ""), ("doh", "A", "https://dns.google/dns-query"), ("udp", "A", "8.8.8.8:53")))
        ]  # fmt: skip
        failure = "connection_reset" if fails else None
        keys["tcp_connect"] = [
            {"ip": a, "port": 443, "status": {"failure": None, "success": True}, "t0": 0.06, "t": 0.08 + i / 1000,
             "tags": ["classic", "depth=0", "fetch_body=true"], "transaction_id": 50001 + i}
            for i, a in enumerate(here)
        ]  # fmt: skip
        keys["tls_handshakes"] = [
            {"network": "tcp", "address": f"{a}:443", "cipher_suite": "TLS_AES_128_GCM_SHA256", "failure": failure,
             "negotiated_protocol": "h2", "no_tls_verify": False, "peer_certificates": None if fails else shown,
             "server_name": host, "t0": 0.08, "t": 0.15 + i / 1000, "tags": ["classic", "depth=0", "fetch_body=true"],
             "tls_version": "TLSv1.3", "transaction_id": 50001 + i}
            for i, a in enumerate(here)
        ]  # fmt: skip
        start = self._rng.randrange(len(self._text) - size)
        page = (
            f"<!DOCTYPE html><html><head><title>Site {site}, {number}</title></head>{self._text[start : start + size]}"
        )
        keys["requests"] = [] if fails else [self._request(host, here[0], page[:_LONGEST_PAGE], cut=cut)]
        keys["network_events"] = [
            {"address": f"{here[i % addresses]}:443", "failure": None, "num_bytes": 517 + i, "operation": "read",
             "proto": "tcp", "t0": 0.08 + i / 500, "t": 0.081 + i / 500, "tags": ["depth=0"],
             "transaction_id": 50001 + i % addresses}
            for i in range(24)
        ]  # fmt: skip
        control = keys["control"]
        control["dns"]["addrs"] = here
        control["tcp_connect"] = {f"{a}:443": {"status": True, "failure": None} for a in here}
        control["tls_handshake"] = {f"{a}:443": {"server_name": host, "status": True, "failure": None} for a in here}
        control["ip_info"] = {a: {"asn": 54113, "flags": 11} for a in here}
        control["http_request"] |= {"headers": _HEADERS, "body_length": len(page)}
        keys |= {
            "x_control_request": {"http_request": f"https://{host}/"},
            "agent": "redirect",
            "client_resolver": "8.8.4.4",
        }
        keys |= {"blocking": "http-failure" if fails else False, "accessible": not fails}
        return made

    def _request(self, host: str, address: str, page: str, *, cut: bool) -> dict[str, Any]:
        listed = [[name, value] for name, value in _HEADERS.items()]
        return {
            "network": "tcp", "address": f"{address}:443", "alpn": "h2", "failure": None, "t0": 0.2, "t": 0.9,
            "request": {"body": "", "headers": _HEADERS, "headers_list": listed, "method": "GET",
                        "url": f"https://{host}/"},
            "response": {"body": page, "body_is_truncated": cut, "code": 200, "headers": _HEADERS,
                         "headers_list": listed},
            "tags": ["classic", "depth=0", "fetch_body=true"], "transaction_id": 50001,
        }  # fmt: skip

    def _html(self, size: int) -> str:
        parts: list[str] = []
        held = 0
        while held < size:
            words = " ".join(self._rng.choices(self._words, self._weights, k=40))
            link = f"/{self._rng.choice(self._words)}/{self._rng.randrange(9999)}"
            parts.append(f'<p class="c{self._rng.randrange(99)}"><a href="{link}">{words}</a></p>\n')
            held += len(parts[-1])
        return "".join(parts)


def _chains(count: int) -> Iterator[list[str]]:
    """For each site its certificate and the one that vouches for it, in base64; sizes as real ones have them."""
    above, here = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    issuer = _named("An authority of the benchmark")

    def signed(subject: x509.Name, key: rsa.RSAPrivateKey, names: list[str]) -> str:
        builder = x509.CertificateBuilder(
            issuer_name=issuer, subject_name=subject, public_key=key.public_key(),
            serial_number=x509.random_serial_number(), not_valid_before=dt.datetime(2022, 1, 1, tzinfo=dt.UTC),
            not_valid_after=dt.datetime(2023, 1, 1, tzinfo=dt.UTC),
        )  # fmt: skip
        others = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(others, critical=False)
        return base64.b64encode(builder.sign(above, hashes.SHA256()).public_bytes(Encoding.DER)).decode()

    authority = signed(issuer, above, ["authority.example"])
    for site in range(count):
        name = f"www.site{site}.example"
        yield [signed(_named(name), here, [name, *(f"{i}.{name}" for i in range(12))]), authority]


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
