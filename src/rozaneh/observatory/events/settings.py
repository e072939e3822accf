"""The numbers of all detectors of a store, out of the rules."""

from collections.abc import Mapping
from dataclasses import dataclass

from rozaneh.observatory.events.beside import BesideSettings
from rozaneh.observatory.events.curfews import NetworkSettings
from rozaneh.observatory.events.everywhere import EverywhereSettings
from rozaneh.observatory.events.gate import GateSettings
from rozaneh.observatory.events.groups import GroupSettings
from rozaneh.observatory.events.networks import BreadthSettings
from rozaneh.observatory.events.recurring import RecurrenceSettings
from rozaneh.observatory.events.rules import EventRule
from rozaneh.observatory.events.services import ServiceSettings
from rozaneh.observatory.events.weeks import WeekSettings
from rozaneh.observatory.events.weights import WeightSettings

NETWORK, TOGETHER, SERVICE, BESIDE, EVERYWHERE, WEEKS, WEIGHTS, GATE, RECURRING, PROTOCOL = (
    "network-states", "cut-together", "service-states", "works-beside", "same-everywhere", "first-week",
    "source-weights", "source-gate", "recurring-cuts", "protocol-groups",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The numbers of all detectors of a store."""

    network: NetworkSettings
    together: BreadthSettings
    service: ServiceSettings
    beside: BesideSettings
    everywhere: EverywhereSettings
    recurrence: RecurrenceSettings
    weeks: WeekSettings
    weights: WeightSettings
    gate: GateSettings
    group: GroupSettings


def settings_of(known: Mapping[str, EventRule]) -> Settings:
    """The numbers of the detectors out of the rules."""
    return Settings(
        known[NETWORK].numbers(NetworkSettings),
        known[TOGETHER].numbers(BreadthSettings),
        known[SERVICE].numbers(ServiceSettings),
        known[BESIDE].numbers(BesideSettings),
        known[EVERYWHERE].numbers(EverywhereSettings),
        known[RECURRING].numbers(RecurrenceSettings),
        known[WEEKS].numbers(WeekSettings),
        known[WEIGHTS].numbers(WeightSettings),
        known[GATE].numbers(GateSettings),
        known[PROTOCOL].numbers(GroupSettings),
    )
