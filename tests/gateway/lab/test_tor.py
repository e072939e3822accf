"""A private Tor network abroad, a pasted bridge line at home, and the whole gateway between."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rozaneh.gateway.control import Question, ask
from rozaneh.lab.lab import Lab
from tests.dialers.tor_network import TorNetwork
from tests.gateway.lab.home import BLOCKED, NAME_IN_DNS, PROXY, Censored, leaves

pytestmark = pytest.mark.namespaces

RELAY = "45.76.10.11"


def test_a_bridge_by_obfs4_carries_what_is_blocked(
    censored: Censored, lab: Lab, pcap: Path, peer: Callable[[str], str], tmp_path: Path
) -> None:
    for each in ("tor", "obfs4proxy"):
        peer(each)
    lab.counters()
    before = pcap.stat().st_size
    with TorNetwork(tmp_path, RELAY, lab.host("relay").popen) as network, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(network.script.parent), prepend=":")
        with censored("address-drop", "--way", network.bridge_line(), "--route", "blocked.example=abroad") as home:
            network.wait()
            # While Tor starts there is no way yet, and nothing leaves by another.
            assert home.curl(*PROXY, "--retry", "20", "--retry-all-errors", "--retry-delay", "1", BLOCKED) == (0, "200")
            answer = ask(tmp_path / "state", Question(ask="why", host="blocked.example"))
        place = RELAY, network.bridge_port
    assert answer is not None
    assert [(one.way, one.tried[-1].failure) for one in answer.why] == [("tor:***", "")]
    assert next(event for event in home.events if event["event"] == "opened")["way"] == "tor:***"
    lab.counters()
    seen = pcap.read_bytes()[before:]
    assert ("tcp", *place) in set(leaves(seen))
    # Besides the bridge there is the gateway's look whether there is a network at all, which names nobody.
    assert {each[::2] for each in leaves(seen) if each[1:] != place} <= {("tcp", 443)}
    assert b"blocked.example" not in seen
    assert NAME_IN_DNS not in seen
