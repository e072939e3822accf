"""The reference says everything that can be written, and its examples do what they say."""

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect as types

from rozaneh.lab.censor import Engine
from rozaneh.lab.matrix.ways import STANDARD_WAYS
from rozaneh.lab.scenario import Scenario, parse_scenario, scenario_files, variants
from rozaneh.lab.scenario.examples import EXAMPLES
from rozaneh.lab.scenario.read import type_of
from rozaneh.lab.scenario.reference import field_texts, json_schema, reference
from tests.lab.censor.craft import OTHER, Clock, Lane, client_hello, passed


def structs(form: Any, seen: set[type]) -> Iterator[type[msgspec.Struct]]:
    if isinstance(form, types.StructType):
        if form.cls in seen:
            return
        seen.add(form.cls)
        yield form.cls
        for field in form.fields:
            yield from structs(field.type, seen)
    for name in ("type", "item_type", "value_type"):
        if hasattr(form, name):
            yield from structs(getattr(form, name), seen)
    for choice in getattr(form, "types", ()):
        yield from structs(choice, seen)


def test_every_key_has_a_meaning_and_stands_in_the_reference() -> None:
    text = reference()
    found = list(structs(type_of(Scenario), set()))
    assert len(found) > 45
    for form in found:
        meanings = field_texts(form)
        assert set(meanings) == set(form.__struct_fields__), form
        for key in form.__struct_encode_fields__:
            assert f"- `{key}` (" in text, (form, key)


def test_lines_of_the_reference_name_no_python() -> None:
    assert not re.search(r"NODEFAULT|<class|msgspec|None\b", reference())


def test_names_of_ways_stand_there_with_their_stacks() -> None:
    text = reference()
    for name, stack in STANDARD_WAYS.items():
        assert re.search(rf"^{re.escape(name)} +{re.escape(stack)}$", text, re.MULTILINE), name


def test_json_schema_is_json_and_knows_every_table() -> None:
    schema = json.loads(json.dumps(json_schema()))
    tables = schema["$defs"]
    assert len(tables) > 45
    for table in tables.values():
        assert table["additionalProperties"] is False
    links = set(re.findall(r"#/\$defs/([\w.]+)", json.dumps(schema)))
    assert links <= set(tables)


@pytest.mark.parametrize("text", EXAMPLES, ids=[tomllib.loads(text)["title"][:30] for text in EXAMPLES])
def test_examples_load_and_run(text: str) -> None:
    scenario = parse_scenario(text)
    assert scenario.lacks() == ()
    for variant in variants(scenario):
        assert Engine(variant.scenario, clock=Clock("2022-09-21T12:00")).places


def test_first_example_resets_what_was_split_over_segments_alone() -> None:
    hello = client_hello()
    lane = Lane(EXAMPLES[0])
    lane.open()
    lane.say(hello[:30])
    assert lane.say(hello[30:]).inject
    lane.anew()
    lane.open()
    assert not lane.say(client_hello(records=[60])).inject


def test_second_example_falls_at_four_on_mobile_alone() -> None:
    for network, at, free in (("mobile", "15:40", True), ("mobile", "17:00", False), ("fixed", "17:00", True)):
        assert passed(Lane(EXAMPLES[1], network=network, at=f"2022-09-21T{at}").say(b"x")) is free


def test_fourth_example_punishes_the_second_odd_flow() -> None:
    (first, *_) = variants(parse_scenario(EXAMPLES[3]))
    lane = Lane(EXAMPLES[3])
    lane.engine = Engine(first.scenario, seed=3, clock=lane.clock)
    answers = []
    for _ in range(6):
        lane.anew(there=OTHER.replace("93.184.216", "45.76.10"))
        lane.open()
        answers.append(passed(lane.say(bytes.fromhex("8f1d3c7ae2059b46d1f0283e6c95ba47") * 8)))
    assert answers[0]
    assert not all(answers)


def test_every_file_of_the_repository_makes_censors() -> None:
    for path in scenario_files():
        for variant in variants(parse_scenario(path.read_bytes(), path.name)):
            for network in ("mobile", "fixed"):
                Engine(variant.scenario, network=network, clock=Clock("2022-09-21T12:00"))
