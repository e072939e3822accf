"""Rozaneh: see what is blocked, find the way that works on this network at this hour, and pass it on.

Every dial is a measurement; the measurement names the obstacle; the obstacle names the way. The rooms of the house
and the direction of imports between them are described in ``docs/architecture.md``.
"""

__version__ = "0.1.0"
