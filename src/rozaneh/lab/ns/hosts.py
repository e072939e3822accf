"""The hosts of a running lab, as the supervisor keeps them."""

import errno
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import msgspec

from rozaneh.core import LocalFault
from rozaneh.lab.ns import calls, messages
from rozaneh.lab.ns.channel import Channel, ChannelClosed
from rozaneh.lab.ns.devices import Device, Workshop
from rozaneh.lab.topology import Host, World

_BACKLOG = 4096
_IP_BIND_ADDRESS_NO_PORT = 24


class Hosts:
    """Makes hosts, sockets in them, and customers; passes on to the wire what is the wire's."""

    def __init__(self, ipv6: bool) -> None:
        self.essential: dict[int, str] = {}
        self._ipv6 = ipv6
        self._world = World()
        self._devices: dict[str, Device] = {}
        self._guests: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._wire: Channel | None = None

    def do(self, request: messages.AnyRequest, fds: list[int], given: list[int]) -> messages.AnyReply:
        """Do what is asked.

        Args:
            request: what.
            fds: what came along; the caller closes it.
            given: takes the file descriptors that go with the reply; the caller closes them.

        Raises:
            CallRefused: the kernel did not let us.
            LocalFault: it makes no sense.
            ChannelClosed: the wire has gone.
        """
        match request:
            case messages.Build():
                return self._build(request, given)
            case messages.OpenSocket():
                given.append(self._open(request).detach())
            case messages.NamespacesOf():
                net = self._device(request.host).net
                given += [_own_namespace("user"), _own_namespace("pid"), os.dup(net)]
            case messages.AddClient():
                self._add_client(request)
            case messages.RemoveClient():
                self._remove_client(request)
            case _:
                return self._tell_wire(request, *fds)
        return messages.Done()

    def close(self) -> None:
        """Let the wire end in an orderly way, which is quicker than being killed."""
        if self._wire is None:
            return
        self._wire.close()
        with suppress(ChildProcessError):
            for pid, name in self.essential.items():
                if name == "wire":
                    os.waitpid(pid, 0)

    def _build(self, request: messages.Build, given: list[int]) -> messages.AnyReply:
        world_end, caller_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for_wire, for_world = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Both import their parts while the hosts are being made.
        with world_end, for_world:
            starter = _fork_world(request, world_end, for_world) if request.servers else None
        with for_wire:
            self._wire = self._fork_wire(request.world, for_wire)
        given.append(caller_end.detach())
        refused: list[messages.Refusal] = []
        for tier in request.tiers:
            try:
                self._workshop = Workshop(tier, ipv6=self._ipv6)
                self._world = request.world
                for name, host in request.world.host.items():
                    if not host.black_hole:
                        self._devices[name] = self._workshop.make(host.addresses, host.link.mtu)
            except calls.CallRefused as error:
                self._forget_all()
                refused.append(messages.Refusal(tier=tier, call=error.call, errno=error.errno or 0))
            else:
                for name, host in request.world.host.items():
                    self._attach(name, host, request.seed)
                if starter is not None:
                    self.essential[starter.pid] = "world"
                    starter.go({name: device.net for name, device in self._devices.items()})
                return messages.Built(tier=tier, refused=tuple(refused), ipv6=self._ipv6)
        return messages.Built(tier=None, refused=tuple(refused), ipv6=self._ipv6)

    def _forget_all(self) -> None:
        for device in self._devices.values():
            os.close(device.net)
            os.close(device.wire)
        self._devices.clear()

    def _fork_wire(self, world: World, probes: socket.socket) -> Channel:
        channel, its_end = Channel.pair()
        pid = _fork(lambda: _run_wire(its_end, world, probes), keep=[its_end.fileno(), probes.fileno()])
        its_end.close()
        self.essential[pid] = "wire"
        return channel

    def _attach(self, name: str, host: Host, seed: int, share: str = "") -> None:
        device = self._devices.get(name)
        fds = (device.wire,) if device is not None else ()
        attach = messages.Attach(
            name=name,
            zone=host.zone,
            addresses=host.addresses if device is None else device.addresses,
            hops=host.hops,
            link=host.link,
            seed=seed,
            tier=self._workshop.tier,
            mac=b"" if device is None else device.mac,
            share=share,
            black_hole=host.black_hole,
        )
        self._tell_wire(attach, *fds)
        if device is not None:
            os.close(device.wire)

    def _add_client(self, request: messages.AddClient) -> None:
        home = self._world.host.get(request.home)
        if home is None:
            raise LocalFault(f"the lab has no home network {request.home!r}")
        usable = tuple(address for address in request.addresses if self._ipv6 or ":" not in address)
        host = msgspec.structs.replace(home, addresses=usable)
        if request.alone:
            self._devices[request.name] = self._workshop.make(usable, home.link.mtu)
            self._attach(request.name, host, request.seed)
        else:
            self._workshop.add_addresses(self._device(request.home), usable)
            self._guests[request.name] = request.home, usable
            self._attach(request.name, host, request.seed, share=request.home)

    def _remove_client(self, request: messages.RemoveClient) -> None:
        self._tell_wire(messages.Detach(name=request.name))
        guest = self._guests.pop(request.name, None)
        if guest is not None:
            self._workshop.remove_addresses(self._device(guest[0]), guest[1])
            return
        device = self._devices.pop(request.name, None)
        if device is not None:
            os.close(device.net)

    def _tell_wire(self, request: messages.Request, *fds: int) -> messages.AnyReply:
        if self._wire is None:
            raise LocalFault("the lab has not been built")
        return messages.ask(self._wire, request, fds)[0]

    def _device(self, name: str) -> Device:
        host = self._guests[name][0] if name in self._guests else name
        device = self._devices.get(host)
        if device is None:
            raise LocalFault(f"the lab has no host {name!r}")
        return device

    def _open(self, request: messages.OpenSocket) -> socket.socket:
        kind = {"datagram": socket.SOCK_DGRAM, "raw": socket.SOCK_RAW}.get(request.kind, socket.SOCK_STREAM)
        protocol = socket.IPPROTO_TCP if request.kind == "raw" else 0
        with calls.inside(self._device(request.host).net):
            made = socket.socket(request.family, kind | socket.SOCK_NONBLOCK, protocol)
        try:
            if request.kind == "listener":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind((request.address, request.port))
                made.listen(_BACKLOG)
            elif request.address:
                if request.kind == "stream":
                    # The port is chosen at connect: then every peer can be reached from every port.
                    made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
                made.bind((request.address, 0))
        except OSError as error:
            made.close()
            raise calls.CallRefused(f"bind({request.address})", error.errno or errno.EINVAL) from error
        return made


