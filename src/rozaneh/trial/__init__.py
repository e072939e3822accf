"""The whole gateway put to the lab's questions: every scenario, every target, and the best way beside it.

A matrix of the lab asks whether single ways behave as expected. A :class:`Trial` asks what a person asks: does the page
come through the gateway, which knows nothing of the scenario, and how long does it take? Beside each answer stands the
*oracle*: of all ways that the gateway was given or knows, the one that brings the first byte soonest when dialled
directly, by somebody who knew beforehand.
"""

from rozaneh.trial.run import Got, Progress, get, run
from rozaneh.trial.tried import Question, Trial, Tried, questions

__all__ = ["Got", "Progress", "Question", "Trial", "Tried", "get", "questions", "run"]
