"""A host of the lab, and a customer: where one dials, runs programs, and has censors on the path."""

import os
import signal
import ssl
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rozaneh.core import LocalFault
from rozaneh.lab.backend import Backend
from rozaneh.lab.clock import LabClock, moment
from rozaneh.lab.environment import program_environment
from rozaneh.lab.scenario import Scenario
from rozaneh.lab.topology import Host, Link
from rozaneh.net.api import Network
from rozaneh.net.trust import Trust

if TYPE_CHECKING:
    from rozaneh.lab.lab import Lab

_USE_CHECK_TIME = 0x2


class LabHost:
    """A host of the lab.

    Attributes:
        name: of the host.
        addresses: its own.
    """

    def __init__(self, lab: "Lab", backend: Backend, name: str, addresses: Sequence[str], host: Host) -> None:
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
        shown_in = self._lab.ca_file.parent / f"{self.name}.clock"
        self.clock.show_in(shown_in)
        return program_environment(
            os.environ,
            ca_file=self._lab.ca_file,
            host=self.name,
            now=self.clock.now(),
            shown_in=shown_in,
            zone=self._lab.world.zone,
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
        with self.popen(argv, start_new_session=True, **options) as process, ExitStack() as undo:
            undo.callback(_kill_group, process.pid)
            out, err = process.communicate(text, timeout)
            undo.pop_all()
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
        lab: "Lab",
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


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return
