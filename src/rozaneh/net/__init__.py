"""The only door to the network.

Everything that leaves this machine goes through :func:`measure`. It takes a :class:`Dialer` and a target, runs the dial
under a :class:`Trace` that records every step with its own deadline, and returns a :class:`Measured`: the attempt as a
value and, when it worked, an open stream. A failure of the network is a value; only a fault of ours is an exception.

A dialer that opens sockets takes a :class:`Network`. There are three: the real one (:mod:`rozaneh.net.real`), a host of
the lab (:mod:`rozaneh.lab`), and a world in memory for unit tests (:mod:`rozaneh.net.memory`).
"""

from rozaneh.net.api import ByteStream, Datagrams, Dialer, Exchange, Network, Report
from rozaneh.net.measure import Measured, measure
from rozaneh.net.trace import Deadlines, Step, Trace

__all__ = [
    "ByteStream",
    "Datagrams",
    "Deadlines",
    "Dialer",
    "Exchange",
    "Measured",
    "Network",
    "Report",
    "Step",
    "Trace",
    "measure",
]
