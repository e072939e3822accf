"""A private Tor network abroad, a pasted bridge line at home, and the whole gateway between."""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from subprocess import DEVNULL, PIPE

import pytest

from rozaneh.gateway.control import Question, ask
from rozaneh.lab.lab import Lab
from tests.dialers import snowflake_standins
from tests.dialers.peers import free_port
from tests.dialers.tor_network import TorNetwork
from tests.gateway.lab.home import BLOCKED, NAME_IN_DNS, PROXY, Censored, leaves

pytestmark = pytest.mark.namespaces

RELAY = "45.76.10.11"
KEY = "CDF2E852BF539B82BD10E27E9115A31734E378C2"
STAND_INS = str(snowflake_standins.__file__)


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


def test_a_snowflake_line_leads_through_webrtc_to_a_bridge_s_front(
    censored: Censored, lab: Lab, peer: Callable[[str], str]
) -> None:
    """A real client and a real volunteer's proxy; broker and bridge are stand-ins, so no page can come of it."""
    for each in ("tor", "snowflake-client"):
        peer(each)
    abroad, ports = lab.host("relay"), [free_port() for _ in range(3)]
    broker, front, stun = (f"{RELAY}:{port}" for port in ports)
    with ExitStack() as undo:
        standing = abroad.popen([sys.executable, STAND_INS, RELAY, *map(str, ports)], stdout=PIPE, text=True)
        undo.callback(undo.enter_context(standing).kill)
        says = standing.stdout
        assert says is not None
        assert json.loads(says.readline()) == {"ready": True}
        words = ["-broker", f"http://{broker}/", "-relay", f"ws://{front}/", "-stun", f"stun:{stun}"]
        proxy = abroad.popen([peer("snowflake-proxy"), *words, "-allow-non-tls-relay"], stderr=DEVNULL)
        undo.callback(undo.enter_context(proxy).kill)
        line = f"snowflake 192.0.2.3:80 {KEY} fingerprint={KEY} url=http://{broker}/ ice=stun:{stun}"
        home = undo.enter_context(censored("address-drop", "--way", line, "--route", "blocked.example=abroad"))
        curl = home.client.popen([home.program, "-s", "-m", "60", *PROXY, BLOCKED], stdout=DEVNULL)
        undo.callback(undo.enter_context(curl).kill)
        told = [json.loads(says.readline())]
        while "front" not in told[-1]:
            told.append(json.loads(says.readline()))
    asked = [each["broker"] for each in told[:-1] if each["broker"] != "/proxy"]
    assert asked[:2] == ["/client", "/answer"]
    assert told[-1]["front"] == "1293605d278175f5", "Turbo Tunnel's token, as the client sends it first"
