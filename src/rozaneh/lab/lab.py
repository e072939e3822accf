"""A censored internet on one machine, to be used from Python.

::

    with Lab() as lab:
        home = lab.client("mobile", load_scenario("sni-reset"))
        home.run(["curl", "https://blocked.example/"])          # any program
        stream = await home.network.connect_tcp("1.1.1.1", 443)  # or this process itself, under any async library
"""

import itertools
import os
import signal
import ssl
import subprocess
import threading
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from rozaneh.core import LocalFault
from rozaneh.lab.backend import Backend, Tier
from rozaneh.lab.clock import LabClock, country_zone, moment, usual_start
from rozaneh.lab.environment import program_environment
from rozaneh.lab.probe import choose
from rozaneh.lab.scenario import Scenario
from rozaneh.lab.topology import Host, Link, Service, World, Zone, default_world
from rozaneh.net.api import Network
from rozaneh.net.trust import Trust

_READY_WITHIN = 30.0
_FIRST_CUSTOMER = 256
_MOST_CUSTOMERS = 60_000
_USE_CHECK_TIME = 0x2


class Lab:
    """A world, its servers, and customers with a censor each.

    Args:
        tier: ``auto``, or ``T0``, ``T1``, ``T2`` to insist.
        world: instead of the one that ships; see :meth:`World.merged` for adding a scenario's own part.
        pcap: a file to write what customers send and get.
        seed: of everything that is drawn by chance.
        wait: whether to wait until all servers listen; else call :meth:`wait_ready` before anything is asked of them.
        servers: whether anything is served at all.

    Raises:
        LocalFault: the tier does not work here, and what to do about it; or the file cannot be written.
    """

    def __init__(
        self,
        tier: str = "auto",
        world: World | None = None,
        pcap: str | os.PathLike[str] | None = None,
        seed: int = 0,
        *,
        wait: bool = True,
        servers: bool = True,
    ) -> None:
        self.world = world if world is not None else default_world()
        self.clock = LabClock(usual_start(country_zone(self.world.zone)))
        self.seed = seed
        self._clients: dict[str, LabClient] = {}
        self._next = {name: itertools.count(_FIRST_CUSTOMER) for name in self.world.host}
        self._lock = threading.Lock()
        self._served = list(self.world.service)
        self._pcap: IO[bytes] | None = _opened(pcap) if pcap is not None else None
        self._backend: Backend = choose(tier, self.world, seed=seed, servers=servers)
        try:
            if self._pcap is not None:
                self._backend.capture(self._pcap)
            if wait and servers:
                self.wait_ready()
        except BaseException:
            self.close()
            raise

    @property
    def tier(self) -> Tier:
        """What the lab runs on, and what was refused."""
        return self._backend.tier

    @property
    def ca_file(self) -> Path:
        """The certificate authority of all sites of the lab, as PEM."""
        return self._backend.ca_file

    def wait_ready(self) -> None:
        """Wait until all servers listen.

        Raises:
            LocalFault: they could not start.
        """
        self._backend.wait_ready(_READY_WITHIN)

    def client(
        self,
        network: str = "mobile",
        scenario: Scenario | None = None,
        at: str | datetime | None = None,
        seed: int = 0,
        *,
        ipv6: bool = True,
        programs: bool = True,
    ) -> "LabClient":
        """A new customer of a home network, with addresses, a line, a clock and censors of its own.

        Args:
            network: whose customer.
            scenario: the censors on its path; none for a free network.
            at: what its clock shows now; else what the scenario says, else the lab's.
            seed: of its censors and its line, besides the lab's.
            ipv6: whether it has an IPv6 address.
            programs: whether it has a network stack of its own, in which programs can run. Without it a customer costs
                a tenth of the time; hundreds can dial at once from this process.

        Raises:
            LocalFault: no such network, or no addresses left, or not a time.
        """
        home = self.world.host.get(network)
        if home is None or home.zone is not Zone.HOME:
            known = ", ".join(name for name, host in self.world.host.items() if host.zone is Zone.HOME)
            raise LocalFault(f"no home network {network!r}; there are {known}")
        with self._lock:
            number = next(self._next[network])
        name = f"{network}-{number - _FIRST_CUSTOMER + 1}"
        addresses = self._addresses(network, number, ipv6=ipv6)
        self._backend.add_client(name, network, addresses, alone=programs, seed=self.seed + seed)
        client = LabClient(self, self._backend, name, addresses, network, seed=self.seed + seed)
        self._clients[name] = client
        client.load(scenario, at=at)
        return client

    def host(self, name: str) -> "LabHost":
        """A host of the world, from which to dial and on which to run programs.

        Raises:
            LocalFault: there is none.
        """
        host = self.world.host.get(name)
        if host is None:
            raise LocalFault(f"no host {name!r} in the lab; there are {', '.join(self.world.host)}")
        return LabHost(self, self._backend, name, host.addresses, host)

    def load(self, client: "LabHost", scenario: Scenario | None, at: str | datetime | None = None) -> None:
        """Put censors on the path of a customer or host, in the place of those there, with an empty memory."""
        client.load(scenario, at=at)

    def serve(self, services: Sequence[Service]) -> None:
        """Put more services on hosts that exist, while the lab runs; those that stand already are passed over.

        Raises:
            LocalFault: there is no such kind of service, no such address, or something else stands there.
        """
        with self._lock:
            fresh = [service for service in services if service not in self._served]
            self._backend.serve(fresh)
            self._served += fresh

    def set_clock(self, at: str | datetime) -> None:
        """Turn the clock of the whole lab and of every customer, backwards too.

        Raises:
            LocalFault: that is not a time.
        """
        self.clock.set(moment(at, self.clock.now()))
        for client in self._clients.values():
            client.set_clock(self.clock.now())

    def set_link(self, host: str, link: Link) -> None:
        """Lay another cable to a host or customer."""
        self._backend.set_link(host, link)

    def counters(self) -> dict[str, int]:
        """What the wire and the censors have counted since the start."""
        return self._backend.counters()

    def forget(self, client: "LabClient") -> None:
        """What :meth:`LabClient.close` does."""
        if self._clients.pop(client.name, None) is not None:
            self._backend.remove_client(client.name)

    def close(self) -> None:
        """End the lab and everything that runs in it."""
        self._clients.clear()
        backend = getattr(self, "_backend", None)
        if backend is not None:
            backend.close()
        if self._pcap is not None:
            self._pcap.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _addresses(self, network: str, number: int, *, ipv6: bool) -> tuple[str, ...]:
        owner = self.world.network.get(network)
        prefixes = [ip_network(text) for text in owner.prefixes] if owner is not None else []
        four = next((prefix for prefix in prefixes if prefix.version == 4), None)
        six = next((prefix for prefix in prefixes if prefix.version == 6), None)
        if four is None or number >= min(four.num_addresses - 1, _MOST_CUSTOMERS):
            raise LocalFault(f"no addresses left for customers of {network!r}")
        return (str(four[number]), *([str(six[number])] if six is not None and ipv6 else []))


