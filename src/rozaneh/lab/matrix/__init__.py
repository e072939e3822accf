"""Every censor against every way, at once, in one lab.

- A :class:`Cell` is one question: in this scenario, from this network, does this way reach this target, and if not, how
  does it fail? The scenario's expectations hold the answer that its author's sources give.
- :func:`plan` lists the cells; :func:`run` asks them all at the same time, each from a home address of its own, so that
  neither flow tables nor penalties nor random numbers of one reach another.
- Before a scenario is believed, the same way to the same target is tried without it (the *control*). A cell whose
  control fails says nothing about the censor and is never ok.

What the cells prove is that our ways behave as expected against a *modelled* censor; see ``docs/lab.md`` for what that
is worth.
"""

from rozaneh.lab.matrix.plan import Cell, left_out, plan
from rozaneh.lab.matrix.runner import Finished, Matrix, differing, run
from rozaneh.lab.matrix.ways import ALIASES, STANDARD_WAYS, Way, choose_ways

__all__ = [
    "ALIASES",
    "STANDARD_WAYS",
    "Cell",
    "Finished",
    "Matrix",
    "Way",
    "choose_ways",
    "differing",
    "left_out",
    "plan",
    "run",
]
