"""A real WireGuard server on a host of the lab."""

import subprocess
from pathlib import Path

from rozaneh.core import Spec
from rozaneh.lab.hosts import LabHost
from rozaneh.links.wireguard import parse

__all__ = ["ENDPOINT", "Server", "spec"]

ENDPOINT = "45.76.10.11", 51821
_START = """
set -e
mount -t tmpfs none /run
wireguard-go wg0 2>/dev/null
wg setconf wg0 "$1"
ip address add 10.9.0.1/24 dev wg0
ip link set wg0 up
[ -z "$2" ] || {
    echo 1 >/proc/sys/net/ipv4/ip_forward
    ip address del "$2/32" dev eth0 2>/dev/null || true
    ip route replace "$2/32" dev wg0
}
echo ready
exec sleep 600
"""
_BACK = 'echo 0 >/proc/sys/net/ipv4/ip_forward; ip address replace "$1/32" dev eth0'


def spec(conf: str) -> Spec:
    """The way that a ``.conf`` is."""
    found = parse(conf).spec
    assert found is not None
    return found


class Server:
    """A server, and whoever may come to it.

    Args:
        host: where it runs.
        folder: for its file.
        handed_out: an address of the host that whoever comes gets, so that packets find the way back from anywhere;
            without one they come no farther than the server.
    """

    def __init__(self, host: LabHost, folder: Path, handed_out: str = "") -> None:
        private, self._public = _keys()
        self._theirs, allowed = _keys()
        self._host = host
        self._inside = handed_out or "10.9.0.2"
        self._words = ["sh", "-c", _START, "server", str(folder / "server.conf"), handed_out]
        (folder / "server.conf").write_text(
            f"[Interface]\nPrivateKey={private}\nListenPort={ENDPOINT[1]}\n"
            f"[Peer]\nPublicKey={allowed}\nAllowedIPs={self._inside}/32\n"
        )
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> bool:
        """Start it, with nothing known of anybody, and say whether a tunnel is allowed here."""
        self._process = self._host.popen(self._words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        return bool(self._process.stdout.readline() == "ready\n")

    def stop(self) -> None:
        """It vanishes. ``wireguard-go`` went into the background, where its interface keeps it."""
        self._host.run(["ip", "link", "del", "wg0"])
        if self._process is not None:
            with self._process:
                self._process.kill()

    def put_back(self) -> None:
        """Give the host its address again."""
        self.stop()
        self._host.run(["sh", "-c", _BACK, "back", self._inside])

    @property
    def conf(self) -> str:
        """The file of whoever comes."""
        return (
            f"[Interface]\nPrivateKey={self._theirs}\nAddress={self._inside}/24\nDNS=8.8.8.8\n"
            f"[Peer]\nPublicKey={self._public}\nAllowedIPs=0.0.0.0/0\nEndpoint={ENDPOINT[0]}:{ENDPOINT[1]}\n"
        )

    @property
    def way(self) -> Spec:
        """The way that it is."""
        return spec(self.conf)


def _keys() -> tuple[str, str]:
    made = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    public = subprocess.run(
        ["wg", "pubkey"], input=made, capture_output=True, text=True, check=True, timeout=20
    ).stdout.strip()
    return made, public