class LabHost:
    """A host of the lab.

    Attributes:
        name: of the host.
        addresses: its own.
    """

    def __init__(self, lab: Lab, backend: Backend, name: str, addresses: Sequence[str], host: Host) -> None:
        self.name = name
        self.addresses = tuple(addresses)
        self._lab = lab
        self._backend = backend
        self._host = host

    @property
    def network(self) -> Network:
        """Dial, listen and resolve from here, under any async library."""
        return self._backend.network(self.name, self.addresses, self._host.resolvers)

    @property
    def trust(self) -> Trust:
        """The lab's certificate authority and no other."""
        return Trust.with_ca(self._lab.ca_file)

    @property
    def trust_without_clock(self) -> Trust:
        """The same on a device whose clock shows 1 January 1970, as one without a battery does: nothing is valid yet.

        It needs no other clock: OpenSSL is told to verify at a given time (``X509_V_FLAG_USE_CHECK_TIME``), and given
        none.
        """
        return Trust.with_ca(self._lab.ca_file, ssl.VerifyFlags(_USE_CHECK_TIME))

    @property
    def clock(self) -> LabClock:
        """What the time is here."""
        return self._lab.clock

    @property
    def autonomous(self) -> str:
        """The network that it belongs to, as rules call it; empty if none announces its address."""
        return self._lab.world.network_of(self.addresses[0]) or ""

    def load(self, scenario: Scenario | None, at: str | datetime | None = None) -> None:
        """Put censors on the path of this host, in the place of those there, with an empty memory."""
        if scenario is not None:
            self._bring_world(scenario)
        if at is not None:
            self.clock.set(moment(at, self.clock.now()))
        self._backend.load(self.name, self.autonomous, scenario, self._lab.seed, self.clock)

    def environment(self) -> dict[str, str]:
        """What programs here need in their environment, this process's own included."""
        return program_environment(
            os.environ, ca_file=self._lab.ca_file, host=self.name, now=self.clock.now(), zone=self._lab.world.zone
        )

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a program here; options are those of ``subprocess.Popen``, ``env`` adding to :meth:`environment`.

        Raises:
            LocalFault: programs cannot run in this tier.
        """
        environment = {**self.environment(), **(options.pop("env", None) or {})}
        return self._backend.popen(self.name, argv, self._host.resolvers, environment, **options)

    def run(
        self, argv: Sequence[str], *, timeout: float | None = 60.0, text: str | None = None, **options: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program here to its end and take what it prints.

        Args:
            argv: the program and its arguments.
            timeout: seconds, after which it and its children are killed.
            text: what it reads.
            options: as for :meth:`popen`.

        Raises:
            subprocess.TimeoutExpired: it was killed; with what it had printed.
            LocalFault: programs cannot run in this tier.
        """
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "errors": "replace"} | options
        options["stdin"] = subprocess.PIPE if text is not None else options.get("stdin", subprocess.DEVNULL)
        with self.popen(argv, start_new_session=True, **options) as process:
            try:
                out, err = process.communicate(text, timeout)
            except BaseException:
                _kill_group(process.pid)
                raise
        return subprocess.CompletedProcess(list(argv), process.returncode, out, err)

    def _bring_world(self, scenario: Scenario) -> None:
        brought, here = scenario.world, self._lab.world
        missing = [*brought.host.keys() - here.host.keys(), *brought.names.keys() - here.names.keys()]
        if missing:
            raise LocalFault(
                f"scenario {scenario.id!r} brings what this lab was started without: {', '.join(sorted(missing))}"
            )
        self._lab.serve(brought.service)


