"""The ways that bring their own resolver."""

from collections.abc import Iterator

import pytest
from anyio.abc import ByteStream

from rozaneh.core import Op, Target
from rozaneh.dialers import build
from rozaneh.net import Deadlines, measure
from rozaneh.net.memory import MemoryNetwork, echo, sends, silence
from rozaneh.net.trust import Trust
from tests.dialers.world import NAME, SITE, SITE6, dns_answer, dns_over_http, dns_over_stream, in_tls, outline

pytestmark = pytest.mark.anyio

TARGET = Target(host=NAME, port=443, speaks="https")
RESOLVER = "8.8.8.8"
RESOLVER_NAME = "dns.example"


def site(network: MemoryNetwork) -> None:
    network.serve(SITE, 443, echo)
    network.serve(SITE6, 443, echo)


async def test_dnstcp(trust: Trust) -> None:
    async with MemoryNetwork(delay=0.05) as network:
        network.serve(RESOLVER, 53, dns_over_stream())
        site(network)
        async with await measure(build(f"dnstcp:{RESOLVER}|tcp", network, trust=trust), TARGET) as measured:
            assert outline(measured.attempt) == [
                "resolve",
                f"resolve>connect {RESOLVER}:53",
                f"connect [{SITE6}]:443",
            ]
            resolve = measured.attempt.observations[0]
            assert resolve.took == pytest.approx(0.2)
            assert resolve.sent > 0
            assert resolve.received > 0
            assert resolve.tags == {
                "engine": "tcp",
                "resolver": RESOLVER,
                "query": NAME,
                "rcode": "NOERROR",
                "answers": (SITE, SITE6),
                "ttl": 60,
            }


@pytest.mark.parametrize("port", ["", ":8853"])
async def test_dot(trust: Trust, port: str) -> None:
    seen: list[str | None] = []
    async with MemoryNetwork() as network:
        network.serve(RESOLVER, int(port[1:] or 853), in_tls(RESOLVER_NAME, dns_over_stream(), seen))
        site(network)
        way = build(f"dot:{RESOLVER_NAME}@{RESOLVER}{port}|tcp", network, trust=trust)
        async with await measure(way, TARGET) as measured:
            place = f"{RESOLVER}{port or ':853'}"
            assert outline(measured.attempt) == [
                "resolve",
                f"resolve>connect {place}",
                f"resolve>tls_handshake {place}",
                f"connect [{SITE6}]:443",
            ]
    assert seen == [RESOLVER_NAME]


@pytest.mark.parametrize("answers", [100, 1])
async def test_doh_asks_both_families_in_one_round_trip(trust: Trust, answers: int) -> None:
    async with MemoryNetwork(delay=0.05) as network:
        network.serve(RESOLVER, 443, in_tls(RESOLVER_NAME, dns_over_http(answers=answers)))
        site(network)
        way = build(f"doh:{RESOLVER_NAME}@{RESOLVER}|tcp", network, trust=trust)
        async with await measure(way, TARGET) as measured:
            *steps, connect = outline(measured.attempt)
            assert steps == [
                "resolve",
                f"resolve>connect {RESOLVER}:443",
                f"resolve>tls_handshake {RESOLVER}:443",
                f"resolve>request {RESOLVER}:443",
            ]
            assert connect == (f"connect [{SITE6}]:443" if answers > 1 else f"connect {SITE}:443")
            assert [step.took for step in measured.attempt.steps(Op.REQUEST)] == [pytest.approx(0.1)]


async def test_the_resolver_is_reached_by_the_way_below(trust: Trust) -> None:
    class Count:
        sends = 0

    async def counting(stream: ByteStream) -> None:
        first = await stream.receive()
        Count.sends += len(first) == 2
        await stream.aclose()

    async with MemoryNetwork() as network:
        network.serve(RESOLVER, 443, counting)
        way = build(f"doh:{RESOLVER_NAME}@{RESOLVER}|split:2|tcp", network, trust=trust)
        assert (await measure(way, TARGET)).failure is not None
    assert Count.sends == 1


