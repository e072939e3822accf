"""Tier T0: the lab on loopback addresses, for machines that allow no namespaces.

Each address of the world becomes one in 127.0.0.0/8, and each connection of a client passes a *hop* that asks
the same censor engine as the wire does, by synthesising the packets that the connection would have been. What that can
show and what it cannot: ``docs/lab.md``, "Three tiers".
"""

from rozaneh.lab.loopback.lab import LoopbackLab

__all__ = ["LoopbackLab"]
