"""Events: outages, curfews, blocks, found in series of signals and of measurements.

Theory of operation. An event is a claim about a series: in one place, about everything or one service, from when to
when. It is told from noise by a baseline that was learnt from clean times and frozen when the event began; so no event,
however long, becomes the usual, and it ends only by recovery against what was there before. Rules are data
(``rules.toml``); the detectors are pure functions of arrays, and the same input in any order gives the same events.
"""

from rozaneh.observatory.events.event import Event, Evidence, Forecast, Found, Vote, Withheld
from rozaneh.observatory.events.on_signals import Findings, signal_events
from rozaneh.observatory.events.on_store import StoreFindings, store_events
from rozaneh.observatory.events.renewing import renew
from rozaneh.observatory.events.rules import EventRule, event_rules
from rozaneh.observatory.events.stored import Stored, keep, stored

__all__ = [
    "Event",
    "EventRule",
    "Evidence",
    "Findings",
    "Forecast",
    "Found",
    "StoreFindings",
    "Stored",
    "Vote",
    "Withheld",
    "event_rules",
    "keep",
    "renew",
    "signal_events",
    "store_events",
    "stored",
]
