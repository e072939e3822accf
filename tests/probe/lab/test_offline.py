"""What is kept for when the way out is closed: remembered controls, lists that come by another way, and places."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rozaneh.lab import Lab, LabClient
from rozaneh.lab.scenario import Scenario, parse_scenario
from rozaneh.ooni.listupdate import sign_update
from rozaneh.probe.remembered import LONGEST
from tests.probe.test_lists import PUBLIC

pytestmark = pytest.mark.namespaces
ROZANEH = str(Path(sys.executable).with_name("rozaneh"))
PAGE = "https://blocked.example/"
DENIED = """
[[rule]]
at = "operator"
mode = "in-path"
match = { direction = "out", protocol = "udp", destination.port = 53, dns.qname.suffix = ["blocked.example"] }
action = { dns = { rcode = "nxdomain" } }
"""
CUT = """
[[rule]]
at = "operator"
mode = "in-path"
match = { direction = "out", destination.address = ["control.example", "8.8.8.8", "1.1.1.1", "9.9.9.9"] }
action = "drop"
"""
RESET = """
[[rule]]
match = { tls.sni = "control.example" }
action = { reset = true }
"""


def scenario(*rules: str) -> Scenario:
    return parse_scenario('title = "A test of what is kept"\n' + "".join(rules))


def rozaneh(client: LabClient, home: Path, *arguments: str, **more: str) -> Any:
    environment = {"HOME": str(home), "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": "", "LANG": "C.UTF-8", **more}
    return client.run([ROZANEH, *arguments], env=environment, timeout=80)


def checked(client: LabClient, home: Path, *more: str) -> Any:
    done = rozaneh(client, home, "check", PAGE, "--json", *more)
    (result,) = json.loads(done.stdout)
    return result


@contextmanager
def lists_at(lab: Lab, folder: Path, content: bytes) -> Iterator[Path]:
    """A web server of its own at control.example:8443 that gives a file, and the authorities that vouch for it."""
    authority = trustme.CA()
    authority.issue_cert("control.example").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    (folder / "both.pem").write_bytes(lab.ca_file.read_bytes() + authority.cert_pem.bytes())
    (folder / "lists.json").write_bytes(content)
    code = (
        "import http.server, ssl, sys\n"
        "server = http.server.ThreadingHTTPServer(('45.76.10.40', 8443), http.server.SimpleHTTPRequestHandler)\n"
        "context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH); context.load_cert_chain('server.pem')\n"
        "server.socket = context.wrap_socket(server.socket, server_side=True)\n"
        "print('ready', flush=True); server.serve_forever()\n"
    )
    argv = [sys.executable, "-c", code]
    with lab.host("control").popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield folder / "both.pem"
        finally:
            process.terminate()


@pytest.mark.timeout(200)
def test_what_was_kept_while_the_way_was_open(tmp_path: Path) -> None:
    with Lab() as lab, ThreadPoolExecutor(4) as side_by_side:
        open_ = lab.client("mobile", scenario(DENIED))
        closed = lab.client("mobile", scenario(DENIED, CUT))
        a_remembered_control_carries_a_check_offline_for_a_day(open_, closed, tmp_path, side_by_side)
        the_place_is_written_by_whoever_may_say_it(open_, tmp_path, side_by_side)
        an_update_of_lists_comes_by_another_way(lab, tmp_path)


def a_remembered_control_carries_a_check_offline_for_a_day(
    open_: LabClient, closed: LabClient, folder: Path, side_by_side: ThreadPoolExecutor
) -> None:
    home, bare, stale = folder / "home", folder / "bare", folder / "stale"
    before = checked(open_, bare)
    assert (before["verdict"], before["mechanism"]) == ("blocked", "dns_forgery")
    assert before["evidence"]["control_age"] is None
    assert not list(bare.rglob("*")), "nothing is kept unless that was asked for"
    checked(open_, home, "--remember")
    kept = kept_in(home)
    assert kept.stat().st_mode & 0o077 == 0
    kept_in(stale).parent.mkdir(parents=True)
    entries = [{**each, "at": each["at"] - LONGEST} for each in json.loads(kept.read_bytes())]
    kept_in(stale).write_text(json.dumps(entries))

    told = side_by_side.submit(rozaneh, closed, home, "check", PAGE, "--lang", "en")
    after, nothing, old = side_by_side.map(lambda place: checked(closed, place), (home, bare, stale))
    assert nothing["verdict"] == "cannot_tell", "without any control nothing is guessed"
    assert (after["verdict"], after["mechanism"], after["who"]) == ("blocked", "dns_forgery", "state")
    assert after["confidence"] < before["confidence"]
    assert after["evidence"]["control_age"] > 0
    assert {"dns.trusted", "control.works"} <= set(after["evidence"]["missing"])
    assert "no control elsewhere answered now: what it said" in told.result().stdout
    assert (old["verdict"], old["evidence"]["control_age"]) == ("cannot_tell", None), "too old is as none"
    assert rozaneh(open_, home, "consent", "--no").returncode == 0
    assert not kept.exists()


def kept_in(home: Path) -> Path:
    return home / ".local" / "state" / "rozaneh" / "controls.json"


def the_place_is_written_by_whoever_may_say_it(
    client: LabClient, folder: Path, side_by_side: ThreadPoolExecutor
) -> None:
    agreed = folder / "agreed"
    assert rozaneh(client, agreed, "consent", "--yes", "--category", "network").returncode == 0

    def place(home: Path) -> tuple[str, str, str]:
        file = folder / f"{home.name}.jsonl"
        done = rozaneh(client, home, "check", "https://example.org/", PAGE, "--ooni", str(file))
        assert done.returncode == 0, done.stderr
        data = file.read_text()
        assert not any(address in data for address in client.addresses), "the address is in no file"
        last = json.loads(data.splitlines()[-1])
        return last["probe_asn"], last["probe_cc"], last["annotations"].get("rozaneh_place", "")

    assert list(side_by_side.map(place, (folder, agreed))) == [("AS0", "ZZ", ""), ("AS197207", "IR", "vantage")]


def an_update_of_lists_comes_by_another_way(lab: Lab, folder: Path) -> None:
    client, home = lab.client("mobile", scenario(RESET)), folder / "lists-home"
    key = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
    bundle = sign_update(1, {"ir": f"url\n{PAGE}\nhttp://192.168.1.1/\n"}, key)
    with lists_at(lab, folder, bundle) as trusted:
        (folder / "key").write_text(base64.b64encode(PUBLIC).decode())
        assert rozaneh(client, home, "lists", "trust", str(folder / "key")).returncode == 0
        url = "https://control.example:8443/lists.json"
        direct = client.run([sys.executable, "-c", f"import urllib.request as u; u.urlopen({url!r})"], timeout=30)
        assert "reset" in direct.stderr.casefold(), "the name of that server is cut off here"
        done = rozaneh(client, home, "lists", "update", url, "--json", SSL_CERT_FILE=str(trusted))
        assert done.returncode == 0, done
        assert json.loads(done.stdout)["lists"]["ir"]["sites"] == 1
