"""Active probes between the wire, whose censors want them, and the world, which has hosts to run them from."""

import socket
import time
from contextlib import suppress

import msgspec

from rozaneh.lab.ns.messages import ProbeOrder, ProbeReport
from rozaneh.lab.wire.censors import Censors, ProbeRequest

_MOST_WAITING = 4096
_LONGEST = 1 << 12


class Probes:
    """Orders that were sent and whom their reports are for.

    Args:
        channel: a SEQPACKET socket to the world.
    """

    def __init__(self, channel: socket.socket) -> None:
        channel.setblocking(False)  # noqa: FBT003 - the system's own signature
        self._channel = channel
        self._waiting: dict[int, tuple[Censors, int]] = {}
        self._orders = 0

    def fileno(self) -> int:
        """For polling: readable when reports have come, or when the world has gone."""
        return self._channel.fileno()

    def order(self, wanted: list[tuple[Censors, ProbeRequest]]) -> None:
        """Send orders; where the world cannot keep up they are lost, as probes may be."""
        for censors, request in wanted:
            self._orders += 1
            order = ProbeOrder(
                token=self._orders,
                kind=request.kind,
                address=request.address,
                port=request.port,
                payload=request.payload,
                delay=request.delay,
            )
            with suppress(OSError):
                self._channel.send(msgspec.msgpack.encode(order))
                self._waiting[self._orders] = (censors, request.token)
        while len(self._waiting) > _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def take(self) -> bool:
        """Hand the reports that have come to the censors that asked; whether more may come."""
        try:
            while message := self._channel.recv(_LONGEST):
                report = msgspec.msgpack.decode(message, type=ProbeReport)
                censors, token = self._waiting.pop(report.token, (None, 0))
                if censors is not None:
                    censors.judge.probe_result(token, frozenset(report.results), time.monotonic())
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False
