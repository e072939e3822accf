"""A censored internet on one machine, to be used from Python.

::

    with Lab() as lab:
        home = lab.client("mobile", load_scenario("sni-reset"))
        home.run(["curl", "https://blocked.example/"])          # any program
        stream = await home.network.connect_tcp("1.1.1.1", 443)  # or this process itself, under any async library
"""

import itertools
import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rozaneh.core import LocalFault
from rozaneh.lab.backend import Backend, Tier
from rozaneh.lab.clock import LabClock, country_zone, moment, usual_start
from rozaneh.lab.hosts import LabClient, LabHost
from rozaneh.lab.probe import choose
from rozaneh.lab.scenario import Scenario
from rozaneh.lab.topology import Link, Service, World, Zone, default_world

_READY_WITHIN = 30.0
_FIRST_CUSTOMER = 256
_MOST_CUSTOMERS = 60_000


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
        with ExitStack() as undo:
            undo.callback(self.close)
            if self._pcap is not None:
                self._backend.capture(self._pcap)
            if wait and servers:
                self.wait_ready()
            undo.pop_all()

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
    ) -> LabClient:
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

    def host(self, name: str) -> LabHost:
        """A host of the world, from which to dial and on which to run programs.

        Raises:
            LocalFault: there is none.
        """
        host = self.world.host.get(name)
        if host is None:
            raise LocalFault(f"no host {name!r} in the lab; there are {', '.join(self.world.host)}")
        return LabHost(self, self._backend, name, host.addresses, host)

    def load(self, client: LabHost, scenario: Scenario | None, at: str | datetime | None = None) -> None:
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

    def forget(self, client: LabClient) -> None:
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
