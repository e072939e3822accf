"""An action becomes a list of acts: small functions that do one thing to one packet.

An act writes what it wants into an :class:`Outcome`. It says whether it acted on this packet; a rule of which nothing
acted does not end the evaluation, so that a DNS forger at a place leaves everything but queries to the rules behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from rozaneh.lab.censor.conditions import Surroundings
from rozaneh.lab.censor.draw import Draws
from rozaneh.lab.censor.flows import Flow
from rozaneh.lab.censor.inspection import Inspection
from rozaneh.lab.censor.packet import Packet
from rozaneh.lab.scenario.action import Action
from rozaneh.lab.scenario.model import Rule

Toward = Literal["client", "server"]


class ProbeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An active probe that the lab is asked to run from the censor's own host.

    Attributes:
        token: to be handed back with the results, see :meth:`Engine.probe_result`.
        kind: ``connect``, ``replay``, ``random``, ``tls`` or ``http``.
        address: where to connect.
        port: TCP port.
        payload: what to send once connected; empty for ``connect``, ``tls`` and ``http``.
        delay: seconds to wait first.
    """

    token: int
    kind: str
    address: str
    port: int
    payload: bytes
    delay: float


@dataclass(slots=True)
class Outcome:
    """What becomes of one packet.

    Attributes:
        raw: the packet as it goes on.
        dropped: whether it does not.
        delay: seconds by which it is held back.
        inject: forged packets, towards whom, and after how many seconds.
        probes: active probes to run.
        acted: whether the rule just asked did anything.
        now: the engine's time.
    """

    raw: bytes
    now: float
    dropped: bool = False
    delay: float = 0.0
    inject: list[tuple[bytes, Toward, float]] = field(default_factory=list)
    probes: list[ProbeRequest] = field(default_factory=list)
    acted: bool = False


@dataclass(slots=True)
class Moment:
    """The circumstances in which an act is asked.

    Attributes:
        first: whether this packet is the offence, rather than one that a kept verdict covers.
        way: the direction of the offending packet.
        inspection: what the rule's inspector knows of the flow.
        free: whether the packet itself is out of reach, because a timer and not a packet set this off.
    """

    first: bool
    way: bool
    inspection: Inspection
    free: bool = False


Act = Callable[[Packet, Flow, Outcome, Moment], None]


@dataclass(slots=True, kw_only=True)
class Workshop:
    """What makers of acts need.

    Attributes:
        rule: the rule.
        around: the rule's surroundings.
        draws: chance for this action.
        hop: the hop number of the rule's place.
        ask: registers an active probe and gives its token.
    """

    rule: Rule
    around: Surroundings
    draws: Draws
    hop: int
    ask: Callable[[Action, Flow], int]

    @property
    def in_path(self) -> bool:
        """Whether packets go through this box."""
        return self.rule.mode == "in-path"

    def reaction(self) -> float:
        """Seconds until an injected packet leaves."""
        return self.draws.between(self.rule.reaction_time)


def compile_action(action: Action, shop: Workshop) -> list[Act]:
    """The acts of an action, in the order in which they are done.

    Raises:
        LocalFault: a name in it leads nowhere.
    """
    # Imported here because each of them needs the types above.
    from rozaneh.lab.censor import acts_inject, acts_lead, acts_shape  # noqa: PLC0415 - they build on this

    acts: list[Act] = []
    acts += acts_lead.remembering(action, shop)
    acts += acts_lead.leading(action, shop)
    acts += acts_inject.injecting(action, shop)
    acts += acts_shape.shaping(action, shop)
    if action.pass_:
        acts.append(_pass)
    return acts


def _pass(_packet: Packet, _flow: Flow, outcome: Outcome, _moment: Moment) -> None:
    outcome.acted = True
