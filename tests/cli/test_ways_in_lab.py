"""A person pastes a link, and the gateway goes that way: the commands themselves, behind a censor of the lab."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rozaneh.lab import Lab
from rozaneh.lab.scenario import load_scenario

pytestmark = pytest.mark.namespaces

_ROZANEH = str(Path(sys.executable).with_name("rozaneh"))
_PASTED = "۱. ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388#friend"
_SITE = "https://blocked.example/"


def test_a_pasted_link_is_a_way_of_the_gateway(tmp_path: Path) -> None:
    state = ["--state", str(tmp_path)]
    with Lab() as lab:
        client = lab.client("mobile", load_scenario("address-drop"))
        added = client.run([_ROZANEH, "ways", "add", _PASTED, "--json", *state])
        assert json.loads(added.stdout)["added"][0]["name"] == "friend"
        tried = client.run([_ROZANEH, "ways", "test", "--target", _SITE, "--json", *state])
        assert json.loads(tried.stdout)[0]["ok"], tried.stdout
        argv = [_ROZANEH, "up", "--port", "0", "--json", *state]
        with client.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as up:
            try:
                assert up.stdout is not None
                port = json.loads(up.stdout.readline())["port"]
                code = ["-sS", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}"]
                got = client.run(["curl", *code, "--socks5-hostname", f"127.0.0.1:{port}", _SITE])
                opened = json.loads(up.stdout.readline())
            finally:
                up.terminate()
                up.communicate(timeout=20)
    assert got.stdout == "200", got.stderr
    assert opened["way"] == "ss://***@45.76.10.11:8388|tcp"
