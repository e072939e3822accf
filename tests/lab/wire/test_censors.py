"""Which censors see what, and what becomes of what they do."""

import pytest

from rozaneh.lab.wire import packet
from tests.lab.wire.internet import Internet, Judgement, ipv4

HOME, ABROAD, DOMESTIC, RESOLVER = "10.77.1.0", "93.184.216.34", "5.160.0.10", "10.202.77.53"


def dropping(_raw: bytes, _outbound: bool, _place: str) -> Judgement:
    return Judgement([])


@pytest.mark.parametrize(
    ("target", "address", "places"),
    [
        ("abroad", ABROAD, ["operator", "border"]),
        ("domestic", DOMESTIC, ["operator"]),
        ("resolver", RESOLVER, ["operator"]),
    ],
)
def test_each_place_sees_what_passes_it_in_path_order(
    internet: Internet, target: str, address: str, places: list[str]
) -> None:
    judge = internet.censor("home", "border", "operator")
    internet.send("home", ipv4(HOME, address))
    internet.send(target, ipv4(address, HOME))
    assert len(internet.settle()) == 2
    seen = [(place, outbound) for place, outbound, _ in judge.seen]
    assert seen == [(place, True) for place in places] + [(place, False) for place in reversed(places)]


def test_between_the_country_and_the_world_stands_the_border_alone(internet: Internet) -> None:
    judge = internet.censor("domestic", "border", "operator")
    internet.send("domestic", ipv4(DOMESTIC, ABROAD))
    internet.send("abroad", ipv4(ABROAD, DOMESTIC))
    assert {where for _, where, _ in internet.settle()} == {"domestic", "abroad"}
    assert [(place, outbound) for place, outbound, _ in judge.seen] == [("border", True), ("border", False)]


def test_a_censor_of_one_customer_never_sees_another(internet: Internet) -> None:
    judge = internet.censor("domestic", "border", "operator")
    internet.send("home", ipv4(HOME, ABROAD))
    internet.settle()
    assert judge.seen == []


@pytest.mark.parametrize("ttl", range(1, 9))
def test_a_probe_is_seen_by_the_censors_that_it_reaches(internet: Internet, ttl: int) -> None:
    judge = internet.censor("home", "operator", "border")
    internet.send("home", ipv4(HOME, ABROAD, ttl=ttl))
    internet.settle()
    outbound = [place for place, out, raw in judge.seen if out and raw[9] == 253]
    assert outbound == ["operator"] * (ttl > 2) + ["border"] * (ttl > 4)


def test_a_scenario_can_move_the_border(internet: Internet) -> None:
    judge = internet.censor("home", "border", hops={"border": 3})
    for ttl in (3, 4):
        internet.send("home", ipv4(HOME, ABROAD, ttl=ttl))
    internet.settle()
    assert len([1 for _, outbound, _ in judge.seen if outbound]) == 1


def test_a_censor_sees_the_ttl_as_it_is_at_its_place(internet: Internet) -> None:
    judge = internet.censor("home", "operator", "border")
    internet.send("home", ipv4(HOME, ABROAD, ttl=64))
    internet.settle()
    assert [packet.ttl(raw) for _, _, raw in judge.seen] == [62, 60]


def test_what_is_dropped_is_gone(internet: Internet) -> None:
    internet.censor("home", "border", act=dropping)
    internet.send("home", ipv4(HOME, ABROAD))
    assert internet.settle() == []
    assert internet.wire.counters["dropped"] == 1


def test_what_is_held_back_comes_later_and_what_is_doubled_comes_twice(internet: Internet) -> None:
    internet.censor("home", "border", act=lambda raw, _out, _place: Judgement([(raw, 0.1), (raw, 0.0)]))
    internet.send("home", ipv4(HOME, ABROAD))
    assert [(when, where) for when, where, _ in internet.settle()] == [(0.022, "abroad"), (0.122, "abroad")]


def test_a_forged_answer_starts_at_the_censor(internet: Internet) -> None:
    forged = ipv4(ABROAD, HOME, b"forged")

    def answers(raw: bytes, outbound: bool, _place: str) -> Judgement:
        return Judgement([(raw, 0.0)], [(forged, "client", 0.001)] if outbound else [])

    internet.censor("home", "border", act=answers)
    internet.send("home", ipv4(HOME, ABROAD))
    (early, later) = internet.settle()
    assert early[:2] == (0.005, "home")  # 2 ms there, 1 ms to think, 2 ms back
    assert packet.ttl(early[2]) == 60
    assert early[2][20:] == b"forged"
    assert later[:2] == (0.022, "abroad")


def test_a_forged_packet_for_the_server_travels_on(internet: Internet) -> None:
    forged = ipv4(HOME, ABROAD, b"forged", ttl=30)

    def resets(_raw: bytes, _outbound: bool, _place: str) -> Judgement:
        return Judgement([], [(forged, "server", 0.0)])

    internet.censor("home", "border", act=resets)
    internet.send("home", ipv4(HOME, ABROAD))
    ((when, where, raw),) = internet.settle()
    assert (when, where, packet.ttl(raw)) == (0.022, "abroad", 27)


def test_injections_towards_both_ends_of_an_answer(internet: Internet) -> None:
    to_client, to_server = ipv4(ABROAD, HOME, b"c"), ipv4(HOME, ABROAD, b"s")

    def resets(_raw: bytes, _outbound: bool, _place: str) -> Judgement:
        return Judgement([], [(to_client, "client", 0.0), (to_server, "server", 0.0)])

    internet.censor("home", "border", act=resets)
    internet.send("abroad", ipv4(ABROAD, HOME))
    assert [(when, where) for when, where, _ in internet.settle()] == [(0.022, "home"), (0.04, "abroad")]


