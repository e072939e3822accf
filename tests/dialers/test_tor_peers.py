"""What is written for Debian's tor. Ways through networks of it are in the gateway's tests and in `make prove`."""

import subprocess
from pathlib import Path

import pytest

from rozaneh.dialers.tor import torrc
from rozaneh.links.tor import parse
from tests.dialers.peers import free_port
from tests.dialers.servers import Peer

pytestmark = pytest.mark.peers

_FINGERPRINT = "CDF2E852BF539B82BD10E27E9115A31734E378C2"


def test_tor_takes_the_configuration_that_is_written_for_it(peer: Peer, tmp_path: Path) -> None:
    line = parse(f"obfs4 192.95.36.142:443 {_FINGERPRINT} cert={'A' * 70} iat-mode=0")
    path = tmp_path / "torrc"
    path.write_text(torrc(free_port(), str(tmp_path), (line,), {"obfs4": peer("obfs4proxy")}))
    done = subprocess.run(
        [peer("tor"), "--verify-config", "-f", str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "Configuration was valid" in done.stdout
