"""Watching a line: little enough to go on all day, often enough to see a curfew begin and end.

A light round (:mod:`~rozaneh.probe.watch.light`) costs less than 30 kB. What it shows is put beside the round before by
:class:`~rozaneh.probe.watch.deciding.Deciding`, which does nothing but decide: whether the line has changed, whether a
full round is worth its bytes, and how long to wait. :func:`~rozaneh.probe.watch.watching.watch` does what it decides.
"""

from rozaneh.probe.watch.deciding import Budget, Deciding, Moment, Power, Reach, Round, Rules, State
from rozaneh.probe.watch.watching import Means, watch

__all__ = ["Budget", "Deciding", "Means", "Moment", "Power", "Reach", "Round", "Rules", "State", "watch"]
