"""See: what is blocked here, how, by whom, and how sure that is.

A :class:`Service` of the catalogue says what must work for it to be usable: endpoints, and which of them are needed.
For each endpoint an experiment makes attempts in an order that leaves comparable pairs, and the diagnosis judges them.
:func:`check` runs many side by side, with caps for each address and each name, and watches canaries for the whole
network meanwhile. Whom it asks besides the targets stands in ``vantages.toml``.

On a real network nothing is measured before the user has read what it shows to others and agreed
(:mod:`rozaneh.probe.consent`).
"""

from rozaneh.probe.check import Progress, check
from rozaneh.probe.results import EndpointResult, ServiceResult
from rozaneh.probe.services import RISKY, Endpoint, Service, catalogue, choose
from rozaneh.probe.vantages import Vantages, vantages

__all__ = [
    "RISKY",
    "Endpoint",
    "EndpointResult",
    "Progress",
    "Service",
    "ServiceResult",
    "Vantages",
    "catalogue",
    "check",
    "choose",
    "vantages",
]
