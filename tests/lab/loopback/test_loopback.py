"""Tier T0 shows what whole connections can show of a censor, by the same engine as the wire."""

import errno
import ssl
import subprocess
from collections.abc import Callable, Iterator

import anyio
import msgspec
import pytest
from anyio.streams.tls import TLSStream

from rozaneh.core import DialFailed, LocalFault
from rozaneh.lab.hosts import LabClient
from rozaneh.lab.lab import Lab
from rozaneh.lab.loopback.addresses import LoopbackAddresses
from rozaneh.lab.loopback.curl import Url, redirected, urls_of
from rozaneh.lab.loopback.hop import parse_wish
from rozaneh.lab.scenario import Scenario, load_scenario, parse_scenario
from rozaneh.net.resolve import ask_udp
from rozaneh.net.trace import Step, Trace

URL = "https://blocked.example/"
PATIENCE = 1.5


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(tier="T0") as made:
        yield made


@pytest.fixture
def home(lab: Lab) -> Iterator[Callable[[str], LabClient]]:
    """``home("sni-reset")`` is a customer behind the censors of a scenario."""
    made: list[LabClient] = []

    def behind(scenario: str) -> LabClient:
        made.append(lab.client("mobile", _streams(scenario)))
        return made[-1]

    yield behind
    for client in made:
        client.close()


def _streams(scenario: str) -> Scenario:
    found = parse_scenario(scenario, "test") if "\n" in scenario else load_scenario(scenario)
    return msgspec.structs.replace(found, tier="streams")


def _curl(client: LabClient, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return client.run(["curl", "-sS", "-o", "/dev/null", "-m", f"{PATIENCE}", "-w", "%{http_code}", *options, url])


def test_it_says_what_it_is(lab: Lab) -> None:
    assert (lab.tier.name, lab.tier.packets) == ("T0", False)


@pytest.mark.parametrize(
    ("scenario", "url", "code", "shows"),
    [
        ("clear", URL, 0, "200"),
        ("sni-reset", URL, 35, "reset by peer"),
        ("sni-reset", "https://example.org/", 0, "200"),
        ("sni-reset-in-path", URL, 35, "reset by peer"),
        ("sni-drop", URL, 28, "timed out"),
        ("dns-injection-race", URL, 28, "timed out"),
        ("http-403", "http://blocked.example/", 0, "403"),
        ("http-403", URL, 0, "200"),
        ("http-on-443", URL, 35, "wrong version number"),
        ("address-drop", URL, 28, "timed out"),
        ("site-down", "https://down.example/", 35, "reset by peer"),
        ("wrong-certificate", "https://badcert.example/", 60, "no alternative certificate"),
        ("sanctions-refusal", "https://refuses.example/", 0, "403"),
    ],
)
def test_curl_sees_what_it_would_see_behind_the_wire(
    home: Callable[[str], LabClient], scenario: str, url: str, code: int, shows: str
) -> None:
    ran = _curl(home(scenario), url)
    assert ran.returncode == code
    assert shows in ran.stdout + ran.stderr


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("scenario", "number"),
    [
        ("address-reset", errno.ECONNREFUSED),
        ("address-unreachable", errno.EHOSTUNREACH),
        ("clear", 0),
    ],
)
def test_this_process_gets_the_errors_of_the_system(
    home: Callable[[str], LabClient], backend: str, scenario: str, number: int
) -> None:
    network = home(scenario).network

    async def connect() -> int:
        try:
            stream = await network.connect_tcp("93.184.216.35", 443)
        except OSError as error:
            return error.errno or -1
        await stream.aclose()
        return 0

    assert anyio.run(connect, backend=backend) == number


def test_a_black_hole_is_silent_for_as_long_as_one_waits(home: Callable[[str], LabClient]) -> None:
    network = home("address-drop").network

    async def connect() -> bool:
        with anyio.move_on_after(0.3) as scope:
            await network.connect_tcp("93.184.216.35", 443)
        return scope.cancelled_caught

    assert anyio.run(connect)


def test_a_forged_answer_comes_first_and_the_true_one_after(home: Callable[[str], LabClient]) -> None:
    network = home("dns-injection-race").network

    async def ask() -> tuple[list[str], object]:
        step = Step(Trace(), 0)
        first = await ask_udp(network, [("8.8.8.8", 53)], "blocked.example", step, listen_late=0.3)
        return first, step.tags.get("late_answers")

    first, late = anyio.run(ask)
    assert first[0] == "10.10.34.36"
    assert "93.184.216.35" in str(late)


def test_a_name_that_is_denied_does_not_exist(home: Callable[[str], LabClient]) -> None:
    with pytest.raises(DialFailed, match="nxdomain"):
        anyio.run(home("dns-nxdomain").network.resolve, "blocked.example")