class _WorldStarter:
    """The world process, which imports its servers while the hosts are still being made."""

    def __init__(self, pid: int, order: Channel) -> None:
        self.pid = pid
        self._order = order

    def go(self, namespaces: dict[str, int]) -> None:
        """Hand over the hosts' namespaces."""
        names = list(namespaces)
        for start in range(0, len(names), _FDS_AT_ONCE):
            part = names[start : start + _FDS_AT_ONCE]
            self._order.send(msgspec.msgpack.encode(part), [namespaces[name] for name in part])
        self._order.send(msgspec.msgpack.encode([]))
        self._order.close()


_FDS_AT_ONCE = 32


def _fork_world(request: messages.Build, control: socket.socket, probes: socket.socket) -> _WorldStarter:
    order, its_end = Channel.pair()
    kept = [control.fileno(), probes.fileno(), its_end.fileno()]
    pid = _fork(lambda: _run_world(request, control, probes, its_end), keep=kept)
    its_end.close()
    return _WorldStarter(pid, order)


def _run_world(request: messages.Build, control: socket.socket, probes: socket.socket, order: Channel) -> None:
    from rozaneh.lab.world.serve import main  # noqa: PLC0415 - heavy, and this process alone needs it

    namespaces: dict[str, int] = {}
    with suppress(ChannelClosed):
        while True:
            message, fds = order.receive()
            names = msgspec.msgpack.decode(message, type=list[str])
            if not names:
                break
            namespaces.update(zip(names, fds, strict=True))
        order.close()
        present = {name: host for name, host in request.world.host.items() if name in namespaces}
        world = msgspec.structs.replace(request.world, host=present)
        main(world, namespaces, Path(request.directory), control, probes)


def _run_wire(channel: Channel, world: World, probes: socket.socket) -> None:
    from rozaneh.lab.wire.process import run  # noqa: PLC0415 - this process alone needs it

    run(channel, world, probes)


def _fork(body: Callable[[], None], keep: list[int]) -> int:
    """A child that does something with these file descriptors and no others, and dies with its parent."""
    pid = os.fork()
    if pid == 0:
        _live(body, keep)
    return pid


def _live(body: Callable[[], None], keep: list[int]) -> NoReturn:
    status = 1
    try:
        calls.die_with_parent(signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        last = 2
        for fd in [*sorted(keep), os.sysconf("SC_OPEN_MAX")]:
            os.closerange(last + 1, fd)
            last = fd
        body()
        status = 0
    finally:
        if status:
            import traceback  # noqa: PLC0415 - only a child that is about to die of a fault of ours needs it

            traceback.print_exc()
        os._exit(status)


def _own_namespace(kind: str) -> int:
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
