"""Experiments: each an order of attempts that answers one question, each runnable alone.

``rozaneh check --experiment NAME [TARGET]``. What an experiment finds is a :class:`Finding`: a verdict by the same
rules as everywhere, sentences that say more, and a result in the experiment's own form. To add one: a function that
takes the tools of a run and an endpoint and returns a finding, and a line in :data:`EXPERIMENTS`.
"""

from rozaneh.probe.experiments.finding import Finding, Line, Trial, Trials
from rozaneh.probe.experiments.registry import EXPERIMENTS, Description, named
from rozaneh.probe.experiments.runner import run

__all__ = ["EXPERIMENTS", "Description", "Finding", "Line", "Trial", "Trials", "named", "run"]
