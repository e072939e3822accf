"""Censors as the lab has them: matchers, state and actions, made from scenarios.

:class:`Engine` decides what happens to each packet of one client. Its parsers are its own and deliberately naive: a
mistake in the product's codecs must not hide behind the same mistake here.
"""

from rozaneh.lab.censor.actions import ProbeRequest
from rozaneh.lab.censor.engine import Decision, Engine
from rozaneh.lab.censor.view import WorldView

__all__ = ["Decision", "Engine", "ProbeRequest", "WorldView"]