class LabClient(LabHost):
    """A customer of a home network."""

    def __init__(
        self,
        lab: Lab,
        backend: Backend,
        name: str,
        addresses: Sequence[str],
        home_network: str,
        *,
        seed: int,
    ) -> None:
        super().__init__(lab, backend, name, addresses, lab.world.host[home_network])
        self.home_network = home_network
        self._seed = seed
        self._clock = LabClock(lab.clock.now())

    @property
    def clock(self) -> LabClock:
        """What its clock shows, and that of the censors on its path."""
        return self._clock

    @property
    def autonomous(self) -> str:
        """The home network that it belongs to."""
        return self.home_network

    def load(self, scenario: Scenario | None, at: str | datetime | None = None) -> None:
        """Put censors on its path, in the place of those there, with an empty memory.

        Args:
            scenario: none for a free network.
            at: what its clock shows now; else what the scenario says, else it runs on.

        Raises:
            LocalFault: the scenario needs a host that this lab was started without, or that is not a time.
        """
        if scenario is not None:
            self._bring_world(scenario)
            if scenario.clock is not None:
                self._clock.set(moment(scenario.clock.start, self._lab.clock.now()))
        if at is not None:
            self._clock.set(moment(at, self._clock.now()))
        self._backend.load(self.name, self.home_network, scenario, self._seed, self._clock)

    def set_clock(self, at: str | datetime) -> None:
        """Turn its clock and that of its censors."""
        self._clock.set(moment(at, self._clock.now()))
        self._backend.turn_clock(self.name, self._clock)

    def set_link(self, link: Link) -> None:
        """Lay another cable to it."""
        self._backend.set_link(self.name, link)

    def close(self) -> None:
        """Take it away."""
        self._lab.forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def world_for(scenarios: Sequence[Scenario], world: World | None = None) -> World:
    """A world that holds what all of these scenarios add to it.

    Raises:
        LocalFault: two of them put different things in the same place.
    """
    found = world if world is not None else default_world()
    for scenario in scenarios:
        if scenario.world != World():
            found = found.merged(scenario.world)
    return found


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    try:
        return Path(path).open("wb")
    except OSError as error:
        raise LocalFault(f"cannot write {os.fspath(path)}: {error.strerror}") from None


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
