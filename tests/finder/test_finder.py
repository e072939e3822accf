"""The finder in a world in memory, on a clock that jumps: each obstacle is got past by what the table says."""

from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from rozaneh.core import Failure, Spec
from rozaneh.finder import Connection, Finder, Flight, Refusal, Rules, Table
from rozaneh.net.memory import MemoryNetwork, echo, resets, silence
from tests.finder.world import (
    BLOCK_PAGE,
    GET,
    HELLO_BACK,
    NAMES,
    OTHER_RESOLVER,
    PAGE,
    RELAY,
    RESOLVER,
    SITE,
    UPSTREAM,
    Recorder,
    answers,
    connected,
    finder,
    flight,
    hello,
    resolver,
    row,
    socks_relay,
    table,
    target,
    unless_whole,
)

pytestmark = pytest.mark.anyio


async def test_an_unblocked_site_is_reached_directly_and_nothing_else_is_dialled(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES, delay=0.05) as network:
        network.serve(SITE, 443, answers(HELLO_BACK))
        made = await connected(await finder(network, seen).connect(target(), flight(hello())))
        assert (made.way.shown, made.obstacle, made.first) == ("tcp", "", HELLO_BACK)
        assert network.connections == [(SITE, 443)]
    assert seen.outcomes == [("tcp", "ok")]


async def test_a_far_site_is_given_the_time_of_its_own_round_trips(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES, delay=0.11) as network:
        network.serve(SITE, 443, answers(HELLO_BACK))
        await connected(await finder(network, seen).connect(target(), flight(hello())))
        assert network.connections == [(SITE, 443)]


async def test_on_a_long_line_one_lost_packet_sends_nobody_another_way(seen: Recorder) -> None:
    async def once_more(stream: ByteStream) -> None:
        await stream.receive()
        await anyio.sleep(3 * 0.3 + 0.2)  # what was lost is sent again after three round trips, and the line is narrow
        await stream.send(HELLO_BACK)
        await silence(stream)

    async with MemoryNetwork(names=NAMES, delay=0.15) as network:
        network.serve(SITE, 443, once_more)
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        made = await connected(await finder(network, seen).connect(target(), flight(hello())))
        assert (made.way.shown, made.obstacle, made.tried) == ("tcp", "", 1)
        assert network.connections == [(SITE, 443)], "nothing is dialled that its user did not ask for"


async def test_on_a_long_line_a_first_packet_that_is_lost_sends_nobody_another_way(seen: Recorder) -> None:
    class Loses(MemoryNetwork):
        async def connect_tcp(self, address: str, port: int) -> ByteStream:
            await anyio.sleep(1.0 if port == 443 else 0.0)
            return await super().connect_tcp(address, port)

    async with Loses(names=NAMES, delay=0.15) as network:
        network.serve(SITE, 443, answers(HELLO_BACK))
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        made = await connected(await finder(network, seen).connect(target(), flight(hello())))
        assert (made.way.shown, made.obstacle, made.tried) == ("tcp", "", 1)


@pytest.mark.parametrize("forged", [["10.10.34.36"], Failure.DNS_NXDOMAIN_ERROR, None])
async def test_a_forged_name_is_resolved_elsewhere(seen: Recorder, forged: Any) -> None:
    async with MemoryNetwork(names={"blocked.example": forged}, delay=0.02) as network:
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        network.serve(SITE, 443, answers(HELLO_BACK))
        found = finder(network, seen)
        made = await connected(await found.connect(target(), flight(hello())))
        assert made.way.shown == f"dnstcp:{RESOLVER}|tcp"
        network.connections.clear()
        again = await connected(await found.connect(target(), flight(hello())))
        assert again.way.shown == made.way.shown
        assert network.connections == [(SITE, 443)], "the addresses are known by now"


async def test_a_resolver_that_is_silent_is_replaced_by_the_next(seen: Recorder) -> None:
    async with MemoryNetwork(names={"blocked.example": ["10.10.34.36"]}, delay=0.02) as network:
        network.black_hole(RESOLVER, 53)
        network.serve(OTHER_RESOLVER, 53, resolver({"blocked.example": SITE}))
        network.serve(SITE, 443, answers(HELLO_BACK))
        made = await connected(
            await finder(network, seen, table=table(dns_forgery=["{resolver}|tcp"])).connect(target(), flight(hello()))
        )
        assert made.way.shown == f"dnstcp:{OTHER_RESOLVER}|tcp"
    assert dict(seen.outcomes)[f"dnstcp:{RESOLVER}|tcp"] == "interrupted"


