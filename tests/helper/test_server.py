"""The helper's front: the protocol as OONI's probes speak it, and clients that behave badly."""

import json
from typing import Any

import anyio
import pytest
import trio.testing

from rozaneh.codecs.networks import Networks
from rozaneh.helper import Bounds, GuardedNetwork, Limiter, Server, Vantage
from rozaneh.helper.limits import client_of
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from tests.helper.world import FRONT, OTHER, SITE, helping, page


@pytest.fixture
def anyio_backend() -> Any:
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


@pytest.mark.anyio
async def test_a_question_as_ooni_asks_it() -> None:
    async with helping({"site.example": [SITE]}) as asking:
        asking.network.serve(SITE, 80, page(b"<title>A site</title>", Server="nginx", alt_svc='h3=":443"; ma=86400'))
        answer = await asking.ask(
            http_request="http://site.example/",
            http_request_headers={"Accept": ["*/*"], "Cookie": ["secret=1"], "User-Agent": ["x"]},
            tcp_connect=[f"{OTHER}:80", f"{SITE}:80"],
            x_quic_enabled=False,
            something_new={"a": 1},
        )
    assert answer["http_request"] == {
        "body_length": 21,
        "discovered_h3_endpoint": "site.example:443",
        "failure": None,
        "title": "A site",
        "headers": {"Content-Length": "21", "Server": "nginx", "Alt-Svc": 'h3=":443"; ma=86400'},
        "status_code": 200,
    }
    assert answer["tcp_connect"][f"{SITE}:80"] == {"status": True, "failure": None}
    assert answer["tcp_connect"][f"{OTHER}:80"] == {"status": False, "failure": "connection_refused"}
    assert answer["tcp_connect"][f"{SITE}:443"] == {"status": False, "failure": "connection_refused"}
    assert answer["tls_handshake"] == {}
    assert answer["quic_handshake"] == {}
    assert answer["dns"] == {"failure": None, "addrs": [SITE]}
    assert answer["ip_info"] == {SITE: {"asn": 0, "flags": 3}, OTHER: {"asn": 0, "flags": 1}}


@pytest.mark.anyio
async def test_a_table_of_networks_says_whose_addresses_are_and_where_the_asker_stands() -> None:
    table = Networks(["93.184.216.0/24,15133,US", "10.0.0.0/24,64512,IR"])
    async with helping({"site.example": [SITE]}, networks=table) as asking:
        answer = await asking.ask(http_request="http://site.example/", tcp_connect=["10.10.34.34:443"])
        assert answer["ip_info"] == {SITE: {"asn": 15133, "flags": 2}, "10.10.34.34": {"asn": 0, "flags": 5}}
        assert answer["x_client"] == {"asn": 64512, "cc": "IR"}
        assert "10.0.0.2" not in json.dumps(answer)
    async with helping({"site.example": [SITE]}) as asking:
        assert "x_client" not in await asking.ask(http_request="http://site.example/")


@pytest.mark.anyio
async def test_http3_is_asked_where_the_site_offers_it_and_the_probe_wants_it() -> None:
    async with helping({"site.example": [SITE]}) as asking:
        asking.network.serve(SITE, 80, page(b"x", alt_svc='h3=":443"'))
        answer = await asking.ask(http_request="http://site.example/", x_quic_enabled=True)
        assert answer["http_request"]["failure"] is None
        assert answer["http3_request"]["failure"] == "generic_timeout_error", "nothing answers datagrams there"
        answer = await asking.ask(http_request="http://site.example/", x_quic_enabled=False)
        assert answer["http3_request"] is None
        for elsewhere in ('h3="10.0.0.1:443"', 'h3="other.example:443"', 'h3=":0"', 'h3=":6379"', "h3=junk"):
            asking.network.serve(SITE, 80, page(b"x", alt_svc=elsewhere))
            answer = await asking.ask(http_request="http://site.example/", x_quic_enabled=True)
            assert answer["http3_request"] is None or answer["http3_request"]["failure"], elsewhere


@pytest.mark.anyio
async def test_a_name_that_does_not_exist_is_said_as_oonis_helper_says_it() -> None:
    async with helping() as asking:
        answer = await asking.ask(http_request="https://nowhere.example/")
    assert answer["dns"] == {"failure": "dns_name_error", "addrs": []}
    assert answer["http_request"]["failure"] == "dns_nxdomain_error"


@pytest.mark.anyio
async def test_only_harmless_headers_are_passed_on() -> None:
    heard = b""

    async def site(stream: Any) -> None:
        nonlocal heard
        heard = await stream.receive()
        await stream.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with helping({"site.example": [SITE]}) as asking:
        asking.network.serve(SITE, 80, site)
        await asking.ask(
            http_request="http://site.example/",
            http_request_headers={
                "accept-language": ["fa"],
                "Authorization": ["x"],
                "Host": ["y"],
                "User-Agent": ["a\r\nb"],
            },
        )
    assert b"accept-language: fa" in heard
    assert b"uthorization" not in heard
    assert heard.lower().count(b"host:") == 1
    assert b"a\r\nb" not in heard


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"http_request": 7}', 400),
        (b'{"http_request": "ftp://site.example/"}', 400),
        (b'{"http_request": "http://"}', 400),
        (b'{"tcp_connect": ["site.example:443"]}', 400),
        (b'{"tcp_connect": ["93.184.216.34:99999"]}', 400),
        (b'{"tcp_connect": ["2001:db8::1:443"]}', 400),
        (b'{"http_request": "' + b"x" * 20_000 + b'"}', 413),
        (b"[" * 10_000, 400),
        (b'{"tcp_connect": [' + b",".join([b'"93.184.216.34:443"'] * 20) + b"]}", 400),
    ],
)
async def test_rubbish_gets_one_line_and_no_dial(body: bytes, status: int) -> None:
    async with helping() as asking:
        got, answer = await asking.post(body)
        assert got == status
        assert "error" in answer
        assert asking.network.connections == [FRONT]


