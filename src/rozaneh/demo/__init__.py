"""One evening in the lab, played with every part: see what is blocked, reach it, and say when nothing foreign is left.

:func:`evening` plays it and yields what was measured, scene by scene; it prints nothing and knows no result beforehand.
:mod:`rozaneh.cli.demo` shows it. This room stands above the others because it is the only one that uses them all.
"""

from rozaneh.demo.client import Client, Fetch
from rozaneh.demo.evening import Checked, Comparison, Doing, Ended, Event, Setting, evening
from rozaneh.demo.proof import Claim

__all__ = [
    "Checked",
    "Claim",
    "Client",
    "Comparison",
    "Doing",
    "Ended",
    "Event",
    "Fetch",
    "Setting",
    "evening",
]
