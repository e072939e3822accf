"""The vocabulary that every other room speaks. Data only: nothing here waits, reads a clock or opens a socket.

- A :class:`Target` is what somebody wants to reach.
- A :class:`Spec` is a stack of dialers as text: the *way* to reach it.
- An :class:`Observation` is one step of one attempt: what happened, never what it means.
- An :class:`Attempt` is all observations of one dial, with the failure that ended it or none.
- A :class:`Failure` is the closed list of ways in which a step can fail, in OONI's words.
- A :class:`Context` says on which network and at which hour something was seen.
"""

from rozaneh.core.attempt import Attempt
from rozaneh.core.context import Context
from rozaneh.core.errors import DamagedFile, DialFailed, LocalFault, RemoteFault, RozanehError
from rozaneh.core.failure import Failure
from rozaneh.core.observation import Observation, Op, TagValue
from rozaneh.core.spec import Element, NotHere, Spec, SpecError
from rozaneh.core.target import Target, TargetError

__all__ = [
    "Attempt",
    "Context",
    "DamagedFile",
    "DialFailed",
    "Element",
    "Failure",
    "LocalFault",
    "NotHere",
    "Observation",
    "Op",
    "RemoteFault",
    "RozanehError",
    "Spec",
    "SpecError",
    "TagValue",
    "Target",
    "TargetError",
]