@pytest.mark.anyio
async def test_what_is_no_request_ends_alone() -> None:
    async with helping() as asking:
        assert (await asking.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert (await asking.raw(b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        assert (await asking.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert (await asking.raw(b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000)).startswith(b"HTTP/1.1 431 ")
        # What answers no HEAD in the form that HEAD has is ended by whoever looks for web servers.
        for head in (b"HEAD / HTTP/1.1\r\nHost: x\r\n", b"HEAD / HTTP/1.0\r\n"):
            said = await asking.raw(head + b"\r\n")
            assert said.startswith(b"HTTP/1.1 200 ")
            assert said.endswith(b"\r\n\r\n")
        long = b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000
        assert (await asking.raw(long)).startswith(b"HTTP/1.1 413 ")
        # An open proxy would do what these ask for.
        assert (await asking.raw(b"CONNECT site.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        assert b"control vantage" in await asking.raw(b"GET http://site.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert set(asking.network.connections) == {FRONT}


@pytest.mark.anyio
async def test_a_client_that_asks_too_often_waits_and_others_do_not() -> None:
    async with helping(per_client=3) as asking:
        statuses = [(await asking.post(b"{}"))[0] for _ in range(4)]
        assert statuses == [200, 200, 200, 429]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", [("asyncio", {}), ("asyncio", {"use_uvloop": True})])
@pytest.mark.parametrize(("believed", "statuses"), [(True, [200, 200, 200, 429]), (False, [200, 200, 429, 429])])
async def test_a_web_server_in_front_says_whose_question_it_is(*, believed: bool, statuses: list[int]) -> None:
    network = RealNetwork()
    server = Server(Vantage(GuardedNetwork(network), Trust()), Bounds(per_client=2), forwarded=believed)
    listener = await network.listen_tcp("127.0.0.1", 0)
    place = "127.0.0.1", listener.extra(anyio.abc.SocketAttribute.local_port)
    got = []
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, listener)
        for claimed in ("198.51.100.1", "9.9.9.9, 198.51.100.1", "198.51.100.2", "8.8.8.8,198.51.100.1"):
            stream = await network.connect_tcp(*place)
            head = f"POST / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {claimed}\r\nContent-Length: 2\r\n\r\n"
            await stream.send(head.encode() + b"{}")
            got.append(int((await stream.receive()).split(b" ")[1]))
            await stream.aclose()
        tasks.cancel_scope.cancel()
    assert got == statuses


@pytest.mark.anyio
async def test_many_clients_cannot_use_it_against_one_site() -> None:
    async with helping({"site.example": [SITE]}, per_target=2) as asking:
        body = json.dumps({"http_request": "http://site.example/"}).encode()
        assert [(await asking.post(body))[0] for _ in range(3)] == [200, 200, 429]
        assert (await asking.post(b'{"http_request": "http://other.example/"}'))[0] == 200


@pytest.mark.anyio
async def test_more_than_it_can_do_at_once_is_refused_and_not_queued() -> None:
    async with helping({"slow.example": None}, at_once=2) as asking:
        statuses: list[int] = []

        async def one(number: int) -> None:
            url = f"http://slow.example/{number}"
            statuses.append((await asking.post(json.dumps({"http_request": url}).encode()))[0])

        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(one, number)
        assert sorted(statuses) == [200, 200, 503, 503]


@pytest.mark.anyio
async def test_a_client_that_says_nothing_is_left() -> None:
    async with helping(read_seconds=0.2, connections=1) as asking:
        stream = await asking.network.connect_tcp(*FRONT)
        await stream.send(b"POST / HTTP/1.1\r\n")
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
        await stream.aclose()
        assert (await asking.post(b"{}"))[0] == 200


def test_a_customer_of_ipv6_is_its_whole_64() -> None:
    assert client_of("2001:db8:1:2::5") == client_of("2001:db8:1:2:ffff::9")
    assert client_of("2001:db8:1:2::5") != client_of("2001:db8:1:3::5")
    assert client_of("::ffff:192.0.2.1") == client_of("192.0.2.1") == "192.0.2.1"
    assert client_of("x" * 500) == "x" * 100


def test_a_share_comes_back_with_time_and_is_never_more_than_a_minutes() -> None:
    limiter = Limiter(2)
    assert [limiter.take("a", now) for now in (0.0, 0.0, 0.0, 29.0, 30.0, 30.0)] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    assert limiter.take("b", 30.0)
    assert [limiter.take("a", 10_000.0) for _ in range(3)] == [True, True, False]


def test_what_is_kept_of_clients_is_bounded_and_names_nobody() -> None:
    limiter = Limiter(5)
    for number in range(30_000):
        limiter.take(f"192.0.2.{number}", 0.0)
    assert len(limiter) <= 20_000
    assert "192.0.2" not in repr(vars(limiter))
