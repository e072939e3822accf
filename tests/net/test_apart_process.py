"""The process that keeps a tunnel: how a peer is reached after the network has changed."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

_PROGRAM = """
import json, socket, subprocess
from rozaneh.net.apart_process import Carried

def ip(*words):
    subprocess.run(["ip", *words], check=True)

def move(old, new):
    ip("address", "del", old, "dev", "home")
    ip("address", "add", new, "dev", "home")
    ip("route", "replace", "default", "dev", "home")

ip("link", "set", "lo", "up")
ip("link", "add", "home", "type", "veth", "peer", "name", "far")
ip("link", "set", "far", "up")
ip("link", "set", "home", "up")
ip("address", "add", "10.1.0.1/24", "dev", "home")
ip("route", "replace", "default", "dev", "home")
outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
outside.connect(("192.0.2.1", 51820))
carried = Carried(outside)
program = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
program.connect(carried.inside.getsockname())
left = []

def send(data):
    program.send(data)
    carried.carry(carried.inside)
    left.append(outside.getsockname())

send(b"\\1\\0\\0\\0first")
send(b"\\4\\0\\0\\0data")
move("10.1.0.1/24", "10.1.0.2/24")
send(b"\\4\\0\\0\\0data")
ip("address", "add", "10.1.0.3/24", "dev", "home")
ip("route", "replace", "default", "dev", "home", "src", "10.1.0.3")
send(b"\\4\\0\\0\\0data")
send(b"\\1\\0\\0\\0second")
ip("link", "set", "home", "down")
send(b"\\4\\0\\0\\0data")
ip("link", "set", "home", "up")
ip("route", "replace", "default", "dev", "home", "src", "10.1.0.3")
send(b"\\4\\0\\0\\0data")
print(json.dumps(left))
"""


@pytest.mark.namespaces
def test_a_tunnel_s_packets_leave_from_the_address_that_the_machine_has_now(peer: Callable[[str], str]) -> None:
    peer("ip")
    words = ["unshare", "-Urn", sys.executable, "-c", _PROGRAM]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    left = json.loads(done.stdout)
    addresses = [address for address, _ in left]
    assert addresses[:3] == ["10.1.0.1", "10.1.0.1", "10.1.0.2"], "at once where sending fails"
    assert addresses[3:5] == ["10.1.0.2", "10.1.0.3"], "with the next handshake where packets only vanish"
    assert addresses[6] == "10.1.0.3", "and again when the network comes back"
    assert left[0] == left[1], "an answer still finds the port that was asked from"
