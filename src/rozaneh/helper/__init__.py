"""A control vantage that a volunteer hosts: it dials what a probe asks for, from outside, and tells what it saw.

It speaks OONI's test helper protocol, so that OONI's probes can ask it as well (:mod:`rozaneh.codecs.test_helper`).

A helper dials for strangers, and would be a way into its host's own network, or a nuisance to others, if it were
careless. So there is one door: :class:`~rozaneh.helper.guard.GuardedNetwork` judges the very address and port that a
socket is about to be connected to, whatever name, redirect or second answer of a resolver led there. Before that door
stand bounds on what is asked (:mod:`rozaneh.codecs.test_helper`) and on how often (:mod:`rozaneh.helper.limits`);
behind it deadlines and bounds on what is read. Nothing is written down: neither who asked nor what was asked for.
"""

from rozaneh.helper.guard import PORTS, GuardedNetwork
from rozaneh.helper.limits import Bounds, Limiter
from rozaneh.helper.server import Server
from rozaneh.helper.vantage import Vantage

__all__ = ["PORTS", "Bounds", "GuardedNetwork", "Limiter", "Server", "Vantage"]