@pytest.mark.parametrize(("censor", "obstacle"), [(resets(), "tls_name_reset"), (silence, "tls_name_silence")])
async def test_a_name_in_tls_is_hidden_by_cutting(seen: Recorder, censor: Any, obstacle: str) -> None:
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", censor, answers(HELLO_BACK)))
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        found = finder(
            network, seen, table=Table([row(f"dnstcp:{RESOLVER}")], tuple(Table.shipped().obstacles.values()))
        )
        made = await connected(await found.connect(target(), flight(hello())))
        assert made.obstacle == obstacle
        assert made.way.shown == "tlsfrag:sni|tcp"
        assert (RESOLVER, 53) not in network.connections, "the direct way connected, so the address is known"
        network.connections.clear()
        seen.attempts.clear()
        await connected(await found.connect(target(), flight(hello())))
        assert seen.outcomes == [("tlsfrag:sni|tcp", "ok")], "what is known to be blocked is not shown again"


async def test_an_address_that_is_a_black_hole_needs_an_upstream(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network.black_hole(SITE, 443)
        network.serve("10.0.0.9", 443, answers(HELLO_BACK))
        network._behaviours["far", 443] = answers(HELLO_BACK)
        network.serve(RELAY, 1080, socks_relay(network, {"blocked.example": SITE}))
        made = await connected(
            await finder(network, seen, ways=[UPSTREAM], table=table(address_black_hole=["{upstream}"])).connect(
                target(), flight(hello())
            )
        )
        assert made.way.private
        assert made.way.shown == str(UPSTREAM)
    assert seen.outcomes[-1] == ("tcp", "interrupted")


async def test_without_a_way_it_is_refused_with_the_reason(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network.black_hole(SITE, 443)
        search = finder(network, seen, table=table(address_black_hole=["{upstream}"]))
        found = await search.connect(target(), flight(hello()))
        assert isinstance(found, Refusal)
        assert found.obstacle == "address_black_hole"
        assert found.failure is Failure.GENERIC_TIMEOUT_ERROR
        assert found.needs_upstream
        await anyio.sleep(60)
        (why,) = search.why("blocked.example")
        assert (why.refused, why.refusal, why.needs_upstream, why.way) == (False, found.obstacle, True, "")


async def test_a_block_page_is_no_answer(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 80, answers(BLOCK_PAGE))
        network._behaviours["far", 80] = answers(PAGE)
        network.serve(RELAY, 1080, socks_relay(network, {"blocked.example": SITE}))
        made = await connected(await finder(network, seen, ways=[UPSTREAM]).connect(target(port=80), flight(GET)))
        assert made.first == PAGE
        assert made.obstacle == "http_block_page"


async def test_a_request_that_changes_something_goes_out_once(seen: Recorder) -> None:
    post = b"POST / HTTP/1.1\r\nHost: blocked.example\r\nContent-Length: 2\r\n\r\nhi"
    heard: list[bytes] = []

    async def swallow(stream: Any) -> None:
        heard.append(await stream.receive())
        raise ConnectionResetError

    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 80, swallow)
        network.serve(RELAY, 1080, swallow)
        made = await finder(network, seen, ways=[UPSTREAM]).connect(target(port=80), flight(post))
        assert isinstance(made, Connection)
        await anyio.sleep(5)
        await made.stream.aclose()
    assert heard == [post]


async def test_a_server_that_speaks_first_is_heard(seen: Recorder) -> None:
    async def greets(stream: Any) -> None:
        await stream.send(b"220 hello\r\n")
        await anyio.sleep_forever()

    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 25, greets)
        async with finder(network, seen).opening(target(port=25)) as opening:
            await opening.server_speaks()
            made = await opening.carry(None)
        assert (await connected(made)).first == b"220 hello\r\n"