WAYS = [f"doh:{RESOLVER_NAME}@{RESOLVER}:443", f"dot:{RESOLVER_NAME}@{RESOLVER}:443", f"dnstcp:{RESOLVER}:443"]


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_known_is_not_asked(way: str, trust: Trust) -> None:
    async with MemoryNetwork() as network:
        site(network)
        dialer = build(f"{way}|tcp", network, trust=trust)
        for target in (TARGET.at(SITE), Target(host=SITE, port=443)):
            async with await measure(dialer, target) as measured:
                assert outline(measured.attempt) == [f"connect {SITE}:443"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_black_hole_is_a_connect_that_took_its_whole_time(way: str, trust: Trust) -> None:
    async with MemoryNetwork() as network:
        network.black_hole(RESOLVER, 443)
        measured = await measure(build(f"{way}|tcp", network, trust=trust), TARGET, deadlines=Deadlines(connect=5))
    assert outline(measured.attempt) == [
        "resolve generic_timeout_error",
        f"resolve>connect {RESOLVER}:443 generic_timeout_error",
    ]
    assert [step.took for step in measured.attempt.observations] == [5, 5]


def misbehaviours() -> Iterator[tuple[str, object, str]]:
    doh, dot, dnstcp = WAYS
    yield dnstcp, sends(b"\x00\x05hello"), "dns_server_misbehaving"
    yield dnstcp, sends(b"\x00"), "eof_error"
    yield dnstcp, silence, "generic_timeout_error"
    yield dnstcp, dns_over_stream({}), "dns_nxdomain_error"
    yield dnstcp, dns_over_stream({NAME: ()}), "dns_no_answer"
    yield dot, in_tls("other.example", dns_over_stream()), "ssl_invalid_hostname"
    yield dot, in_tls(RESOLVER_NAME, sends(b"\x00\x05hello")), "dns_server_misbehaving"
    yield dot, sends(b"HTTP/1.1 403 Forbidden\r\n\r\n"), "ssl_failed_handshake"
    yield doh, in_tls(RESOLVER_NAME, dns_over_http({})), "dns_nxdomain_error"
    yield doh, in_tls(RESOLVER_NAME, dns_over_http(status=503)), "http_unexpected_status_code"
    yield doh, in_tls(RESOLVER_NAME, sends(b"SSH-2.0-x\r\n\r\n")), "dns_server_misbehaving"
    yield doh, in_tls(RESOLVER_NAME, sends(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(70000))), "dns_server_misbehaving"
    yield doh, in_tls(RESOLVER_NAME, silence), "generic_timeout_error"


@pytest.mark.parametrize(("way", "behaviour", "failure"), list(misbehaviours()))
async def test_a_resolver_that_misbehaves(way: str, behaviour: object, failure: str, trust: Trust) -> None:
    async with MemoryNetwork() as network:
        network.serve(RESOLVER, 443, behaviour)  # type: ignore[arg-type]  # a table of behaviours of several makes
        measured = await measure(build(f"{way}|tcp", network, trust=trust), TARGET)
    assert measured.failure == failure
    assert measured.attempt.observations[0].failure == failure


async def test_an_unknown_authority_is_not_believed() -> None:
    async with MemoryNetwork() as network:
        network.serve(RESOLVER, 853, in_tls(RESOLVER_NAME, dns_over_stream()))
        way = build(f"dot:{RESOLVER_NAME}@{RESOLVER}|tcp", network, trust=Trust())
        assert (await measure(way, TARGET)).failure == "ssl_unknown_authority"


class Datagrams:
    """A resolver in datagrams: for each question, what a list of makers of answers gives, each after its delay."""

    def __init__(self, *answers: tuple[float, str], truncated: bool = False, deaf_to: int = 0) -> None:
        self.asked = 0
        self._answers = answers
        self._truncated = truncated
        self._deaf_to = deaf_to

    def __call__(self, message: bytes) -> Iterator[tuple[float, bytes]]:
        self.asked += 1
        if self.asked > self._deaf_to:
            for delay, address in self._answers:
                yield delay, dns_answer(message, {NAME: (address,)}, truncated=self._truncated)


async def test_dnsudp_takes_the_first_answer_and_can_listen_for_late_ones(trust: Trust) -> None:
    async with MemoryNetwork() as network:
        site(network)
        network.answer(RESOLVER, 53, Datagrams((0.02, "10.10.34.36"), (0.1, SITE)))
        way = build(f"dnsudp:{RESOLVER}|tcp", network, trust=trust)
        measured = await measure(way, TARGET)
        assert measured.failure == "dns_bogon_error"
        assert measured.attempt.observations[0].names("late_answers") == ()
        assert measured.attempt.observations[0].took == pytest.approx(0.02)
        measured = await measure(way, TARGET, deadlines=Deadlines(listen_late=0.2))
        (resolve,) = measured.attempt.steps(Op.RESOLVE)
        assert resolve.names("answers") == ("10.10.34.36",)
        assert resolve.names("late_answers") == (SITE,)
        assert resolve.tag("engine") == "udp"


async def test_dnsudp_asks_again_after_silence() -> None:
    async with MemoryNetwork() as network:
        site(network)
        resolver = Datagrams((0.02, SITE), deaf_to=2)
        network.answer(RESOLVER, 53, resolver)
        async with await measure(build(f"dnsudp:{RESOLVER}|tcp", network), TARGET) as measured:
            assert measured.attempt.observations[0].took == pytest.approx(1.52)
    assert resolver.asked == 4


async def test_dnsudp_against_silence_is_a_timeout() -> None:
    async with MemoryNetwork() as network:
        measured = await measure(build(f"dnsudp:{RESOLVER}|tcp", network), TARGET, deadlines=Deadlines(resolve=7))
    assert outline(measured.attempt) == [f"resolve {RESOLVER}:53 generic_timeout_error"]
    assert measured.attempt.took == 7


async def test_dnsudp_fetches_a_truncated_answer_over_tcp() -> None:
    async with MemoryNetwork() as network:
        site(network)
        network.answer(RESOLVER, 53, Datagrams((0, SITE), truncated=True))
        network.serve(RESOLVER, 53, dns_over_stream())
        async with await measure(build(f"dnsudp:{RESOLVER}|tcp", network), TARGET) as measured:
            assert measured.attempt.observations[0].names("answers") == (SITE, SITE6)


@pytest.mark.parametrize("behaviour", [None, sends(b"\x00\x05hello")])
async def test_dnsudp_whose_truncated_answer_cannot_be_fetched_fails(behaviour: object) -> None:
    async with MemoryNetwork() as network:
        network.answer(RESOLVER, 53, Datagrams((0, SITE), truncated=True))
        if behaviour:
            network.serve(RESOLVER, 53, behaviour)  # type: ignore[arg-type]  # as above
        measured = await measure(build(f"dnsudp:{RESOLVER}|tcp", network), TARGET)
    assert measured.failure == ("unknown_failure" if behaviour else "connection_refused")


async def test_dnsudp_ignores_what_is_no_answer() -> None:
    def noisy(message: bytes) -> Iterator[tuple[float, bytes]]:
        yield 0, b"noise"
        yield 0, bytes([message[0] ^ 1]) + dns_answer(message, {NAME: ("10.10.34.36",)})[1:]
        yield 0.01, dns_answer(message)

    async with MemoryNetwork() as network:
        site(network)
        network.answer(RESOLVER, 53, noisy)
        async with await measure(build(f"dnsudp:{RESOLVER}|tcp", network), TARGET) as measured:
            assert measured.attempt.observations[0].names("answers") == (SITE, SITE6)


async def test_one_family_waits_only_a_moment_for_the_other() -> None:
    def four_alone(message: bytes) -> Iterator[tuple[float, bytes]]:
        if b"\x00\x01\x00\x01" in message[-4:]:
            yield 0.02, dns_answer(message)

    async with MemoryNetwork() as network:
        site(network)
        network.answer(RESOLVER, 53, four_alone)
        async with await measure(build(f"dnsudp:{RESOLVER}|tcp", network), TARGET) as measured:
            assert measured.attempt.observations[0].took == pytest.approx(0.32)
            assert measured.attempt.observations[0].names("answers") == (SITE,)


@pytest.mark.parametrize("way", [*WAYS, f"dnsudp:{RESOLVER}"])
async def test_a_name_that_dns_cannot_carry_is_a_failure_of_the_lookup(way: str, trust: Trust) -> None:
    async with MemoryNetwork() as network:
        long = Target(host="a" * 64 + ".example", port=443)
        measured = await measure(build(f"{way}|tcp", network, trust=trust), long)
    assert measured.failure == "dns_non_recoverable_failure"
