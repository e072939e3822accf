"""Verdicts for each layer, as one table expression: what :mod:`rozaneh.diagnosis.layers` says of one measurement.

They are asked for and not kept: observations hold all that they come from, and a table of them would be four times as
long as that of verdicts. A row's ``classic`` is the part of OONI's classic result that speaks of its layer.
"""

from collections.abc import Callable, Sequence
from typing import Final

import ibis

from rozaneh.diagnosis import Layer, Outcome, Rule, rules
from rozaneh.diagnosis.layers import ANYWHERE, layer_rules
from rozaneh.diagnosis.worked import LAYERS, did_its_work, was_seen
from rozaneh.observatory import schema
from rozaneh.observatory.facts import Facts
from rozaneh.observatory.gathered import Column, Table
from rozaneh.observatory.verdicts import first_of, said

_NO: Final = ibis.literal(value=False)
_NOTHING: Final = ibis.null("string")
_CLASSIC: Final = {
    Layer.TCP: ("tcp_ip",),
    Layer.TLS: ("http-failure",),
    Layer.HTTP: ("http-failure", "http-diff"),
}
"""What OONI's ``blocking`` can say of a layer; ``false`` is said of each of them. It has no word for QUIC."""


def layered(observations: Table) -> Table:
    """Verdicts of layers, one row for each that was seen, with the columns of :data:`schema.LAYERED`.

    Args:
        observations: a table of observations.
    """
    known = (*rules(), *layer_rules())
    facts = Facts(
        {*(fact for rule in known for fact in rule.named), *map(was_seen, LAYERS), *map(did_its_work, LAYERS)}
    )
    rows = facts.of(observations)
    # Each target once for each layer, of which those that were not seen go away again.
    rows = rows.mutate(place=ibis.array(list(range(len(LAYERS)))).unnest())
    rows = rows.filter(_by_place(rows, lambda layer: facts.holds(rows, was_seen(layer)), otherwise=_NO))
    numbered = list(enumerate(known))
    chosen = rows.mutate(
        chosen=_by_place(rows, lambda layer: _chosen(rows, layer, numbered, facts), otherwise=-1).cast("int64"),
        of=_by_place(rows, lambda layer: ibis.literal(layer.value), otherwise=""),
        classic=_by_place(rows, lambda layer: _classic(rows, layer), otherwise=_NOTHING),
    )
    told = said(chosen, known, facts)
    return told.mutate(layer=told.of).select(*schema.LAYERED.names)


def _by_place(t: Table, of: Callable[[Layer], Column], otherwise: object) -> Column:
    return ibis.cases(*((t.place == place, of(layer)) for place, layer in enumerate(LAYERS)), else_=otherwise)


def _chosen(t: Table, layer: Layer, numbered: Sequence[tuple[int, Rule]], facts: Facts) -> Column:
    """The number of the rule that decides for a layer, as :func:`rozaneh.diagnosis.judge_layers` finds it."""
    ours = len(rules())
    of_whole = [(n, rule) for n, rule in numbered[:ours] if rule.where in (layer, *ANYWHERE)]
    of_layer = [(n, rule) for n, rule in numbered[ours:] if rule.where is layer]
    first = first_of(t, of_whole, facts)
    own = first.isin([n for n, rule in of_whole if rule.where is layer])
    working = first.isin([n for n, rule in of_whole if rule.where is not layer and rule.verdict is Outcome.OK])
    return ibis.cases(
        (own, first),
        (facts.holds(t, did_its_work(layer)), first_of(t, of_layer, facts)),
        (working, ibis.literal(-1, "int64")),
        else_=first,
    )


def _classic(t: Table, layer: Layer) -> Column:
    if layer is Layer.DNS:
        return t.classic_dns_consistency
    words = [*_CLASSIC[layer], "false"] if layer in _CLASSIC else []
    return ibis.ifelse(t.classic_blocking.isin(words), t.classic_blocking, _NOTHING) if words else _NOTHING
