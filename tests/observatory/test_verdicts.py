"""Rules as table expressions say what the same rules say of one measurement in memory."""

import datetime as dt
import random
from collections.abc import Callable, Sequence
from functools import cache, reduce
from operator import and_, or_
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rozaneh.diagnosis import Evidence, facts, judge, judge_layers, layer_rules, rules
from rozaneh.diagnosis.facts import FACTS
from rozaneh.diagnosis.rules import Rule
from rozaneh.diagnosis.verdict import Outcome
from rozaneh.diagnosis.worked import LAYER_FACTS
from rozaneh.observatory import engine, ours, schema
from rozaneh.observatory.engine import duckdb, expression, show
from rozaneh.observatory.facts import Facts
from rozaneh.observatory.judging import judge_stale
from rozaneh.observatory.layers import layered
from rozaneh.observatory.store import Change, Partition, Store, files
from rozaneh.observatory.verdicts import concluded, hourly, judged
from rozaneh.observatory.wording import ORDER
from tests.observatory.evidence import evidence

NAMED = sorted({*LAYER_FACTS, *(fact for rule in (*rules(), *layer_rules()) for fact in rule.named)})
SAID = ("verdict", "mechanism", "layer", "who", "confidence", "rule")


@cache
def connection() -> Any:
    made = duckdb(threads=1)
    show(made, schema.OBSERVATIONS, [])
    return made


@cache
def compiled(query: Callable[[Any], Any], name: str) -> str:
    return engine.compiled(query(expression(name) if name == schema.OBSERVATIONS else _facts_table()))


def column(fact: str) -> str:
    """The name of a column for a fact."""
    return fact.replace(".", "_")


class Columns:
    """Facts that are boolean columns, each of its name."""

    def holds(self, t: Any, fact: str) -> Any:
        return t[column(fact)]

    def fits(self, t: Any, rule: Rule) -> Any:
        parts = [self.holds(t, name) for name in rule.needs]
        parts += [reduce(or_, (self.holds(t, name) for name in group)) for group in rule.any]
        parts += [~self.holds(t, name) for name in rule.unless]
        return reduce(and_, parts)


def _facts_table() -> Any:
    return ibis.table({"number": "int64", **{column(fact): "boolean" for fact in NAMED}}, name="given_facts")


def _on_facts(table: Any) -> Any:
    return concluded(table, rules(), Columns()).select("number", *SAID)


def _on_rows(table: Any) -> Any:
    facts = Facts(NAMED)
    rows = facts.of(table)
    return rows.select("measurement", **{column(fact): facts.holds(rows, fact) for fact in NAMED})


def _judged(table: Any) -> Any:
    return judged(table)


def _layered(table: Any) -> Any:
    return layered(table)


def run(query: Callable[[Any], Any], name: str, given_rows: pa.Table) -> list[dict[str, Any]]:
    con = connection().con
    con.register(name, given_rows)
    try:
        return con.sql(compiled(query, name)).to_arrow_table().to_pylist()  # type: ignore[no-any-return]  # duckdb has no types
    finally:
        con.unregister(name)


def by_hand(known: frozenset[str], asked: Sequence[Rule]) -> tuple[object, ...]:
    for rule in asked:
        if rule.fits(known):
            absent = sum(fact not in known for fact in rule.wants)
            least = 0.0 if rule.verdict is Outcome.CANNOT_TELL else 0.3
            sure = round(max(least, rule.confidence - 0.1 * absent), 2)
            return rule.verdict.value, rule.mechanism.value, rule.where.value, rule.who.value, sure, rule.id
    return "cannot_tell", "unknown", "nowhere", "unknown", 0.0, ""


def fact_sets() -> st.SearchStrategy[frozenset[str]]:
    """Any facts, and those that a rule needs with a few more or fewer, so that rules do fit."""
    loose = st.frozensets(st.sampled_from(NAMED), max_size=12)

    def around(rule: Rule) -> st.SearchStrategy[frozenset[str]]:
        core = frozenset((*rule.needs, *(group[0] for group in rule.any)))
        return st.tuples(st.sets(st.sampled_from((*rule.wants, *NAMED)), max_size=4), st.booleans()).map(
            lambda more: (core | more[0]) - (frozenset(rule.unless) if more[1] else frozenset())
        )

    return st.one_of(loose, st.sampled_from(rules()).flatmap(around))


@settings(max_examples=10)
@given(st.lists(fact_sets(), min_size=20, max_size=60))
def test_any_set_of_facts_is_judged_alike(sets: list[frozenset[str]]) -> None:
    table = pa.table(
        {"number": range(len(sets)), **{column(fact): [fact in known for known in sets] for fact in NAMED}}
    )
    for row in run(_on_facts, "given_facts", table):
        told = tuple(row[name] for name in SAID)
        assert told == by_hand(sets[row["number"]], rules())


