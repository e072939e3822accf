"""The lab of tier T0: world, hop and censors in one thread of this process."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import IO, TYPE_CHECKING, Any, TypeVar

from rozaneh.core import DialFailed, LocalFault
from rozaneh.lab.backend import Tier
from rozaneh.lab.clock import LabClock
from rozaneh.lab.folder import Folder
from rozaneh.lab.loopback.addresses import LoopbackAddresses, LoopbackSockets
from rozaneh.lab.loopback.curl import Url, is_curl, redirected, urls_of
from rozaneh.lab.loopback.hop import Customer, Hop
from rozaneh.lab.loopback.network import LoopbackNetwork
from rozaneh.lab.loopback.path import Path
from rozaneh.lab.ns.messages import ProbeOrder
from rozaneh.lab.topology import Link, Service, World
from rozaneh.lab.world.doors import Doors
from rozaneh.lab.world.serve import CA_FILE, RunningWorld
from rozaneh.net.api import Network

if TYPE_CHECKING:
    from rozaneh.lab.scenario import Scenario
    from rozaneh.lab.wire.censors import Censors, ProbeRequest

_T = TypeVar("_T")
_START_SECONDS = 20.0
_CALL_SECONDS = 20.0


class LoopbackLab:
    """See :class:`rozaneh.lab.backend.Backend`.

    Args:
        world: what stands where.
        seed: of everything that is drawn by chance.
        servers: whether anything is served.
        tier: what to say about itself.

    Raises:
        LocalFault: the servers could not start.
    """

    def __init__(self, world: World, *, seed: int, servers: bool, tier: Tier) -> None:
        self.tier = tier
        self._world = world
        self._seed = seed
        self._servers = servers
        self._room = Folder()
        self._addresses = LoopbackAddresses()
        self._ready = threading.Event()
        self._failed: list[Exception] = []
        self._thread = threading.Thread(target=self._run, name="rozaneh-lab", daemon=True)
        self._thread.start()
        try:
            self.wait_ready(_START_SECONDS)
        except LocalFault:
            self.close()
            raise

    @property
    def ca_file(self) -> FilePath:
        """The certificate authority of the lab's sites, as PEM."""
        return self._room.path / CA_FILE

    def wait_ready(self, seconds: float) -> None:
        """Wait until all servers listen. Raises ``LocalFault`` if they do not."""
        if not self._ready.wait(seconds):
            raise LocalFault(f"the lab's servers were not ready after {seconds:g} s")
        if self._failed:
            raise LocalFault(f"the lab's servers could not start: {self._failed[0]}") from self._failed[0]

    def serve(self, services: Sequence[Service]) -> None:
        """Put more services on hosts that exist. Raises ``LocalFault`` for one that cannot stand there."""

        def add() -> None:
            for service in services if self._servers else ():
                self._running.add(service)

        try:
            self._call(add)
        except OSError as error:
            raise LocalFault(f"the lab cannot serve that: {error}") from error

    def add_client(self, name: str, home: str, addresses: Sequence[str], *, alone: bool, seed: int) -> None:
        """A customer of a home network. It has no network stack of its own here, whatever ``alone`` says."""
        del alone, seed
        self._add(name, home, addresses)

    def remove_client(self, name: str) -> None:
        """Take a customer away."""
        self._call(lambda: self._hop.customers.pop(name, None))

    def load(self, name: str, network: str, scenario: "Scenario | None", seed: int, clock: LabClock) -> None:
        """Put a scenario's censors on the path of a customer or host, with an empty memory.

        Raises:
            LocalFault: the scenario needs real packets.
        """
        path = self._customer(name).path
        if scenario is None:
            self._call(lambda: setattr(path, "censors", None))
            return
        from rozaneh.lab.censor.engine import Engine  # noqa: PLC0415 - not before a censor is wanted
        from rozaneh.lab.censor.view import WorldView  # noqa: PLC0415 - as above
        from rozaneh.lab.wire.censors import Censors  # noqa: PLC0415 - as above

        if scenario.tier == "packets":
            raise LocalFault(f"scenario {scenario.id!r} needs real packets: tier T1 or T2, not {self.tier.name}")
        engine = Engine(scenario, network=network, seed=seed, clock=clock, view=WorldView.of(self._world))
        censors = Censors(judge=engine, clock=clock, hops=scenario.places)
        self._call(lambda: setattr(path, "censors", censors))

    def turn_clock(self, name: str, clock: LabClock) -> None:
        """Tell the censors on somebody's path what their clock shows now."""
        censors = self._customer(name).path.censors
        if censors is not None:
            censors.clock.set(clock.start, clock.at)

    def network(self, host: str, addresses: Sequence[str], resolvers: Sequence[str]) -> Network:
        """Dial, listen and resolve as a customer or host."""
        del addresses
        self._customer(host)
        return LoopbackNetwork(customer=host, hop=self._hop.place, resolvers=tuple(resolvers))

    def popen(
        self, host: str, argv: Sequence[str], resolvers: Sequence[str], environment: Mapping[str, str], **options: Any
    ) -> subprocess.Popen[Any]:
        """Start curl, the one program that can be told by an option where to connect.

        Raises:
            LocalFault: another program, or the name in the URL does not resolve: curl cannot be shown that here.
        """
        if not is_curl(argv):
            raise LocalFault(f"{argv[0]} needs a host of its own: tier T1 or T2; {self.tier.name} can run curl alone")
        places = {url: self._front(host, url, resolvers) for url in urls_of(argv)}
        return subprocess.Popen(redirected(argv, places), env={**os.environ, **environment}, **options)

    def set_link(self, name: str, link: Link) -> None:
        """Not here: there are no cables."""
        del link
        raise LocalFault(f"the cable of {name} cannot be changed in tier {self.tier.name}: it needs T1 or T2")

    def capture(self, file: IO[bytes] | None) -> None:
        """Not here: there are no packets."""
        if file is not None:
            raise LocalFault(f"there are no packets to capture in tier {self.tier.name}: it needs T1 or T2")

    def counters(self) -> dict[str, int]:
        """What the censors have counted."""
        total: dict[str, int] = {}
        for customer in list(self._hop.customers.values()):
            if customer.path.censors is not None:
                for name, count in customer.path.censors.judge.counters.items():
                    total[name] = total.get(name, 0) + count
        return total

    def close(self) -> None:
        """End everything; harmless when it has ended."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(_CALL_SECONDS)
        self._addresses.close()
        self._room.remove()

    def _customer(self, name: str) -> Customer:
        if name in self._world.host and name not in self._hop.customers:
            self._add(name, name, self._world.host[name].addresses)
        customer = self._hop.customers.get(name)
        if customer is None:
            raise LocalFault(f"the lab has no host {name!r}")
        return customer

    def _add(self, name: str, host: str, addresses: Sequence[str]) -> None:
        customer = Customer(path=Path(self._world, host, self._probe), addresses=tuple(addresses))
        self._call(lambda: self._hop.customers.update({name: customer}))

    def _probe(self, censors: "Censors", wanted: "ProbeRequest") -> None:
        """Let the world probe a server for a censor; called in the lab's thread."""

        async def run() -> None:
            order = ProbeOrder(
                token=wanted.token,
                kind=wanted.kind,
                address=wanted.address,
                port=wanted.port,
                payload=wanted.payload,
                delay=wanted.delay,
            )
            report = await self._running.prober.probe(order)
            censors.judge.probe_result(report.token, frozenset(report.results), self._loop.time())

        self._doors.spawn(run())

    def _front(self, customer: str, url: Url, resolvers: Sequence[str]) -> tuple[str, int]:
        self._customer(customer)
        address = url.address
        if not address:
            network = LoopbackNetwork(customer=customer, hop=self._hop.place, resolvers=tuple(resolvers))
            asked = asyncio.run_coroutine_threadsafe(network.resolve(url.host), self._loop)
            try:
                address = asked.result(_CALL_SECONDS)[0]
            except (DialFailed, TimeoutError) as error:
                raise LocalFault(f"{url.host} does not resolve ({error}); curl cannot be shown that in T0") from None
        return self._call(lambda: self._hop.front(customer, address, url.port))

    def _call(self, what: Callable[[], _T]) -> _T:
        """Do something in the lab's thread and wait for it."""

        async def run() -> _T:
            return what()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_CALL_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except (LocalFault, OSError) as error:
            self._failed.append(error)
        finally:
            self._ready.set()

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda *_: None)
        self._ended = asyncio.Event()
        self._doors = doors = Doors(lambda name: self._addresses.behind(name[0]))
        self._hop = Hop(self._addresses, doors)
        sources = {name: host.addresses[0] for name, host in self._world.host.items()}
        running = RunningWorld(self._world, LoopbackSockets(self._addresses, sources), self._room.path)
        self._running = running
        if self._servers:
            running.start()
        self._ready.set()
        warming = asyncio.create_task(running.warm())
        try:
            await self._ended.wait()
        finally:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
            await doors.close()
            await running.close()
