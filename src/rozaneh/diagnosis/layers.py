"""A verdict for each layer of a target that was seen: names, addresses, handshakes, requests.

Theory of operation. The rules are those of the whole, asked in their order, and of them for one layer: those whose
``where`` is that layer; those that concern the whole network; and those that stand nowhere (what works, what is down).
So a layer never says "blocked" where an earlier rule says that all of it works, and the layer in which the whole
verdict stands says the same as that. A rule of the layer itself decides as it stands. Where another comes first, or
none fits, a layer that did its work is ``ok``, by a rule of ``layers.toml``; one that did not has what that other rule
says, unless that is that all works (over another layer, then), or ``cannot_tell``.

Which layers were seen and did their work are facts: :mod:`rozaneh.diagnosis.worked`. What lies behind a forged answer
cannot be told, unless a trusted address was dialled as well.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from rozaneh.diagnosis.evidence import Evidence
from rozaneh.diagnosis.facts import facts
from rozaneh.diagnosis.judge import verdict_of
from rozaneh.diagnosis.rules import Rule, parse_rules, rules
from rozaneh.diagnosis.verdict import Layer, Outcome, Verdict
from rozaneh.diagnosis.worked import LAYERS, did_its_work, was_seen

ANYWHERE: Final = (Layer.NETWORK, Layer.NOWHERE)
"""Where rules stand that say something of every layer."""


@cache
def layer_rules() -> tuple[Rule, ...]:
    """The rules of layers that do their work, in the order in which they are asked."""
    name = "layers.toml"
    return parse_rules((files("rozaneh.diagnosis") / name).read_bytes(), name)


def _concerning(layer: Layer, asked: Sequence[Rule]) -> tuple[Rule, ...]:
    """Of some rules those that say something of a layer, in their order."""
    return tuple(rule for rule in asked if rule.where is layer or rule.where in ANYWHERE)


def judge_layers(evidence: Evidence) -> dict[Layer, Verdict]:
    """What the evidence says of each layer that was seen; ``where`` is that layer."""
    known = facts(evidence)
    return {layer: _judge(layer, known) for layer in LAYERS if was_seen(layer) in known}


def _judge(layer: Layer, known: frozenset[str]) -> Verdict:
    fitting = [rule for rule in _concerning(layer, rules()) if rule.fits(known)]
    if not fitting or fitting[0].where is not layer:
        if did_its_work(layer) in known:
            fitting = [rule for rule in _concerning(layer, layer_rules()) if rule.fits(known)]
        elif fitting and fitting[0].verdict is Outcome.OK:
            fitting = []
    return verdict_of(fitting, known, layer)
