"""The wire as a process: ports, orders and the time, in one loop."""

import os
import select
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from rozaneh.core import LocalFault
from rozaneh.lab.clock import LabClock
from rozaneh.lab.ns import messages
from rozaneh.lab.ns.channel import Channel, ChannelClosed
from rozaneh.lab.topology import World, Zone
from rozaneh.lab.wire.capture import PcapWriter
from rozaneh.lab.wire.line import Dice, Line
from rozaneh.lab.wire.path import Endpoint, packed
from rozaneh.lab.wire.port import Port, packet_port, tun_port
from rozaneh.lab.wire.probes import Probes
from rozaneh.lab.wire.wire import PACKETS_PER_TURN, Wire

if TYPE_CHECKING:
    from rozaneh.lab.wire.load import Smith

_MOST_EVENTS = 64
_CLOSING_AT_ONCE = 64
_LONGEST_SLEEP = 3600.0
_EARLY = 0.00005
"""A packet may arrive so much too early, in seconds: waking up for each costs more than it gains."""


def run(channel: Channel, world: World, probes: socket.socket) -> None:
    """Carry packets and obey until the channel closes.

    Args:
        channel: from whom orders come.
        world: what the censors know of it.
        probes: a SEQPACKET socket to whoever probes servers for the censors.
    """
    process = WireProcess(channel, world, Probes(probes))
    with suppress(ChannelClosed):
        process.run()
    process.close()


class WireProcess:
    """The loop around a :class:`Wire`."""

    def __init__(self, channel: Channel, world: World, probes: Probes) -> None:
        self._channel = channel
        self._world = world
        self._smith: Smith | None = None
        self._wire = Wire()
        self._ports: dict[int, Port] = {}
        self._epoll = select.epoll()
        self._epoll.register(channel.fileno(), select.EPOLLIN)
        self._probes = probes
        self._epoll.register(probes.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Run until the channel closes.

        epoll_wait(2) counts milliseconds; select(2) counts microseconds and can wait for an epoll, so the two together
        sleep until exactly the next arrival.
        """
        poll, deliver, tick, ports = self._epoll.poll, self._wire.deliver, self._wire.tick, self._ports
        waiting = [self._epoll.fileno()]
        control, reports = self._channel.fileno(), self._probes.fileno()
        monotonic = time.monotonic
        while True:
            due = min(deliver(monotonic() + _EARLY), tick(monotonic()))
            events = poll(0, _MOST_EVENTS)
            if not events:
                if self._wire.capture is not None:
                    self._wire.capture.flush()
                pause = due - _EARLY - monotonic()
                if pause > 0:
                    select.select(waiting, (), (), min(pause, _LONGEST_SLEEP))
                continue
            for fd, _ in events:
                if fd == control:
                    self._obey()
                elif fd in ports:
                    self._read(ports[fd])
                elif fd == reports and not self._probes.take():
                    self._epoll.unregister(reports)
            if self._wire.probes:
                self._probes.order(self._wire.probes)
                self._wire.probes.clear()

    def close(self) -> None:
        """Close all ports at once: the kernel waits a while for each packet socket, and can do so for all together."""
        with ThreadPoolExecutor(_CLOSING_AT_ONCE) as closing:
            for port in self._ports.values():
                closing.submit(port.close)
        if self._wire.capture is not None:
            self._wire.capture.close()

    def _read(self, port: Port) -> None:
        now = time.monotonic()
        read, enter = port.read, self._wire.enter
        try:
            for _ in range(PACKETS_PER_TURN):
                enter(port, read(), now)
        except BlockingIOError:
            pass
        except OSError:
            # The interface has gone, with the host that it belonged to.
            self._close(port)

    def _close(self, port: Port) -> None:
        if self._ports.pop(port.fd, None) is not None:
            self._epoll.unregister(port.fd)
            port.close()

    # ------------------------------------------------------------------------------------------------ orders

    def _obey(self) -> None:
        request, fds = messages.next_request(self._channel)
        reply: messages.Reply
        try:
            reply = self._do(request, fds)
        except LocalFault as fault:
            reply = messages.Fault(text=str(fault))
        finally:
            for fd in fds:
                os.close(fd)
        self._channel.send(messages.encode(reply))

    def _do(self, request: messages.AnyRequest, fds: list[int]) -> messages.Reply:
        """Do what is asked; file descriptors that are taken over are removed from the list."""
        match request:
            case messages.Attach():
                self._attach(request, fds)
            case messages.Detach():
                self._detach(request.name)
            case messages.SetLink():
                self._wire.set_link(self._endpoint(request.name), request.link)
            case messages.LoadCensor():
                self._load(request)
            case messages.TurnClock():
                self._turn_clock(request)
            case messages.Capture():
                self._capture(fds)
            case messages.Count():
                return messages.Counters(counters=self._counters())
            case _:
                raise LocalFault(f"the wire cannot {type(request).__name__}")
        return messages.Done()

    def _attach(self, request: messages.Attach, fds: list[int]) -> None:
        port = self._endpoint(request.share).port if request.share else None
        if fds:
            fd = fds.pop()
            port = tun_port(fd) if request.tier == "tun" else packet_port(fd, request.mac)
            port.captured = request.zone is Zone.HOME
            self._ports[fd] = port
            self._epoll.register(fd, select.EPOLLIN)
        endpoint = Endpoint(
            name=request.name,
            zone=request.zone,
            hops=request.hops,
            addresses=packed(request.addresses),
            port=port,
            outgoing=Line(request.link),
            incoming=Line(request.link),
            out_dice=Dice(request.seed, request.name, "out"),
            in_dice=Dice(request.seed, request.name, "in"),
        )
        self._wire.attach(endpoint)

    def _detach(self, name: str) -> None:
        endpoint = self._endpoint(name)
        self._wire.detach(name)
        port = endpoint.port
        if port is not None and not any(other.port is port for other in self._wire.endpoints()):
            self._close(port)

    def _load(self, request: messages.LoadCensor) -> None:
        endpoint = self._endpoint(request.name)
        if not request.scenario:
            self._wire.load(endpoint, None)
            return
        if self._smith is None:
            from rozaneh.lab.wire.load import Smith  # noqa: PLC0415 - engines take time to import, a free network has none

            self._smith = Smith(self._world)
        clock = LabClock(datetime.fromisoformat(request.time), request.at)
        self._wire.load(endpoint, self._smith.make(request, clock))

    def _turn_clock(self, request: messages.TurnClock) -> None:
        shown = datetime.fromisoformat(request.time)
        for endpoint in self._wire.endpoints():
            if endpoint.censors is not None and request.name in ("", endpoint.name):
                endpoint.censors.clock.set(shown, request.at)

    def _capture(self, fds: list[int]) -> None:
        if self._wire.capture is not None:
            self._wire.capture.close()
        self._wire.capture = PcapWriter(fds.pop()) if fds else None

    def _counters(self) -> dict[str, int]:
        total = Counter(self._wire.counters)
        for endpoint in self._wire.endpoints():
            if endpoint.censors is not None:
                total.update({f"censor {name}": count for name, count in endpoint.censors.judge.counters.items()})
        return dict(total)

    def _endpoint(self, name: str) -> Endpoint:
        found = self._wire.endpoint(name)
        if found is None:
            raise LocalFault(f"the lab has no host {name!r}")
        return found