def test_a_cleared_flow_carries_bytes_both_ways_and_ends(home: Callable[[str], LabClient]) -> None:
    client = home("clear")

    async def talk() -> bytes:
        plain = await client.network.connect_tcp("93.184.216.34", 443)
        context = ssl.create_default_context(cafile=str(client.environment()["SSL_CERT_FILE"]))
        async with await TLSStream.wrap(plain, hostname="example.org", ssl_context=context) as stream:
            await stream.send(b"GET /bytes/300000 HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
            gathered = b""
            try:
                while True:
                    gathered += await stream.receive()
            except anyio.EndOfStream:
                return gathered

    assert len(anyio.run(talk).partition(b"\r\n\r\n")[2]) == 300_000


def test_echoed_datagrams_cross_and_dropped_ones_do_not(home: Callable[[str], LabClient]) -> None:
    rule = '[[rule]]\nat = "border"\nmode = "in-path"\n{}\naction = "drop"\n'
    everything = 'match = { direction = "out", protocol = "udp" }'

    async def echo(client: LabClient) -> bytes:
        datagrams = await client.network.connect_udp("45.76.10.21", 443)
        try:
            await datagrams.send(b"hello")
            with anyio.move_on_after(0.4):
                return await datagrams.receive()
            return b""
        finally:
            await datagrams.aclose()

    assert anyio.run(echo, home("clear")) == b"hello"
    assert anyio.run(echo, home(rule.format(everything))) == b""


def test_datagrams_that_a_censor_leads_elsewhere_are_answered_from_there(home: Callable[[str], LabClient]) -> None:
    led = home("""
[[rule]]
match = { direction = "out", protocol = "udp", destination.port = 53 }
state.scope = "flow"
action = { redirect = { to = "raw.example", port = 443 } }
""")

    async def ask(address: str) -> bytes:
        datagrams = await led.network.connect_udp(address, 53)
        try:
            await datagrams.send(b"hello")
            with anyio.fail_after(5):
                return await datagrams.receive()
        finally:
            await datagrams.aclose()

    assert [anyio.run(ask, address) for address in ("8.8.8.8", "2001:4860:4860::8888")] == [b"hello", b"hello"]


def test_a_host_of_the_world_dials_without_censors(lab: Lab) -> None:
    network = lab.host("control").network

    async def page() -> bytes:
        stream = await network.connect_tcp("93.184.216.35", 80)
        async with stream:
            await stream.send(b"GET / HTTP/1.0\r\nHost: blocked.example\r\n\r\n")
            return await stream.receive()

    assert b"200 OK" in anyio.run(page)


def test_a_customer_without_ipv6_has_none(lab: Lab) -> None:
    network = lab.client("fixed", ipv6=False).network

    async def connect() -> None:
        await network.connect_tcp("2606:2800:220:1::34", 443)

    with pytest.raises(OSError, match="unreachable"):
        anyio.run(connect)


def test_what_it_cannot_do_it_says(lab: Lab, home: Callable[[str], LabClient]) -> None:
    with pytest.raises(LocalFault, match="tier T1 or T2"):
        home("clear").run(["dig", "example.org"])
    with pytest.raises(LocalFault, match="needs real packets"):
        lab.client("mobile", msgspec.structs.replace(load_scenario("sni-reset"), tier="packets"))
    with pytest.raises(LocalFault, match="T1 or T2"):
        lab.set_link("mobile", lab.world.host["mobile"].link)


def test_two_labs_run_at_once(lab: Lab) -> None:
    with Lab(tier="T0") as other:
        assert _curl(other.client("mobile"), URL).stdout == "200"
        assert _curl(lab.client("mobile"), URL).stdout == "200"


def test_no_two_labs_stand_on_the_same_addresses_and_who_finds_none_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rozaneh.lab.loopback.addresses._NETS", 2)
    monkeypatch.setattr("rozaneh.lab.loopback.addresses._FIRST_NET", 240)
    one, other = LoopbackAddresses(), LoopbackAddresses()
    assert {one.of("8.8.8.8"), other.of("8.8.8.8")} == {"127.240.0.2", "127.241.0.2"}
    with pytest.raises(LocalFault, match="taken by another lab"):
        LoopbackAddresses()
    one.close()
    again = LoopbackAddresses()
    assert again.of("8.8.8.8") == one.of("8.8.8.8")
    again.close()
    other.close()


def test_addresses_go_there_and_back() -> None:
    addresses = LoopbackAddresses(net=99)
    one, two = addresses.of("2001:db8::1"), addresses.of("93.184.216.34")
    assert one.startswith("127.99.")
    assert one != two
    assert (addresses.behind(one), addresses.of("2001:db8::1")) == ("2001:db8::1", one)
    assert addresses.behind("127.0.0.1") == "127.0.0.1"


def test_curl_is_told_where_its_urls_are() -> None:
    argv = ["curl", "--resolve", "a.example:443:1.2.3.4", "https://a.example/", "http://[2001:db8::1]:8080/x"]
    urls = urls_of(argv)
    assert urls == [
        Url(host="a.example", port=443, address="1.2.3.4"),
        Url(host="2001:db8::1", port=8080, address="2001:db8::1"),
    ]
    told = redirected(argv, {urls[1]: ("127.1.2.3", 5)})
    assert told[1:3] == ["--connect-to", "[2001:db8::1]:8080:127.1.2.3:5"]


def test_a_wish_is_read() -> None:
    wish = parse_wish(b"tcp mobile-1 2001:DB8::1 443\n")
    assert (wish.kind, wish.customer, wish.address, wish.port) == ("tcp", "mobile-1", "2001:db8::1", 443)
