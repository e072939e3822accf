"""A lab of namespaces, seen from the process that uses it."""

import json
import os
import select
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from rozaneh.core import LocalFault
from rozaneh.lab.backend import Refused, Tier
from rozaneh.lab.clock import LabClock
from rozaneh.lab.folder import Folder
from rozaneh.lab.ns import messages
from rozaneh.lab.ns.channel import Channel, ChannelClosed
from rozaneh.lab.ns.launch import python_command
from rozaneh.lab.scenario import Scenario
from rozaneh.lab.topology import Link, Service, World
from rozaneh.net.api import Network
from rozaneh.net.real import RealNetwork

_LOG, _CA = "log", "ca.pem"
_END_WITHIN = 5.0
_LONGEST_EVENT = 1 << 16
_SERVE_WITHIN = 30.0

NAMES: dict[messages.Tier, str] = {"veth": "T1", "tun": "T2"}
_REASONS: dict[messages.Tier, str] = {
    "veth": "network namespaces of an unprivileged user, veth pairs and AF_PACKET",
    "tun": "network namespaces and TUN devices",
}


class NamespaceLab:
    """A lab of tier T1 or T2 that runs.

    Args:
        world: its hosts and servers.
        tiers: which to try, in this order.
        seed: of everything that is drawn by chance.
        servers: whether the world's servers are started.

    Raises:
        TiersRefused: none of the tiers works here.
        LocalFault: it could not be started for another reason.
    """

    def __init__(self, world: World, tiers: Sequence[messages.Tier], *, seed: int, servers: bool) -> None:
        self._lock = threading.Lock()
        self._ready = not servers
        self._events: socket.socket | None = None
        self._locked = Folder()
        self._folder = self._locked.path
        self._channel, its_end = Channel.pair()
        with (self._folder / _LOG).open("wb") as log:
            self._guardian = subprocess.Popen(
                [
                    *python_command("rozaneh.lab.ns.supervisor", with_packages=True),
                    str(its_end.fileno()),
                    str(self._folder),
                ],
                pass_fds=(its_end.fileno(), self._locked.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        its_end.close()
        build = messages.Build(world=world, tiers=tuple(tiers), directory=str(self._folder), seed=seed, servers=servers)
        with ExitStack() as undo:
            undo.callback(self.close)
            self._start(build)
            undo.pop_all()

    def _start(self, build: messages.Build) -> None:
        reply, fds = self._ask(build)
        for fd in fds[1:]:
            os.close(fd)
        self._events = socket.socket(fileno=fds[0]) if fds else None
        if not isinstance(reply, messages.Built):
            raise LocalFault(f"the lab answered {type(reply).__name__}")
        refused = tuple(
            Refused(tier=NAMES[each.tier or "veth"], call=each.call, errno=each.errno) for each in reply.refused
        )
        if not reply.tier:
            raise TiersRefused(refused)
        self.tier = Tier(name=NAMES[reply.tier], reason=_REASONS[reply.tier], refused=refused)
        (self._folder / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n", encoding="ascii")

    @property
    def ca_file(self) -> Path:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        return self._folder / _CA

    @property
    def folder(self) -> Path:
        """The lab's private folder; it goes when the lab ends."""
        return self._folder

    def wait_ready(self, seconds: float) -> None:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        if self._ready or self._events is None:
            return
        if not _readable(self._events, seconds):
            raise LocalFault(f"the lab's servers were not ready after {seconds:g} s{self._last_words()}")
        message = self._events.recv(_LONGEST_EVENT)
        event = json.loads(message) if message else {}
        if event.get("event") != "ready":
            raise LocalFault(f"the lab's servers did not start: {event.get('text', '')}{self._last_words()}")
        self._ready = True

    def serve(self, services: Sequence[Service]) -> None:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        if self._events is None or not services:
            return
        self.wait_ready(_SERVE_WITHIN)
        for service in services:
            with self._lock:
                self._events.send(msgspec.json.encode({"do": "add_service", "service": service}))
                message = self._events.recv(_LONGEST_EVENT) if _readable(self._events, _SERVE_WITHIN) else b""
            answer = json.loads(message) if message else {}
            if not answer.get("ok"):
                raise LocalFault(f"the lab cannot serve that: {answer.get('text', 'no answer')}{self._last_words()}")

    def add_client(self, name: str, home: str, addresses: Sequence[str], *, alone: bool, seed: int) -> None:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        self._ask(messages.AddClient(name=name, home=home, addresses=tuple(addresses), alone=alone, seed=seed))

    def remove_client(self, name: str) -> None:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        self._ask(messages.RemoveClient(name=name))

    def load(self, name: str, network: str, scenario: Scenario | None, seed: int, clock: LabClock) -> None:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        text = msgspec.msgpack.encode(scenario) if scenario is not None else b""
        shown = clock.start.isoformat()
        self._ask(messages.LoadCensor(name=name, network=network, scenario=text, seed=seed, time=shown, at=clock.at))

    def turn_clock(self, name: str, clock: LabClock) -> None:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        self._ask(messages.TurnClock(name=name, time=clock.start.isoformat(), at=clock.at))

    def set_link(self, name: str, link: Link) -> None:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        self._ask(messages.SetLink(name=name, link=link))

    def capture(self, file: IO[bytes] | None) -> None:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        self._ask(messages.Capture(), (file.fileno(),) if file is not None else ())

    def counters(self) -> dict[str, int]:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        reply, _ = self._ask(messages.Count())
        return reply.counters if isinstance(reply, messages.Counters) else {}

    def network(self, host: str, addresses: Sequence[str], resolvers: Sequence[str]) -> Network:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        return RealNetwork(sockets=HostSockets(self, host, tuple(addresses)), resolvers=tuple(resolvers))

    def open_socket(self, host: str, kind: str, family: int, address: str = "", port: int = 0) -> socket.socket:
        """A non-blocking socket inside a host. Raises ``OSError`` as the system calls do."""
        request = messages.OpenSocket(host=host, kind=kind, family=family, address=address, port=port)  # type: ignore[arg-type]  # checked by the receiver
        _, fds = self._call(request)
        made = socket.socket(fileno=fds[0])
        made.setblocking(False)  # noqa: FBT003 - the system's own signature
        return made

    def popen(
        self, host: str, argv: Sequence[str], resolvers: Sequence[str], environment: Mapping[str, str], **options: Any
    ) -> subprocess.Popen[Any]:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        _, fds = self._ask(messages.NamespacesOf(host=host))
        try:
            user, pid, net = fds
            command = [
                *python_command("rozaneh.lab.ns.enter", with_packages=False),
                *(f"--{kind}={fd}" for kind, fd in (("user", user), ("pid", pid), ("net", net))),
                f"--resolv={self._resolv_conf(resolvers)}",
                f"--ca={self.ca_file if self.ca_file.exists() else ''}",
                "--",
                *argv,
            ]
            passed = (*fds, *options.pop("pass_fds", ()))
            return subprocess.Popen(command, env=dict(environment), pass_fds=passed, **options)
        finally:
            for fd in fds:
                os.close(fd)

    def close(self) -> None:
        """See :class:`~rozaneh.lab.backend.Backend`."""
        self._channel.close()
        if self._events is not None:
            self._events.close()
        try:
            self._guardian.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            self._guardian.kill()
            self._guardian.wait()
        self._locked.remove()

    def _resolv_conf(self, resolvers: Sequence[str]) -> Path:
        file = self._folder / f"resolv-{'-'.join(resolvers).replace(':', '_') or 'none'}.conf"
        if not file.exists():
            lines = [f"nameserver {address}\n" for address in resolvers]
            file.write_text("".join(lines) + "options timeout:2 attempts:2\n", encoding="ascii")
        return file

    def _ask(self, request: messages.Request, fds: tuple[int, ...] = ()) -> tuple[messages.AnyReply, list[int]]:
        try:
            return self._call(request, fds)
        except OSError as error:
            raise LocalFault(f"the lab could not do that: {error.strerror}") from error

    def _call(self, request: messages.Request, fds: tuple[int, ...] = ()) -> tuple[messages.AnyReply, list[int]]:
        """As :meth:`_ask`, but refused system calls are for the one who asked."""
        try:
            with self._lock:
                return messages.ask(self._channel, request, fds)
        except ChannelClosed:
            raise LocalFault(f"the lab has ended{self._last_words()}") from None

    def _last_words(self) -> str:
        """What the lab's processes said last, which names the fault when one of them died."""
        with suppress(OSError):
            lines = (self._folder / _LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            if lines:
                return f": {lines[-1]}"
        return ""


def _readable(end: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(end, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class TiersRefused(LocalFault):
    """No tier of namespaces works here.

    Attributes:
        refused: which were tried, and what was refused.
    """

    def __init__(self, refused: tuple[Refused, ...]) -> None:
        told = "; ".join(f"{each.tier}: {each.call}: {os.strerror(each.errno)}" for each in refused)
        super().__init__(f"no namespaces here ({told})")
        self.refused = refused


@dataclass(frozen=True)
class HostSockets:
    """Sockets of a host or customer of the lab: an implementation of :class:`rozaneh.net.sockets.Sockets`.

    Attributes:
        lab: which lab.
        host: whose network stack.
        addresses: what to bind to, the first of each family; empty to let the host choose.
    """

    lab: NamespaceLab
    host: str
    addresses: tuple[str, ...]

    def stream(self, family: socket.AddressFamily) -> socket.socket:
        """A TCP socket that is not connected yet."""
        return self.lab.open_socket(self.host, "stream", family, self._source(family))

    def datagram(self, family: socket.AddressFamily) -> socket.socket:
        """A UDP socket that is not connected yet."""
        return self.lab.open_socket(self.host, "datagram", family, self._source(family))

    def listener(self, address: str, port: int) -> socket.socket:
        """A TCP socket that is bound to an IP address and listens; port 0 takes a free one."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self.lab.open_socket(self.host, "listener", family, address, port)

    def raw_tcp(self, family: socket.AddressFamily) -> socket.socket:
        """A raw socket for whole TCP segments."""
        return self.lab.open_socket(self.host, "raw", family)

    def _source(self, family: socket.AddressFamily) -> str:
        wanted = family == socket.AF_INET6
        return next((address for address in self.addresses if (":" in address) == wanted), "")