async def test_a_known_block_is_never_dialled_directly_again_even_when_its_way_dies(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        ways = table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp", "{resolver}|split:sni|tcp"])
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        found = finder(network, seen, table=ways)
        await connected(await found.connect(target(), flight(hello())))
        network.serve(SITE, 443, resets())
        seen.attempts.clear()
        refused = await found.connect(target(), flight(hello()))
        assert isinstance(refused, Refusal)
        assert "tcp" not in dict(seen.outcomes)
        assert {spec for spec, _ in seen.outcomes} == {"tlsfrag:sni|tcp", "split:sni|tcp"}, "nor asked for in the clear"


async def test_a_known_block_is_not_asked_for_in_the_clear_unless_its_user_says_so(seen: Recorder) -> None:
    ways = table(dns_forgery=["{resolver}|tcp"])
    async with MemoryNetwork(names={"blocked.example": ["10.10.34.34"]}, delay=0.02) as network:
        for place in (RESOLVER, OTHER_RESOLVER):
            network.serve(place, 53, resets())
        found, lax = finder(network, seen, table=ways), finder(network, seen, table=ways, clear_lookups=True)
        for each in (found, lax):
            assert isinstance(await each.connect(target(), flight(hello())), Refusal), "the direct way had just asked"
        await anyio.sleep(30)
        network.connections.clear()
        for place in (RESOLVER, OTHER_RESOLVER):
            network.serve(place, 53, resolver({"blocked.example": SITE}))
        network.serve(SITE, 443, answers(HELLO_BACK))
        refused = await found.connect(target(), flight(hello()))
        assert isinstance(refused, Refusal)
        assert (refused.obstacle, network.connections) == ("resolvers_silent", [])
        assert found.why("blocked.example")[0].refusal == "resolvers_silent"
        await connected(await lax.connect(target(), flight(hello())))
        await anyio.sleep(200)
        await connected(await found.connect(target(), flight(hello())))
        network.connections.clear()
        for _ in range(5):
            await anyio.sleep(300)
            await connected(await found.connect(target(), flight(hello())))
        assert {port for _, port in network.connections} == {443}, "longer than the answer's 300 s it is not asked for"


async def test_what_fails_at_the_addresses_of_the_system_is_tried_last_at_those_of_a_resolver(seen: Recorder) -> None:
    true = "93.184.216.99"
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network.serve(SITE, 443, resets())
        network.serve(RESOLVER, 53, resolver({"blocked.example": true}))
        network.serve(true, 443, answers(HELLO_BACK))
        ways = table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp", "{resolver}|split:sni|tcp"])
        found = finder(network, seen, table=ways)
        made = await connected(await found.connect(target(), flight(hello())))
        assert made.way.shown == f"dnstcp:{RESOLVER}|tlsfrag:sni|tcp"
        assert [spec for spec, _ in seen.outcomes[:3]] == ["tcp", "tlsfrag:sni|tcp", "split:sni|tcp"]


async def test_a_block_is_verified_anew_after_a_while(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        found = finder(network, seen, table=table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp"]))
        await connected(await found.connect(target(), flight(hello())))
        network.serve(SITE, 443, answers(HELLO_BACK))
        await anyio.sleep(3600)
        made = await connected(await found.connect(target(), flight(hello())))
        assert (made.way.shown, made.obstacle) == ("tcp", "")


async def test_on_another_network_everything_is_looked_at_anew(seen: Recorder) -> None:
    place = ["home"]
    async with MemoryNetwork(names=NAMES, delay=0.02) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        ways = table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp"])
        found = finder(network, seen, table=ways, where=lambda: place[0])
        await connected(await found.connect(target(), flight(hello())))
        place[0] = "work"
        seen.attempts.clear()
        await connected(await found.connect(target(), flight(hello())))
        assert seen.outcomes[0] == ("tcp", "connection_reset")


async def test_why_tells_what_was_tried(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 443, unless_whole("blocked.example", resets(), answers(HELLO_BACK)))
        network.serve(RESOLVER, 53, resolver({"blocked.example": SITE}))
        found = finder(network, seen, table=table(tls_name_reset=["{resolver}|tlsfrag:sni|tcp"]))
        await connected(await found.connect(target(), flight(hello())))
        (why,) = found.why("blocked.example")
        assert [(each.way, each.failure, each.step) for each in why.tried] == [
            ("tcp", "connection_reset", "tls_handshake"),
            ("tlsfrag:sni|tcp", "", ""),
        ]
        assert why.tried[0].suggests
        assert (why.obstacle, why.way, why.port) == ("tls_name_reset", "tlsfrag:sni|tcp", 443)
        assert why.evidence is not None
        assert (why.evidence.level, why.evidence.source, why.evidence.worked_here) == ("works", "a test", 1.0)
        assert why.verified_again_in > 0
        assert found.why("other.example") == ()


async def test_what_speaks_neither_tls_nor_http_is_bridged(seen: Recorder) -> None:
    async with MemoryNetwork(names=NAMES) as network:
        network.serve(SITE, 4000, echo)
        made = await finder(network, seen).connect(target(port=4000), Flight(data=b"\x00raw"))
        assert isinstance(made, Connection)
        assert not made.answered
        assert await made.stream.receive() == b"\x00raw"
        await made.stream.aclose()


async def test_a_wrong_way_is_an_error_at_the_start() -> None:
    async with MemoryNetwork() as network:
        with pytest.raises(Exception, match="unknown"):
            Finder(network, ways=[Spec.parse("nonsense:1|tcp")])
        assert Rules().stagger == 0.25
