"""Everything that the services catalogue dials stands in the lab's world and answers as the real thing would."""

import secrets
import ssl
import struct
import tomllib
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.lab.world.conftest import Served, parse

_PORTS = {"https": 443, "http": 80, "doh": 443, "dot": 853, "tls": 443, "wireguard": 51820, "openvpn": 1194}


def _endpoints() -> list[Any]:
    found = []
    for file in sorted((resources.files("rozaneh.probe") / "catalogue").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            for service in tomllib.loads(file.read_text())["service"]:
                found += [pytest.param(end, id=f"{service['id']}-{end['id']}") for end in service["endpoint"]]
    return found


@pytest.mark.parametrize("endpoint", _endpoints())
def test_an_endpoint_of_the_catalogue_answers(served: Served, endpoint: dict[str, Any]) -> None:
    parts = urlsplit(endpoint["url"])
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    addresses = endpoint.get("addresses") or served.world.addresses_of.get(host, (host,))
    assert all(served.world.host_of(address) for address in addresses), f"{addresses} stand nowhere"
    for address in addresses:
        _converse(served, parts.scheme, host, address, port, own=bool(endpoint.get("issuer")))


def _converse(served: Served, scheme: str, host: str, address: str, port: int, *, own: bool) -> None:
    if scheme == "wireguard":
        initiation = b"\x01\0\0\0" + b"\x11\x22\x33\x44" + secrets.token_bytes(140)
        answer = served.ask(address, port, initiation)
        assert (len(answer), answer[:4], answer[8:12]) == (92, b"\x02\0\0\0", initiation[4:8])
    elif scheme == "openvpn":
        session = secrets.token_bytes(8)
        answer = served.ask(address, port, bytes([7 << 3]) + session + b"\0" + struct.pack("!I", 0))
        assert answer[0] >> 3 == 8
        assert session in answer
    elif scheme == "tcp":
        with served.connect(address, port) as stream:
            stream.sendall(b"\x01" * 64)
            kinds = {service.kind for service in served.world.service if address in service.addresses}
            assert stream.recv(64) or "tls" in kinds, "only a TLS server may end a conversation that it does not follow"
    else:
        trusted = scheme != "tls" and not own
        context = ssl.create_default_context(cafile=str(served.ca_file)) if trusted else _believing()
        with context.wrap_socket(served.connect(address, port), server_hostname=host) as stream:
            if scheme == "https":
                stream.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                assert parse(stream.recv(65_536))[0] == 200


def _believing() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_every_address_of_the_world_belongs_to_a_network(served: Served) -> None:
    homeless = [a for host in served.world.host.values() for a in host.addresses if not served.world.network_of(a)]
    assert homeless == []


def test_every_service_is_of_a_known_kind_and_the_docstring_names_it(served: Served) -> None:
    from rozaneh.lab import world
    from rozaneh.lab.world.kinds import KINDS

    assert {service.kind for service in served.world.service} <= set(KINDS)
    assert all(f"``{kind}``" in (world.__doc__ or "") for kind in KINDS)
