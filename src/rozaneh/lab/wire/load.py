"""Engines from what the caller sends: here the wire meets the censors."""

import msgspec

from rozaneh.core import LocalFault
from rozaneh.lab.censor.engine import Engine
from rozaneh.lab.censor.view import WorldView
from rozaneh.lab.clock import LabClock
from rozaneh.lab.ns.messages import LoadCensor
from rozaneh.lab.scenario import Scenario
from rozaneh.lab.topology import World
from rozaneh.lab.wire.censors import Censors

_decode = msgspec.msgpack.Decoder(Scenario).decode


class Smith:
    """Makes the engines of one lab, which share what they know of its world."""

    def __init__(self, world: World) -> None:
        self._view = WorldView.of(world)

    def make(self, request: LoadCensor, clock: LabClock) -> Censors:
        """The censors of a scenario, with an empty memory.

        Raises:
            LocalFault: the message holds something else, or the scenario does not fit the world.
        """
        try:
            scenario = _decode(request.scenario)
        except msgspec.DecodeError as error:
            raise LocalFault(f"not a scenario: {error}") from error
        engine = Engine(scenario, self._view, network=request.network, seed=request.seed, clock=clock)
        waits = any(rule.state.delay is not None for rule in scenario.rules)
        return Censors(judge=engine, clock=clock, hops=engine.hops, waits=waits)
