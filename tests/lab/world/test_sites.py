import socket
import ssl
import struct
from collections.abc import Callable

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import LocalFault, RemoteFault
from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from rozaneh.lab.topology import Service
from rozaneh.lab.world.http import parse_head
from tests.lab.world.conftest import SECONDS, Served, parse, read_all

Get = Callable[..., tuple[int, dict[str, str], bytes]]

HOME, ABROAD = "10.77.1.9", "45.76.10.11"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", ["example.org", "www.blocked.example", "cdn.example", "domestic.example"])
def test_a_site_says_its_name_and_whom_it_sees(get: Get, scheme: str, name: str) -> None:
    status, _, body = get(f"{scheme}://{name}/some/page", source=HOME)
    assert status == 200
    assert f"<title>rozaneh lab: {name}</title>" in body.decode()
    assert f"your address {HOME}" in body.decode()


@pytest.mark.parametrize(
    ("path", "status", "length"),
    [("bytes/1", 200, 1), ("bytes/300000", 200, 300_000), ("generate_204", 204, 0), ("bytes/0", 200, 0)],
)
def test_a_site_gives_as_much_as_is_asked_for(get: Get, path: str, status: int, length: int) -> None:
    told, _, body = get(f"https://example.org/{path}")
    assert (told, len(body)) == (status, length)


def test_a_body_beyond_the_bound_is_just_a_page(get: Get) -> None:
    assert b"rozaneh lab" in get("https://example.org/bytes/50000001")[2]


def test_redirects_lead_to_the_safe_scheme_or_where_they_are_told(get: Get) -> None:
    status, headers, _ = get("http://redirects.example/a?b")
    assert (status, headers["location"]) == (302, "https://redirects.example/a?b")
    assert get("https://redirects.example/")[0] == 200
    assert get("https://example.org/redirect?to=https://cdn.example/")[1]["location"] == "https://cdn.example/"
    assert "\r" not in get("https://example.org/redirect?to=https://x/%0d%0aSet-Cookie:a")[1]["location"]


def test_a_connection_carries_many_requests(served: Served) -> None:
    with served.connect("example.org", 80) as stream:
        for number in range(3):
            stream.sendall(f"GET /bytes/{number + 1} HTTP/1.1\r\nHost: example.org\r\n\r\n".encode())
            assert parse(stream.recv(65_536))[2] == b"x" * (number + 1)


@pytest.mark.parametrize(("status", "name"), [(403, "refuses.example"), (451, "451.refuses.example")])
def test_a_site_refuses_the_country_by_a_page(get: Get, status: int, name: str) -> None:
    told, _, body = get(f"https://{name}/", source=HOME)
    assert told == status
    assert b"country" in body
    assert get(f"https://{name}/", source=ABROAD)[0] == 200


def test_a_site_refuses_the_country_by_a_reset(get: Get) -> None:
    with pytest.raises(ConnectionResetError):
        get("https://resets.refuses.example/", source=HOME)
    assert get("https://resets.refuses.example/", source=ABROAD)[0] == 200


def test_a_site_refuses_the_country_by_an_alert(get: Get) -> None:
    with pytest.raises(ssl.SSLError, match="ACCESS_DENIED"):
        get("https://alert.refuses.example/", source=HOME)
    assert get("https://alert.refuses.example/", source=ABROAD)[0] == 200


@pytest.mark.parametrize(
    ("name", "code"), [("badcert.example", 62), ("selfsigned.example", 20), ("chat.signal.org", 20)]
)
def test_a_wrong_certificate_is_wrong(served: Served, name: str, code: int) -> None:
    with pytest.raises(ssl.SSLCertVerificationError) as error:
        served.connect_tls(name)
    assert error.value.verify_code == code


def test_an_address_answers_strangers_with_its_own_certificate(served: Served) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        served.connect_tls("example.org", sni="www.instagram.com")


def test_another_name_of_the_same_address_is_served_by_its_host_header(served: Served) -> None:
    with served.connect_tls("front.example") as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: hidden.cdn.example\r\nConnection: close\r\n\r\n")
        assert b"rozaneh lab: hidden.cdn.example" in read_all(stream)


@pytest.mark.parametrize(("newest", "version"), [("tls12.example", "TLSv1.2"), ("example.org", "TLSv1.3")])
def test_tls_versions(served: Served, newest: str, version: str) -> None:
    with served.connect_tls(newest) as stream:
        assert stream.version() == version


@pytest.mark.parametrize("address", ["10.10.34.34", "10.10.34.35", "10.10.34.36"])
def test_the_block_page_has_its_iframe(served: Served, address: str) -> None:
    with served.connect(address, 80) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
        status, _, body = parse(read_all(stream))
    assert status == 403
    assert b'<iframe src="http://10.10.34.35' in body


def test_a_silent_port_answers_nothing(served: Served) -> None:
    with socket.socket() as stream:
        stream.setblocking(False)  # noqa: FBT003 - the system's own signature
        assert stream.connect_ex(served.place("10.10.34.36", 443)) != 0
        served.connect("10.10.34.36", 80).close()  # whatever came first has been answered by now
        assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        with pytest.raises(OSError, match=r"\[Errno 107\]"):
            stream.getpeername()


def test_where_nothing_stands_connections_are_refused(served: Served) -> None:
    with pytest.raises(ConnectionRefusedError):
        served.connect("down.example", 443)