def test_the_operator_sees_what_the_border_injects(internet: Internet) -> None:
    forged = ipv4(ABROAD, HOME, b"forged")

    def answers(raw: bytes, outbound: bool, place: str) -> Judgement:
        return Judgement([(raw, 0.0)], [(forged, "client", 0.0)] if outbound and place == "border" else [])

    judge = internet.censor("home", "operator", "border", act=answers)
    internet.send("home", ipv4(HOME, ABROAD))
    internet.settle()
    assert ("operator", False, packet.lowered(forged, 2)) in judge.seen


def test_censors_that_provoke_each_other_come_to_an_end(internet: Internet) -> None:
    def shouts(raw: bytes, outbound: bool, place: str) -> Judgement:
        toward = "server" if place == "operator" else "client"
        return Judgement([(raw, 0.0)], [(ipv4(HOME, ABROAD, bytes([outbound])), toward, 0.0)])

    judge = internet.censor("home", "operator", "border", act=shouts)
    internet.send("home", ipv4(HOME, ABROAD))
    internet.settle()
    assert len(judge.seen) < 100
    assert internet.wire.counters["not injected"] > 0


def test_a_rule_can_stand_at_the_far_host(internet: Internet) -> None:
    judge = internet.censor("home", "host:abroad", "border")
    internet.send("home", ipv4(HOME, ABROAD))
    internet.send("home", ipv4(HOME, DOMESTIC))
    internet.settle()
    assert [place for place, _, _ in judge.seen] == ["border", "host:abroad"]


def test_the_routers_errors_pass_the_censors_too(internet: Internet) -> None:
    judge = internet.censor("home", "operator", "border")
    internet.send("home", ipv4(HOME, ABROAD, ttl=6))
    ((_, where, _),) = internet.settle()
    assert where == "home"
    assert [place for place, outbound, _ in judge.seen if not outbound] == ["border", "operator"]


def test_a_censor_can_lead_a_packet_elsewhere_and_its_answer_back(internet: Internet) -> None:
    """To a host inside the country: the answer must pass the same box, though the border is not on its way."""

    def leads(raw: bytes, outbound: bool, _place: str) -> Judgement:
        changed = ipv4(HOME, DOMESTIC, raw[20:]) if outbound else ipv4(ABROAD, HOME, raw[20:])
        return Judgement([(changed, 0.0)])

    internet.censor("home", "border", act=leads)
    internet.send("home", ipv4(HOME, ABROAD, b"question"))
    ((_, where, raw),) = internet.settle()
    assert (where, raw[20:]) == ("domestic", b"question")
    internet.send("domestic", ipv4(DOMESTIC, HOME, b"answer"))
    ((_, where, raw),) = internet.settle()
    assert (where, raw[12:16], raw[20:]) == ("home", packet.destination(ipv4(HOME, ABROAD)), b"answer")


@pytest.mark.parametrize("rubbish", [b"", b"\x45", bytes(20), b"\x60" + bytes(10)])
def test_rubbish_from_a_censor_is_counted(internet: Internet, rubbish: bytes) -> None:
    internet.censor("home", "border", act=lambda *_: Judgement([(rubbish, 0.0)], [(rubbish, "client", 0.0)]))
    internet.send("home", ipv4(HOME, ABROAD))
    assert internet.settle() == []
    assert internet.wire.counters["broken"] == 1
    assert internet.wire.counters["not injected"] == 1


class TestWithoutAPacket:
    """Censors that act some time after they saw something."""

    @pytest.mark.parametrize(
        ("toward", "forged", "arrives"),
        [
            ("client", ipv4(ABROAD, HOME, b"late"), (5.002, "home")),
            ("server", ipv4(HOME, ABROAD, b"late"), (5.02, "abroad")),
            ("client", packet.icmp_error("net-unreachable", b"\x0a\xca\x04\x01", ipv4(HOME, ABROAD)), (5.002, "home")),
        ],
    )
    def test_what_they_send_starts_at_their_place(
        self, internet: Internet, toward: str, forged: bytes, arrives: tuple[float, str]
    ) -> None:
        judge = internet.censor("home", "border")
        judge.later[internet.now + 5] = "border", Judgement([], [(forged, toward, 0.0)])
        ((when, where, raw),) = internet.settle()
        assert (when, where) == arrives
        assert raw[20:] == forged[20:]

    def test_what_leads_nowhere_is_counted(self, internet: Internet) -> None:
        judge = internet.censor("home", "border")
        judge.later[internet.now] = (
            "border",
            Judgement([], [(ipv4("203.0.113.1", HOME), "client", 0.0), (b"", "client", 0.0)]),
        )
        judge.later[internet.now + 1] = "operator", Judgement([], [(ipv4(ABROAD, HOME), "client", 0.0)])
        assert internet.settle() == []
        assert internet.wire.counters["not injected"] == 3

    def test_who_has_gone_does_nothing_more(self, internet: Internet) -> None:
        judge = internet.censor("home", "border")
        judge.later[internet.now + 1] = "border", Judgement([], [(ipv4(ABROAD, HOME), "client", 0.0)])
        internet.wire.detach("home")
        assert internet.settle() == []
