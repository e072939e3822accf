"""Datagrams from a censored home: no name and no payload of a blocked host leaves in the clear."""

import json
import sys
from pathlib import Path

import pytest

from rozaneh.lab.lab import Lab
from tests.gateway.lab.home import ASSOCIATED, BLOCKED, NAME_IN_DNS, PROXY, Censored

pytestmark = pytest.mark.namespaces

# A program in the home: it asks for addresses by datagram, then sends datagrams to the blocked name and to its address.
_PROGRAM = f"""{ASSOCIATED}
import dns.message
addresses = []
for name in ("blocked.example", "example.org"):
    question = dns.message.make_query(name, "A").to_wire()
    here.sendto(b"\\0\\0\\0\\x01" + socket.inet_aton("8.8.8.8") + b"\\0\\x35" + question, relay)
    read = dns.message.from_wire(here.recv(4096)[10:])
    addresses += [record.address for found in read.answer for record in found]
for place in (b"\\x03\\x0fblocked.example", b"\\x01" + socket.inet_aton(addresses[0])):
    here.sendto(b"\\0\\0\\0" + place + b"\\x01\\xbb" + b"SECRET-PAYLOAD", relay)
here.settimeout(0.5)
try:
    here.recv(4096)
    heard = True
except TimeoutError:
    heard = False
print(json.dumps([addresses, heard]))
"""


def test_a_blocked_name_is_asked_for_in_secret_and_its_datagrams_stay_here(
    censored: Censored, lab: Lab, pcap: Path
) -> None:
    with censored("sni-reset") as home:
        assert home.curl(*PROXY, BLOCKED) == (0, "200")
        lab.counters()
        before = pcap.stat().st_size
        done = home.client.run([sys.executable, "-c", _PROGRAM], timeout=30)
        addresses, heard = json.loads(done.stdout)
    lab.counters()
    after = pcap.read_bytes()[before:]
    assert len(addresses) == 2
    assert all(address.startswith("93.") for address in addresses)
    assert not heard
    assert after, "the capture runs"
    assert NAME_IN_DNS not in after
    assert b"\x07example\x03org" not in after
    assert b"SECRET-PAYLOAD" not in after
    assert [event["obstacle"] for event in home.events if event["event"] == "refused"] == ["datagrams", "datagrams"]
