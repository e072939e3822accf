"""Through Tor with Debian's tor and obfs4proxy. A whole network of theirs takes minutes, and is in `make prove`."""

import subprocess
from pathlib import Path
from urllib.parse import quote

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from rozaneh.core import Target
from rozaneh.dialers import build
from rozaneh.dialers.tor import torrc
from rozaneh.links.tor import parse
from rozaneh.net import measure
from rozaneh.net.real import RealNetwork
from rozaneh.net.streams import receive_exactly
from tests.dialers.peers import free_port, running
from tests.dialers.servers import Peer

pytestmark = [pytest.mark.peers, pytest.mark.anyio]

_FINGERPRINT = "CDF2E852BF539B82BD10E27E9115A31734E378C2"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


def bridge(folder: Path, port: int, relay: int) -> dict[str, str]:
    """The environment in which obfs4proxy is the front of a relay."""
    return {
        "TOR_PT_MANAGED_TRANSPORT_VER": "1",
        "TOR_PT_STATE_LOCATION": str(folder),
        "TOR_PT_SERVER_TRANSPORTS": "obfs4",
        "TOR_PT_SERVER_BINDADDR": f"obfs4-127.0.0.1:{port}",
        "TOR_PT_ORPORT": f"127.0.0.1:{relay}",
    }


def test_tor_takes_the_configuration_that_is_written_for_it(peer: Peer, tmp_path: Path) -> None:
    line = parse(f"obfs4 192.95.36.142:443 {_FINGERPRINT} cert={'A' * 70} iat-mode=0")
    path = tmp_path / "torrc"
    path.write_text(torrc(free_port(), str(tmp_path), (line,), {"obfs4": peer("obfs4proxy")}))
    done = subprocess.run(
        [peer("tor"), "--verify-config", "-f", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "Configuration was valid" in done.stdout


async def test_tor_comes_to_the_relay_behind_an_obfs4_bridge(peer: Peer, tmp_path: Path) -> None:
    """From the line that somebody pasted to the first bytes of Tor's own handshake behind the bridge."""
    peer("tor")
    port, arrived = free_port(), list[bytes]()
    network = RealNetwork()
    listener = await network.listen_tcp("127.0.0.1", 0)
    environment = bridge(tmp_path, port, listener.extra(SocketAttribute.local_port))

    async def relay(stream: ByteStream) -> None:
        async with stream:
            arrived.append(await receive_exactly(stream, 3))
        group.cancel_scope.cancel()

    with running(port, peer("obfs4proxy"), environment=environment), anyio.fail_after(60):
        kept = (tmp_path / "obfs4_bridgeline.txt").read_text()
        cert = kept.partition("cert=")[2].split()[0]
        line = f"obfs4 127.0.0.1:{port} {_FINGERPRINT} cert={cert} iat-mode=0"
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, relay)
            async with await measure(build(f"tor:{quote(line)}", network), Target(host="far.example", port=443)):
                pass
    assert arrived[0][:2] == b"\x16\x03", "a ClientHello: obfs4 has been taken off again"
