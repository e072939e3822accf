"""From what was seen to what it means: which obstacle, who put it there, and how sure that is.

Theory of operation. An :class:`Evidence` holds the attempts that were made at one target, each in a :class:`Role` (as
the user's programs dial, with a trusted answer of the name, with a harmless name at the same address ...), what a
control vantage saw, and what the canaries say about the whole network. :func:`facts` turns it into a set of named
facts: no judgement, only predicates such as ``path.tls.reset`` or ``control.tls.ok``. Rules (``rules.toml``) are data:
which facts they need, which exclude them, and the verdict; the first that fits, in their order, decides. :func:`judge`
does both, and :func:`judge_layers` says of each layer (names, addresses, handshakes, requests) what the same rules say
of that one.

Nothing here waits, reads a clock or opens a socket, so the same rules can be evaluated on one measurement in memory
and, with facts as boolean columns, on a table of millions. A false "blocked" is worse than a missed one: when evidence
is missing, the verdict is ``cannot_tell`` and says what was missing.

:func:`suspect` is the quick sister for a finder that has seen one failed dial and must choose what to try next.
"""

from rozaneh.diagnosis.evidence import Canary, Control, Evidence, Role, Slowness, Tried, Zone
from rozaneh.diagnosis.facts import facts
from rozaneh.diagnosis.judge import judge
from rozaneh.diagnosis.layers import judge_layers, layer_rules
from rozaneh.diagnosis.rules import Rule, rules
from rozaneh.diagnosis.signatures import Signatures, signatures
from rozaneh.diagnosis.suspicion import suspect
from rozaneh.diagnosis.verdict import Layer, Mechanism, Outcome, Verdict, Who, sureness

__all__ = [
    "Canary",
    "Control",
    "Evidence",
    "Layer",
    "Mechanism",
    "Outcome",
    "Role",
    "Rule",
    "Signatures",
    "Slowness",
    "Tried",
    "Verdict",
    "Who",
    "Zone",
    "facts",
    "judge",
    "judge_layers",
    "layer_rules",
    "rules",
    "signatures",
    "sureness",
    "suspect",
]