def observations(all_evidence: Sequence[Evidence]) -> pa.Table:
    """Rows as ingest writes them, of evidence in memory."""
    rows = []
    moment = dt.datetime(2022, 9, 21, 17)  # noqa: DTZ001 - as in the store
    for number, one in enumerate(all_evidence):
        shared = {
            "measurement": number, "measurement_uid": str(number), "country": "IR", "day": moment.date(), "asn": 44244,
            "time": moment, "network": ours.network_of(one), "target": 0, "service": "", "domain": "site.example",
            **ours.target_of(one),
        }  # fmt: skip
        dials = ours.dials_of(one) or [ours.no_dial()]
        rows += [ours.in_order({**shared, **dial}, schema.OBSERVATION.names) for dial in dials]
    columns = zip(*rows, strict=True)
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, schema.OBSERVATION, strict=True)], schema=schema.OBSERVATION
    )


@settings(max_examples=8)
@given(st.integers(0, 2**32))
def test_any_evidence_has_the_same_facts_and_verdict_as_a_table(seed: int) -> None:
    rng = random.Random(seed)
    all_evidence = [evidence(rng) for _ in range(60)]
    table = observations(all_evidence)
    for row in run(_on_rows, schema.OBSERVATIONS, table):
        one = all_evidence[row["measurement"]]
        assert {fact for fact in NAMED if row[column(fact)]} == facts(one) & set(NAMED)
    found = run(_judged, schema.OBSERVATIONS, table)
    assert len(found) == len(all_evidence)
    for row in found:
        told = judge(all_evidence[row["measurement"]])
        assert (row["verdict"], row["mechanism"], row["who"], row["confidence"], row["rule"]) == (
            told.verdict.value, told.mechanism.value, told.who.value, told.confidence, next(iter(told.rules), ""),
        )  # fmt: skip
    assert {
        (row["measurement"], *(row[name] for name in SAID)) for row in run(_layered, schema.OBSERVATIONS, table)
    } == {
        (number, said.verdict, said.mechanism, layer, said.who, said.confidence, next(iter(said.rules), ""))
        for number, one in enumerate(all_evidence)
        for layer, said in judge_layers(one).items()
    }


def test_a_store_holds_what_the_query_says_whatever_lies_where(tmp_path: Path) -> None:
    """Words that are looked up by number are those that a query writes; rows lie in order, in texts."""
    rng = random.Random(11)
    table = observations([evidence(rng) for _ in range(300)])
    day = Partition("IR", table["day"][0].as_py())
    asked = pa.Table.from_pylist(run(_judged, schema.OBSERVATIONS, table), schema=schema.VERDICT)
    places = list(range(table.num_rows))
    rng.shuffle(places)
    with Store(tmp_path) as store:
        put = [
            (store.stage(table.take(places[first::3])), store.new_file(schema.OBSERVATIONS, day)) for first in range(3)
        ]
        store.commit(Change(put=put, stale=[day]))
        assert judge_stale(store) == 300
    (path,) = files(tmp_path, schema.VERDICTS)
    kept = pq.read_table(path, partitioning=None)
    assert kept.schema.equals(schema.VERDICT, check_metadata=True)
    assert kept.equals(asked.sort_by([(name, "ascending") for name in ORDER]))
    assert len({*kept["verdict"].to_pylist()}) > 5


def test_every_fact_there_is_can_be_asked_of_a_table() -> None:
    facts = Facts(FACTS)
    rows = facts.of(expression(schema.OBSERVATIONS))
    asked = rows.select(**{f"fact{n}": facts.holds(rows, name) for n, name in enumerate(sorted(FACTS))})
    assert {column.is_boolean() for column in asked.schema().types} == {True}
    with pytest.raises(ValueError, match="not in list"):
        facts.holds(rows, "page.imagined")


def test_hours_count_every_verdict_once() -> None:
    rng = random.Random(7)
    verdicts = pa.Table.from_pylist(
        run(_judged, schema.OBSERVATIONS, observations([evidence(rng) for _ in range(200)])), schema=schema.VERDICT
    )
    hours = connection().to_pyarrow(hourly(ibis.memtable(verdicts)))
    assert sum(hours["n"].to_pylist()) == 200
    rest = [sum(hours[name].to_pylist()) for name in schema.COUNTS if name != "n"]
    assert sum(rest) == 200
    assert sum(hours["blocked"].to_pylist()) == sum(v == "blocked" for v in verdicts["verdict"].to_pylist()) > 0
