"""The helper as volunteers run it, on a host of the lab, asked by a probe behind a censor."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
import trustme

from rozaneh.finder import Finder, Found
from rozaneh.lab import Lab
from rozaneh.lab.scenario import load_scenario, parse_scenario
from rozaneh.net.trust import Trust
from rozaneh.probe.control import Controls
from rozaneh.probe.dials import Dials
from rozaneh.probe.pace import Pace
from rozaneh.probe.services import Endpoint
from rozaneh.probe.vantages import ControlSite

_ROZANEH = Path(sys.executable).with_name("rozaneh")
_ADDRESS, _PORT = "45.76.10.40", 8443
_SITE = ControlSite(name="helper.example", address=_ADDRESS, port=_PORT)
_BLOCKED_HELPER = """
title = "The name of the helper is reset"
[[rule]]
match = { tls.sni = "helper.example" }
action = { reset = true }
"""


@contextmanager
def helper_in(lab: Lab, folder: Path) -> Iterator[Trust]:
    authority = trustme.CA()
    certificate = authority.issue_cert("helper.example", _ADDRESS)
    (folder / "chain.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    (folder / "key.pem").write_bytes(certificate.private_key_pem.bytes())
    (folder / "both.pem").write_bytes(lab.ca_file.read_bytes() + authority.cert_pem.bytes())
    argv = [str(_ROZANEH), "helper", "--listen", _ADDRESS, "--port", str(_PORT), "--json"]
    argv += ["--certificate", str(folder / "chain.pem"), "--key", str(folder / "key.pem")]
    with lab.host("control").popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            assert json.loads(line or "{}") == {"event": "listening", "address": _ADDRESS, "port": _PORT}, (
                line or process.stderr.read()
            )
            yield Trust.with_ca(folder / "both.pem")
        finally:
            process.terminate()
            said, wrong = process.communicate(timeout=20)
    ended = json.loads(said)
    assert ended["event"] == "ended"
    assert ended["answered"] >= 1
    # Neither who asked nor what for.
    assert "10.77." not in said + wrong
    assert "example" not in said + wrong


@pytest.mark.namespaces
def test_a_probe_gets_its_control_from_a_volunteer_even_when_the_volunteer_is_blocked(tmp_path: Path) -> None:
    with Lab() as lab, helper_in(lab, tmp_path) as trust:
        free = lab.client("mobile", load_scenario("sni-reset"), programs=False)
        harsh = lab.client("mobile", parse_scenario(_BLOCKED_HELPER), programs=False)

        async def ask() -> None:
            for client, blocked in ((free, False), (harsh, True)):
                finder = Finder(client.network, trust=trust, clock=client.clock)
                controls = Controls(Dials(client.network, trust, Pace()), (_SITE,), Found(finder))
                site = Endpoint(id="site", url="https://blocked.example/")
                (said,) = await controls.ask(site, ["93.184.216.35"])
                assert (said.dns, said.tcp, said.tls, said.http, said.status) == (True, True, True, True, 200), said
                assert bool(said.way) is blocked
                inside = Endpoint(id="inside", url="https://10.10.34.34/")
                (said,) = await controls.ask(inside, ["10.10.34.34"])
                assert (said.tcp, said.http) == (False, False), said

        anyio.run(ask)


def test_a_wrong_certificate_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("no certificate")
    argv = [str(_ROZANEH), "helper", "--certificate", str(tmp_path / "x.pem")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "x.pem" in done.stderr
