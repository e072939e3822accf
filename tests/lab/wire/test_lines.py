"""Rate, jitter, loss, reordering; captures."""

import itertools
import os
import struct
from pathlib import Path

import pytest

from rozaneh.lab.topology import Link
from rozaneh.lab.wire.capture import PcapWriter
from rozaneh.lab.wire.line import Dice, Line
from tests.lab.wire.internet import Internet, ipv4

HOME, ABROAD = "10.77.1.0", "93.184.216.34"


def losses(link: Link, seed: int = 0, name: str = "home", count: int = 20_000) -> list[bool]:
    line, dice = Line(link), Dice(seed, name, "out")
    return [line.lag(0.0, 100, dice) is None for _ in range(count)]


def test_loss_is_as_often_as_asked() -> None:
    assert sum(losses(Link(loss=0.05))) / 20_000 == pytest.approx(0.05, rel=0.1)
    assert sum(losses(Link(loss=0.05, loss_burst=5))) / 20_000 == pytest.approx(0.05, rel=0.2)
    assert all(losses(Link(loss=1.0)))
    assert all(losses(Link(loss=1.0, loss_burst=3), count=100)[10:])


def test_bursts_are_as_long_as_asked() -> None:
    runs = [len(list(run)) for lost, run in itertools.groupby(losses(Link(loss=0.05, loss_burst=5))) if lost]
    assert sum(runs) / len(runs) == pytest.approx(5, rel=0.2)


def test_loss_repeats_for_a_customer_and_differs_between_customers() -> None:
    link = Link(loss=0.2)
    assert losses(link, 1, count=500) == losses(link, 1, count=500)
    assert losses(link, 1, count=500) != losses(link, 2, count=500)
    assert losses(link, 1, count=500) != losses(link, 1, "other", count=500)


def test_one_customers_packets_do_not_change_anothers_losses() -> None:
    link = Link(loss=0.2, loss_burst=3)
    shared, alone, busy = Line(link), Dice(1, "home", "out"), Dice(1, "neighbour", "out")
    among_others = []
    for _ in range(300):
        shared.lag(0.0, 100, busy)
        among_others.append(shared.lag(0.0, 100, alone) is None)
    assert among_others == losses(link, 1, count=300)


def test_rate_spaces_packets_and_drops_what_would_wait_too_long(internet: Internet) -> None:
    internet.wire.set_link(internet.endpoint("home"), Link(delay_ms=2, rate_mbit=0.8, queue_ms=45))
    for _ in range(8):
        internet.send("home", ipv4(HOME, ABROAD, bytes(980)))  # 10 ms each
    arrived = [when for when, _, _ in internet.settle()]
    assert arrived == pytest.approx([0.032, 0.042, 0.052, 0.062, 0.072])
    assert internet.wire.counters["lost"] == 3


def test_jitter_delays_and_never_reorders(internet: Internet) -> None:
    internet.wire.set_link(internet.endpoint("home"), Link(delay_ms=2, jitter_ms=30))
    for number in range(100):
        internet.send("home", ipv4(HOME, ABROAD, bytes([number])))
        internet.now += 0.001
    arrived = internet.settle()
    assert [raw[20] for _, _, raw in arrived] == list(range(100))
    assert max(when for when, _, _ in arrived) > 0.1


def test_reordering_reorders(internet: Internet) -> None:
    internet.wire.set_link(internet.endpoint("abroad"), Link(delay_ms=20, reorder=0.2))
    for number in range(100):
        internet.send("home", ipv4(HOME, ABROAD, bytes([number])))
        internet.now += 0.001
    order = [raw[20] for _, _, raw in internet.settle()]
    assert sorted(order) == list(range(100))
    assert order != list(range(100))


def test_a_flood_does_not_grow_memory_without_end(internet: Internet) -> None:
    internet.wire.set_link(internet.endpoint("abroad"), Link(delay_ms=10_000))
    raw = ipv4(HOME, ABROAD)
    for _ in range((1 << 17) + 10):
        internet.send("home", raw)
    assert internet.wire.counters["crowded out"] == 10


def test_a_capture_holds_what_the_customer_sent_and_got(internet: Internet, tmp_path: Path) -> None:
    file = tmp_path / "home.pcap"
    internet.wire.capture = PcapWriter(os.open(file, os.O_WRONLY | os.O_CREAT))
    there, back = ipv4(HOME, ABROAD, b"there"), ipv4(ABROAD, HOME, b"back")
    internet.send("home", there)
    internet.send("abroad", back)
    internet.settle()
    internet.wire.capture.close()
    data = file.read_bytes()
    assert struct.unpack("<IHHiIII", data[:24]) == (0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    first = struct.unpack("<IIII", data[24:40])
    assert first[2] == first[3] == len(there)
    assert data[40 : 40 + len(there)] == there
    assert data[-len(b"back") :] == b"back"