def test_the_terminator_shows_a_certificate_of_the_state_and_passes_the_content_on(served: Served) -> None:
    context = ssl.create_default_context(cafile=str(served.ca_file))
    with pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(served.connect("mitm", 443), server_hostname="blocked.example")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(served.connect("mitm", 443), server_hostname="blocked.example") as stream:
        assert b"Qaznet Trust Network" in (stream.getpeercert(binary_form=True) or b"")
        stream.sendall(b"GET / HTTP/1.1\r\nHost: blocked.example\r\nConnection: close\r\n\r\n")
        assert b"rozaneh lab: blocked.example" in read_all(stream)


@pytest.mark.parametrize("port", [443, 80, 8443])
def test_raw_bytes_come_back(served: Served, port: int) -> None:
    with served.connect("raw.example", port) as stream:
        stream.sendall(b"\0\xff anything")
        assert stream.recv(64) == b"\0\xff anything"
    assert served.ask("raw.example", port, b"datagram") == b"datagram"


def test_ssh_speaks_first(served: Served) -> None:
    with served.connect("github.com", 22) as stream:
        assert stream.recv(64).startswith(b"SSH-2.0-")


def test_http3_answers_like_https(served: Served) -> None:
    assert anyio.run(_http3, served, "www.instagram.com") == (b"200", True)


async def _http3(served: Served, name: str) -> tuple[bytes, bool]:
    import asyncio

    from aioquic.asyncio.protocol import QuicConnectionProtocol
    from aioquic.h3.connection import H3_ALPN, H3Connection
    from aioquic.h3.events import DataReceived, HeadersReceived
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.connection import QuicConnection
    from aioquic.quic.events import QuicEvent

    class Client(QuicConnectionProtocol):
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named)  # type: ignore[arg-type]  # aioquic's own constructor
            self.http = H3Connection(self._quic)
            self.ended = asyncio.get_running_loop().create_future()
            self.status, self.body = b"", b""

        def quic_event_received(self, event: QuicEvent) -> None:
            for happened in self.http.handle_event(event):
                if isinstance(happened, HeadersReceived):
                    self.status = dict(happened.headers)[b":status"]
                if isinstance(happened, DataReceived):
                    self.body += happened.data
                    if happened.stream_ended:
                        self.ended.set_result(None)

    settings = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, server_name=name)
    settings.load_verify_locations(str(served.ca_file))
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Client(QuicConnection(configuration=settings)), local_addr=("127.0.0.1", 0)
    )
    try:
        client.connect(served.place(name, 443))
        async with asyncio.timeout(SECONDS):
            await client.wait_connected()
            stream = client._quic.get_next_available_stream_id()
            asked = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", name.encode()), (b":path", b"/")]
            client.http.send_headers(stream, asked, end_stream=True)
            client.transmit()
            await client.ended
            client.close()
            await client.wait_closed()
    finally:
        transport.close()
    return client.status, b"rozaneh lab" in client.body


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"GET /\r\n\r\n",
        b"BREW / HTTP/1.1\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n : empty\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_fault(head: bytes) -> None:
    with pytest.raises(RemoteFault):
        parse_head(head)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_request_or_a_fault(data: bytes) -> None:
    for head in (data, b"GET " + data + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n"):
        try:
            request = parse_head(head)
        except RemoteFault:
            continue
        assert 0 <= request.length <= 1 << 20


@pytest.mark.parametrize("port", [80, 443, 853, 53, 1080, 1081, 8388])
def test_bad_peers_are_survived(served: Served, port: int) -> None:
    name = {53: "8.8.8.8", 853: "8.8.8.8"}.get(port, "relay.example")
    linger = struct.pack("ii", 1, 0)
    for data in (
        b"",
        b"\0",
        b"\x16\x03\x01\x02\x00" + b"\0" * 50,
        b"\xff" * 5000,
        b"GET / HTTP/1.1\r\n" * 2000,
        b"\5\xff",
    ):
        with served.connect(name, port) as stream:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            stream.sendall(data)
    half_open = [served.connect(name, port) for _ in range(20)]
    with served.connect_tls("relay.example") as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: relay.example\r\nConnection: close\r\n\r\n")
        assert b"rozaneh lab: relay.example" in read_all(stream)
    for stream in half_open:
        stream.close()


@pytest.mark.parametrize("tier", ["T0", pytest.param("T1", marks=pytest.mark.namespaces)])
def test_a_service_is_added_while_the_lab_runs(tier: str) -> None:
    added = Service(kind="web", names=("new.example",), addresses=("93.184.216.37",), options={"refuse": "451"})
    with Lab(tier=tier) as lab, lab.client("mobile") as home:
        ask = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://new.example/"]
        lab.serve([added])
        lab.serve([added])
        assert home.run(ask).stdout == "451"
        for wrong, text in (
            (Service(kind="teapot", addresses=("93.184.216.37",)), "teapot"),
            (Service(kind="web", addresses=("9.9.9.10",)), "no host"),
            (Service(kind="echo", addresses=("93.184.216.37",), ports=(443,)), "stands there"),
        ):
            with pytest.raises(LocalFault, match=text):
                lab.serve([wrong])
        assert home.run(ask).stdout == "451"


@pytest.mark.parametrize("tier", ["T0", pytest.param("T1", marks=pytest.mark.namespaces)])
def test_a_scenario_brings_its_services_along(tier: str) -> None:
    scenario = msgspec.structs.replace(load_scenario("interception"), tier="streams")
    with Lab(tier=tier) as lab, lab.client("mobile", scenario) as home:
        ran = home.run(["curl", "-sSv", "-m", "5", "-k", "https://blocked.example/"])
        assert "Qaznet Trust Network" in ran.stderr
        assert "rozaneh lab: blocked.example" in ran.stdout
