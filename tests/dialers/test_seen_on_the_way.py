"""What somebody on the path reads of each way: its packets are captured, and what goes through is a page by TLS."""

from pathlib import Path

import anyio
import pytest

from rozaneh.core import Target
from rozaneh.dialers import build
from rozaneh.lab.lab import Lab
from rozaneh.lab.matrix import ALIASES
from rozaneh.lab.scenario import load_scenario
from rozaneh.trial import get

pytestmark = pytest.mark.namespaces

NAME, NAME_IN_DNS = b"blocked.example", b"\x07blocked\x07example\x00"
TARGET = Target.parse("https://blocked.example/")
READS = {
    "plain": {"lookup", "name"},
    "dnstcp": {"lookup", "name"},
    "dot": {"name"},
    "doh": {"name"},
    "decoy": {"name"},  # after another that the site never gets
    "disorder": {"name"},  # all of it but two bytes leaves in one segment
    "socks5": {"name"},  # the proxy is told in the clear
}
"""What stands whole in some packet; nothing of the ways that are not here."""


def test_each_way_shows_what_it_is_said_to_and_no_request(tmp_path: Path) -> None:
    pcap = tmp_path / "home.pcap"
    seen: dict[str, set[str]] = {}
    with Lab(pcap=pcap) as lab:

        async def go() -> None:
            for name, spec in ALIASES.items():
                before = pcap.stat().st_size
                with lab.client("mobile", programs=False) as home:
                    got = await get(build(spec, home.network, trust=home.trust), TARGET, lab)
                    assert got.outcome == "ok", name
                lab.counters()  # by the time that it answers, the capture is written out
                packets = pcap.read_bytes()[before:]
                assert len(packets) > 2000, "the capture runs"
                marks = {"lookup": NAME_IN_DNS, "name": NAME, "request": b"GET /", "page": b"rozaneh lab"}
                seen[name] = {what for what, mark in marks.items() if mark in packets}

        anyio.run(go, backend_options={"use_uvloop": True})
    assert seen == {name: READS.get(name, set()) for name in ALIASES}


def test_a_decoy_deceives_what_keeps_the_first_and_not_what_reads_all() -> None:
    got: dict[tuple[str, int | None], str] = {}
    with Lab() as lab:

        async def go() -> None:
            for name, ttls in (("clear", [60]), ("sni-reset", [None, 2, 7]), ("sni-reset-on-path", [None, 7])):
                for ttl in ttls:
                    way = f"doh:dns.google@8.8.8.8|decoy:example.org{f';ttl={ttl}' if ttl else ''}|tcp"
                    with lab.client("mobile", load_scenario(name), programs=False) as home:
                        found = await get(build(way, home.network, trust=home.trust), TARGET, lab)
                    got[name, ttl] = found.outcome

        anyio.run(go)
    assert got == {
        ("clear", 60): "ssl_failed_handshake",  # it reached the site
        ("sni-reset", None): "ok",
        ("sni-reset", 2): "connection_reset",  # it died before the filter
        ("sni-reset", 7): "ok",
        ("sni-reset-on-path", None): "connection_reset",
        ("sni-reset-on-path", 7): "connection_reset",
    }
