"""The lab as a library, on real kernels: hosts, customers, programs, sockets, clocks."""

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import anyio
import pytest

from rozaneh.core import LocalFault
from rozaneh.lab import Lab, LabClient, world_for
from rozaneh.lab.scenario import Scenario, parse_scenario
from rozaneh.lab.topology import Host, Link, World, Zone

pytestmark = pytest.mark.namespaces

SITE = "93.184.216.34"
BACKENDS = [("asyncio", {}), ("asyncio", {"use_uvloop": True}), ("trio", {})]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as started:
        yield started


@pytest.fixture(scope="module")
def home(lab: Lab) -> LabClient:
    return lab.client("mobile")


def scenario(text: str) -> Scenario:
    return parse_scenario(text, "test.toml")


RESETS = """
[[rule]]
mode = "on-path"
match = { direction = "out", tls.sni.suffix = ["blocked.example"] }
action = { reset = { to = ["client", "server"] } }
"""


def curl(host: LabClient, url: str, *options: str) -> tuple[int, str]:
    done = host.run(["curl", "-sS", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", *options, url])
    return done.returncode, done.stdout + done.stderr


class TestPrograms:
    @pytest.mark.parametrize("family", ["-4", "-6"])
    def test_curl_gets_a_page_by_name_with_a_valid_certificate(self, home: LabClient, family: str) -> None:
        assert curl(home, "https://example.org/", family) == (0, "200")

    def test_dig_asks_the_operators_resolver(self, home: LabClient, peer: Callable[[str], str]) -> None:
        done = home.run([peer("dig"), "example.org"])
        assert SITE in done.stdout
        assert "SERVER: 10.202.77.53#53" in done.stdout

    def test_openssl_believes_the_labs_authority(self, home: LabClient) -> None:
        command = ["openssl", "s_client", "-connect", f"{SITE}:443", "-servername", "example.org", "-brief"]
        done = home.run([*command, "-verify_return_error"], text="")
        assert "Verification: OK" in done.stdout + done.stderr

    def test_ping_sees_the_delay_of_the_world(self, home: LabClient, peer: Callable[[str], str]) -> None:
        done = home.run([peer("ping"), "-c", "3", "-i", "0.2", SITE])
        assert done.returncode == 0
        fastest = float(re.findall(r"min/avg/max/mdev = ([\d.]+)/", done.stdout)[0])
        assert 43.9 < fastest < 60

    def test_a_program_that_does_not_exist_is_one_line(self, home: LabClient) -> None:
        done = home.run(["no-such-program"])
        assert (done.returncode, done.stdout) == (127, "")
        assert done.stderr == "rozaneh lab: no-such-program: no such program here\n"

    def test_a_file_that_is_no_program_is_one_line(self, home: LabClient, tmp_path: Path) -> None:
        file = tmp_path / "text"
        file.write_text("no program", encoding="ascii")
        done = home.run([str(file)])
        assert done.returncode == 126
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -TERM $$", -15), ("kill -KILL $$", -9)])
    def test_a_program_ends_as_it_ends(self, home: LabClient, script: str, status: int) -> None:
        assert home.run(["sh", "-c", script]).returncode == status

    def test_a_signal_reaches_the_program(self, home: LabClient) -> None:
        script = "trap 'echo heard; exit 3' TERM; echo ready; while :; do sleep 0.1; done"
        with home.popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.terminate()
            assert process.stdout.readline() == "heard\n"
            assert process.wait(10) == 3

    def test_a_program_that_takes_too_long_goes_with_its_children(self, home: LabClient) -> None:
        marker = f"987{os.getpid()}"
        with pytest.raises(subprocess.TimeoutExpired):
            home.run(["sh", "-c", f"sleep {marker} & sleep {marker}"], timeout=0.5)
        assert eventually(lambda: not any(marker in command for command in command_lines()))

    def test_the_user_stays_who_they_are(self, home: LabClient) -> None:
        assert home.run(["id", "-u"]).stdout.strip() == str(os.geteuid())

    def test_proxies_of_the_machine_do_not_exist_inside(self, home: LabClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", "http://192.0.2.1:3128")
        monkeypatch.setenv("ALL_PROXY", "socks5://192.0.2.1:1080")
        assert "proxy" not in home.run(["env"]).stdout.lower()

    def test_the_environment_says_where_and_when(self, home: LabClient) -> None:
        environment = home.environment()
        assert environment["ROZANEH_LAB"] == home.name
        assert abs(datetime.fromisoformat(environment["ROZANEH_LAB_CLOCK"]) - home.clock.now()).total_seconds() < 1
        assert Path(environment["SSL_CERT_FILE"]).read_text(encoding="ascii").startswith("-----BEGIN CERTIFICATE")

    def test_programs_run_on_hosts_of_the_world_too(self, lab: Lab) -> None:
        done = lab.host("relay").run(
            ["curl", "-sS", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", f"http://{SITE}"]
        )
        assert (done.returncode, done.stdout) == (0, "200")


class TestSockets:
    @pytest.mark.parametrize("backend", BACKENDS, ids=["asyncio", "uvloop", "trio"])
    def test_this_process_dials_from_a_home(self, lab: Lab, backend: tuple[str, dict[str, bool]]) -> None:
        home = lab.client("fixed", programs=False)

        async def fetch() -> bytes:
            async with await home.network.connect_tcp(SITE, 80) as stream:
                await stream.send(b"GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
                return await stream.receive()

        answer = anyio.run(fetch, backend=backend[0], backend_options=backend[1])
        assert answer.startswith(b"HTTP/1.1 200")

    def test_names_are_resolved_by_the_operators_resolver(self, home: LabClient) -> None:
        assert SITE in anyio.run(home.network.resolve, "example.org")

    def test_tls_is_verified_against_the_labs_authority(self, lab: Lab) -> None:
        home = lab.client("mobile", programs=False)
        sockets = home.network.sockets  # type: ignore[attr-defined]  # the lab's network is made of sockets
        with sockets.stream(socket.AF_INET) as plain:
            plain.settimeout(5)
            plain.connect((SITE, 443))
            assert plain.getsockname()[0] == home.addresses[0]
            with home.trust.context().wrap_socket(plain, server_hostname="example.org") as secure:
                assert secure.version() == "TLSv1.3"

    def test_programs_reach_what_this_process_listens_on(self, home: LabClient) -> None:
        async def serve() -> str:
            listener = await home.network.listen_tcp("127.0.0.1", 0)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; read -r line <&3; echo $line"
            with home.popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True) as process:
                async with listener, await listener.accept() as stream:  # type: ignore[attr-defined]  # a SocketListener
                    await stream.send(b"hello from outside\n")
                heard, _ = await anyio.to_thread.run_sync(process.communicate)
                return str(heard)

        assert anyio.run(serve) == "hello from outside\n"

    def test_errors_are_those_of_the_system(self, home: LabClient) -> None:
        with pytest.raises(ConnectionRefusedError):
            anyio.run(home.network.connect_tcp, "93.184.216.37", 443)
        with pytest.raises(OSError, match="unreachable"):
            anyio.run(home.network.connect_tcp, "203.0.113.1", 443)
        with pytest.raises(OSError, match="bind"):
            anyio.run(home.network.listen_tcp, "192.0.2.1", 80)

    def test_hundreds_of_customers_are_cheap(self, lab: Lab) -> None:
        homes = [lab.client("mobile", programs=False) for _ in range(300)]
        assert len({home.addresses for home in homes}) == 300
        for home in homes:
            home.close()

    def test_threads_may_share_a_lab(self, lab: Lab) -> None:
        names: list[str] = []
        threads = [threading.Thread(target=lambda: names.append(lab.client(programs=False).name)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(names)) == 20


class TestCensors:
    def test_a_reset_reaches_a_real_client_and_only_for_its_name(self, lab: Lab) -> None:
        home = lab.client("mobile", scenario(RESETS))
        assert curl(home, "https://blocked.example/")[0] == 35
        assert curl(home, "https://example.org/") == (0, "200")

    def test_each_customer_has_a_censor_of_its_own(self, lab: Lab, home: LabClient) -> None:
        lab.client("mobile", scenario(RESETS))
        assert curl(home, "https://blocked.example/") == (0, "200")

    def test_censors_can_be_exchanged(self, lab: Lab) -> None:
        home = lab.client("mobile", scenario(RESETS))
        home.load(None)
        assert curl(home, "https://blocked.example/") == (0, "200")

    def test_the_clock_is_one_for_censor_client_and_programs(self, lab: Lab) -> None:
        curfew = """
        [clock]
        start = "2022-09-21T15:50"
        [[rule]]
        match = { time = { from = "16:00", to = "24:00" } }
        action = { null_route = { direction = "both" } }
        """
        home = lab.client("mobile", scenario(curfew))
        assert f"{home.clock.now():%Y-%m-%d %H:%M}" == "2022-09-21 15:50"
        assert curl(home, "https://example.org/") == (0, "200")
        home.set_clock("16:01")
        assert home.run(["sh", "-c", "echo $ROZANEH_LAB_CLOCK"]).stdout.startswith("2022-09-21T16:01")
        assert curl(home, f"https://{SITE}/", "-k", "-m", "1")[0] == 28
        home.set_clock("15:59")
        assert curl(home, "https://example.org/") == (0, "200")

    def test_a_link_can_be_changed_while_the_lab_runs(self, lab: Lab) -> None:
        home = lab.client("mobile", programs=False)
        home.set_link(Link(delay_ms=152))

        async def connect() -> None:
            await (await home.network.connect_tcp(SITE, 80)).aclose()

        started = time.monotonic()
        anyio.run(connect)
        assert time.monotonic() - started >= 0.34  # what the cable takes, however slow the machine

    def test_a_scenario_whose_hosts_are_missing_is_refused(self, lab: Lab) -> None:
        alien = Scenario(id="alien", world=World(host={"new": Host(zone=Zone.WORLD, addresses=("45.1.1.1",))}))
        with pytest.raises(LocalFault, match=r"'alien' brings what .*: new"):
            lab.client("mobile", alien)
        assert world_for([alien]).host["new"].addresses == ("45.1.1.1",)

    def test_a_capture_opens_with_the_packets_of_the_customer(self, tmp_path: Path) -> None:
        file = tmp_path / "lab.pcap"
        with Lab(pcap=file) as lab:
            curl(lab.client(), f"http://{SITE}/")
        data = file.read_bytes()
        assert data[:4] == b"\xd4\xc3\xb2\xa1"
        assert b"GET / HTTP/1.1" in data
        assert b"HTTP/1.1 200" in data


class TestWrongUse:
    def test_a_network_that_does_not_exist(self, lab: Lab) -> None:
        with pytest.raises(LocalFault, match="no home network 'moon'; there are mobile, fixed"):
            lab.client("moon")

    def test_a_host_that_does_not_exist(self, lab: Lab) -> None:
        with pytest.raises(LocalFault, match="no host 'moon'"):
            lab.host("moon")

    def test_a_tier_that_does_not_exist(self) -> None:
        with pytest.raises(LocalFault, match="no tier 'T7'"):
            Lab("T7")

    def test_a_time_that_is_none(self, lab: Lab) -> None:
        with pytest.raises(LocalFault, match="'soon' is no time"):
            lab.set_clock("soon")

    def test_a_capture_that_cannot_be_written(self) -> None:
        with pytest.raises(LocalFault, match=r"cannot write /nowhere/x\.pcap: No such file"):
            Lab(pcap="/nowhere/x.pcap")

    def test_a_lab_that_has_ended(self) -> None:
        lab = Lab(servers=False)
        home = lab.client()
        lab.close()
        lab.close()
        with pytest.raises(LocalFault, match="the lab has ended"):
            home.run(["true"])


def test_two_labs_run_at_once_and_know_nothing_of_each_other() -> None:
    with Lab() as one, Lab() as other:
        first, second = one.client(scenario=scenario(RESETS)), other.client()
        assert first.addresses == second.addresses
        assert curl(first, "https://blocked.example/")[0] == 35
        assert curl(second, "https://blocked.example/") == (0, "200")
        assert one.ca_file.read_bytes() != other.ca_file.read_bytes()


def test_tcp_is_reno_for_everybody(lab: Lab, home: LabClient) -> None:
    for host in (home, lab.host("relay")):
        assert host.run(["cat", "/proc/sys/net/ipv4/tcp_congestion_control"]).stdout == "reno\n"


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def command_lines() -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((folder / "cmdline").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    return found
