"""What a file may say, how liberally it is read, and the one line it gets when it is wrong."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rozaneh.core import LocalFault
from rozaneh.lab.scenario import Scenario, load_scenario, parse_scenario, scenario_files, variants
from rozaneh.lab.scenario.fields import Ages, Ports, Rate, Sizes, Span
from rozaneh.lab.scenario.load import LARGEST_FILE
from rozaneh.lab.scenario.read import read_as

RULE = "[[rule]]\nmatch.payload = 'x'\naction = 'drop'\n"


def wrong(text: str | bytes) -> str:
    with pytest.raises(LocalFault) as caught:
        parse_scenario(text, "file.toml")
    line = str(caught.value)
    assert "\n" not in line
    return line


# One meaning, several spellings

SAME: list[tuple[Any, list[object], object]] = [
    (Span, [60, 60.0, "60", "60s", "1m", "1min", [60, "1m"]], (60.0, 60.0)),
    (Span, [[15, 44], ["15s", 44], "15-44", "15s-44s"], (15.0, 44.0)),
    (Span, [0.25, "250ms", "250000us"], (0.25, 0.25)),
    (Rate, [16000, "128kbit", "128 kbit/s", "128kbps", "16kB", "16000B/s"], 16000.0),
    (Rate, ["1MiB", 1048576], 1048576.0),
    (Ports, [443, "443", [443], "0x1bb", {"at_least": 443, "at_most": 443}], ((443, 443),)),
    (Ports, ["10-20", [{"at_least": 10, "at_most": 20}]], ((10, 20),)),
    (Ports, [">=65000", ">64999", {"at_least": 65000}], ((65000, 65535),)),
    (Ports, [[80, "443", "8000-9000"]], ((80, 80), (443, 443), (8000, 9000))),
    (Sizes, ["<1473", "<=1472", {"at_most": 1472}], ((0, 1472),)),
    (Sizes, ["15kB-16KiB"], ((15000, 16384),)),
    (Ages, [">=1m", {"at_least": "60s"}], ((60, 1e15),)),
]


@pytest.mark.parametrize(("form", "spellings", "value"), SAME)
def test_values_are_read_liberally(form: Any, spellings: list[object], value: object) -> None:
    for spelling in spellings:
        assert read_as(form, spelling) == value, spelling


SPELLINGS = [
    ("tls.sni = 'a.b'", "tls.sni = ['a.b']", "tls.sni.exact = 'A.B.'", "tls = { sni = { exact = ['a.b'] } }"),
    ("protocol = 'tcp'", "protocol = 6", "protocol = ['tcp']"),
    ("marked = 'm'", "marked = { name = 'm' }", "marked = [{ name = 'm', on = 'source' }]"),
    ("chance = 0.5", "chance = { probability = 0.5 }"),
    ("server = '1.2.3.4'", "server = { address = '1.2.3.4' }", "server.address = ['1.2.3.4/32']"),
    ("flags = 'syn'", "flags = ['SYN']", "flags.all = 'syn'"),
    ("tls.extension = 'esni'", "tls.extension = 0xffce", "tls.extension = '0xffce'", "tls.extension = [65486]"),
    ("not = { ip = 6 }", "not = [{ ip = 6 }]"),
    ("time.dates = '2022-09-21'", "time.dates = 2022-09-21", "time.dates = [{ from = 2022-09-21 }]"),
]


@pytest.mark.parametrize("spellings", SPELLINGS)
def test_matches_are_read_liberally(spellings: tuple[str, ...]) -> None:
    texts = [f"[[rule]]\nmatch = {{ {one} }}\naction = {{ mark = 'm', drop = 'both' }}" for one in spellings]
    assert len({msgspec.json.encode(parse_scenario(text)) for text in texts}) == 1


def test_actions_are_read_liberally() -> None:
    texts = [
        "'drop'",
        "{ drop = true }",
        "{ drop = {} }",
        "{ drop = 'both' }",
        "{ drop = { direction = 'both' }, reset = false }",
    ]
    found = {msgspec.json.encode(parse_scenario(f"[[rule]]\naction = {text}")) for text in texts}
    assert len(found) == 1


# One line for each mistake

MISTAKES = [
    (
        "[[rule]]\nmatch.tls.snii = 'x'\naction = 'drop'",
        "rule[1].match.tls.snii: unknown key; did you mean sni? expected one of: sni,",
    ),
    (
        RULE + "[[rule]]\nmatch.chance = 'x'\naction = 'drop'",
        'rule[2].match.chance.probability: expected a number 0..1, got "x"',
    ),
    (RULE + "acton = 'drop'", "rule[1].acton: unknown key; did you mean action?"),
    ("[[rules]]\nmatch.payload = 'x'", "rules[1].action: missing"),
    ("[[rule]]\naction = 'dorp'", "rule[1].action.dorp: unknown key; did you mean drop?"),
    ("[[rule]]\naction = 5", "rule[1].action: expected a table with some of: pass, drop"),
    ("[[rule]]\naction = {}", "rule[1].action: empty; expected at least one of: pass, drop"),
    ("rule = 5", "rule: expected a table with some of"),
    ("x = ", "file.toml:1: not TOML"),
    ("\n\nx = 'a", "file.toml:3: not TOML"),
    ("title = 5", "title: expected a text, got 5"),
    (
        RULE + "mode = 'on-path'",
        'rule[1].action.drop: an on-path box sees copies and cannot do this; use mode = "in-path"',
    ),
    (
        "[[rule]]\nmode = 'on-path'\naction.dns = { a = '1.2.3.4', replace = true }",
        "rule[1].action.dns.replace: an on-path",
    ),
    (
        "[[rule]]\nmatch.marked = 'nosy'\naction = 'drop'",
        'rule[1].match.marked[1]: no mark "nosy" on source: no rule sets it',
    ),
    (
        "[[rule]]\nmatch.marked = 'm'\naction = 'drop'\n[[rule]]\naction.mark = { name = 'm', on = 'pair' }",
        'no mark "m" on source: it is set on pair',
    ),
    ("[[rule]]\nat = 'borde'\naction = 'drop'", 'rule[1].at: "borde" is not a place; expected one of: border,'),
    (
        "[[rule]]\nnetworks = 'wifi'\naction = 'drop'",
        'rule[1].networks: "wifi" is not a home network; expected one of: fixed, mobile',
    ),
    (
        "[[rule]]\nmatch.server = 'nobody.example'\naction = 'drop'",
        '"nobody.example" is not a host name of the lab world',
    ),
    ("[[rule]]\nmatch.server = '@x'\naction = 'drop'", 'rule[1].match.server.address: no set "x"; known: '),
    ("[[rule]]\nmatch.server = '1.2.3.400'\naction = 'drop'", "rule[1].match.server.address: expected an address"),
    ("[[rule]]\nmatch.server.port = 70000\naction = 'drop'", "between 0 and 65535, got 70000"),
    ("[[rule]]\nmatch.server.port = '20-10'\naction = 'drop'", "expected the smaller number first"),
    (
        "[[rule]]\nmatch.protocol = 'tpc'\naction = 'drop'",
        "rule[1].match.protocol: expected a protocol number 0..255 or one of icmp",
    ),
    (
        "[[rule]]\nmatch = { protocol = 'udp', tls.sni = 'x' }\naction = 'drop'",
        "can never match: tls is carried by protocol 6",
    ),
    ("[[rule]]\nmatch = { quic.sni = 'x', http.host = 'y' }\naction = 'drop'", "can never match: http and quic"),
    ("[[rule]]\nmatch = { icmp = 8, tls.sni = 'y' }\naction = 'drop'", "can never match: icmp"),
    (
        "[[rule]]\nmatch.time = { from = '16:00', to = '16:00' }\naction = 'drop'",
        "rule[1].match.time.to: the same as from",
    ),
    (
        "[[rule]]\nmatch.time.from = '25:00'\naction = 'drop'",
        'expected a time of day such as "16:00" or "24:00", got "25:00"',
    ),
    ("[[rule]]\nmatch.time.schedule = 'x'\naction = 'drop'", 'no schedule "x"; known: none'),
    (
        "[[rule]]\nmatch.history = { kind = 'events', event = 'x' }\naction = 'drop'",
        "no rule logs this event; known: none",
    ),
    ("[[rule]]\naction = 'drop'\n[[rule]]\naction = 'reset'", "rule[2]: can never act"),
    (RULE + "state.residual = 5", 'rule[1].state.residual: a verdict of scope "packet" does not last'),
    (RULE + "state.residual = [9, 5]", "rule[1].state.residual.seconds: expected [least, most], got [9, 5]"),
    (
        RULE + "state.reassembly.records = true",
        "rule[1].state.reassembly.records: records cannot be joined without TCP",
    ),
    (RULE + "state.attention.then = 'act'", "rule[1].state.attention.then: expected packets"),
    (RULE + "state.scope = 'host'", "rule[1].state.scope: expected one of: "),
    ("[[rule]]\naction.freeze = {}", "rule[1].action.freeze: expected bytes or packets"),
    ("[[rule]]\naction.dns = {}", "rule[1].action.dns: expected addresses"),
    (
        "[[rule]]\naction.rate = 'fast'",
        'rule[1].action.rate.rate: expected a rate (bytes per second, or text such as "128kbit"',
    ),
    ("[[rule]]\naction.reset.to = []", "rule[1].action.reset.to: expected at least one item"),
    ("[[rule]]\naction.reset.count = 1.5", "rule[1].action.reset.count: expected a whole number 1..32, got 1.5"),
    ("[[rule]]\nmatch.payload = 'hex:0'\naction = 'drop'", 'expected pairs of hexadecimal digits after "hex:"'),
    (RULE + "vary = { residul = [1] }", "rule[1].vary.residul: leads nowhere"),
    (RULE + "vary = { seconds = [1] }", "could mean"),
    (RULE + "vary = { 'match.ttl' = [64, 300] }", "rule[1].match.ttl: expected number"),
    ("vary = { 'rule[3].state' = [1] }\n" + RULE, "rule[3].state: leads nowhere; there are 1 of these, counted from 1"),
    (
        RULE + "[[knob]]\npath = 'rule[1].state.residul'\nwhy = 'x'",
        "knob[1].path: rule[1].state.residul: leads nowhere",
    ),
    (RULE + "[[expect]]\noutcome = 'ok'", "expect[1]: expected exactly one of client and way"),
    (RULE + "[[expect]]\nway = 'plain'\noutcome = 'good'", "expect[1].outcome: expected ok, block_page"),
    (RULE + "[[expect]]\nway = 'plain'", "expect[1].outcome: missing"),
    (RULE + "[[source]]\nurl = 'x'\ndate = 'May'", 'expected a date such as "2022", "2022-09"'),
    (
        RULE + "[world.host.new]\nzone = 'moon'\naddresses = ['1.2.3.4']",
        "world.host.new.zone: expected one of: home, isp",
    ),
    (
        RULE + "[[world.service]]\nkind = 'web'\naddresses = ['9.8.7.6']",
        "world.service[1].addresses: 9.8.7.6 belongs to no host",
    ),
    (RULE + "[world.names]\n'a.example' = 'nonsense'", "nonsense"),
    (b"\xff", "file.toml:1: not UTF-8 text"),
    (b"# " + b"x" * LARGEST_FILE, "file.toml: larger than 1 MiB"),
    ("x = " + "[" * 5000 + "]" * 5000, "file.toml"),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES, ids=[expected[:50] for _, expected in MISTAKES])
def test_a_mistake_gets_one_line_that_names_it(text: str | bytes, expected: str) -> None:
    line = wrong(text)
    assert line.startswith("file.toml")
    assert expected in line
    assert len(line) < 700


KEYS = st.sampled_from(["rule", "match", "action", "tls", "sni", "state", "world", "expect", "vary"]) | st.text()
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=12))
def test_any_table_is_a_scenario_or_a_local_fault(table: object) -> None:
    try:
        scenario = read_as(Scenario, table)
    except LocalFault as fault:
        scenario = str(fault)
    assert isinstance(scenario, Scenario | str)


# Variants


def test_vary_makes_one_scenario_per_combination() -> None:
    text = (
        "vary = { 'rule[1].action.drop.direction' = ['out', 'in'] }\n"
        + RULE
        + "state.scope = 'flow'\nvary = { residual = [60, '2m', { seconds = 5, renew = 'packet' }] }"
    )
    scenario = parse_scenario(text)
    found = variants(scenario)
    assert len(found) == 6
    assert found[0].label == "action.drop.direction=out, state.residual=60"
    assert found[0].values == {"rule[1].action.drop.direction": "out", "rule[1].state.residual": 60}
    residuals = [one.scenario.rules[0].state.residual for one in found[:3]]
    assert [residual and residual.seconds for residual in residuals] == [(60, 60), (120, 120), (5, 5)]
    assert all(not one.scenario.vary and not one.scenario.rules[0].vary for one in found)


def test_a_scenario_that_varies_nothing_is_its_only_variant() -> None:
    scenario = parse_scenario(RULE)
    (only,) = variants(scenario)
    assert (only.label, only.scenario) == ("", scenario)


def test_too_many_combinations_are_refused() -> None:
    line = wrong(RULE + f"vary = {{ 'match.ttl' = {list(range(1, 100))} }}")
    assert "at most 64 combinations, got 99" in line


# Files


def test_scenarios_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    elsewhere = tmp_path / "My Censor.toml"
    elsewhere.write_text(RULE)
    assert load_scenario(elsewhere).id == "my-censor"
    assert load_scenario(str(elsewhere)).id == "my-censor"
    names = [path.stem for path in scenario_files()]
    assert load_scenario(names[0]) == load_scenario(f"{names[0]}.toml")
    assert scenario_files(tmp_path) == (elsewhere,)


def test_what_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    for name, expected in (
        ("no-such-thing", "no scenario 'no-such-thing'"),
        ("sni-rest", "did you mean sni-reset?"),
        (str(tmp_path / "x.toml"), "no such file"),
        (tmp_path / "x.toml", "no such file"),
    ):
        with pytest.raises(LocalFault, match=expected):
            load_scenario(name)
    with pytest.raises(LocalFault, match="no such directory"):
        scenario_files(tmp_path / "none")


def test_every_scenario_travels_as_bytes() -> None:
    for path in scenario_files():
        scenario = load_scenario(path)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(scenario), type=Scenario) == scenario
        assert msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario) == scenario


def test_every_scenario_of_the_repository_has_what_it_needs() -> None:
    lacking = {path.stem: load_scenario(path).lacks() for path in scenario_files()}
    assert {name: lines for name, lines in lacking.items() if lines} == {}


def test_lacks_names_what_is_missing() -> None:
    assert [line.partition(":")[0] for line in parse_scenario(RULE).lacks()] == ["title", "sources", "expect"]
    text = "title = 't'\nsources = ['https://a.example/']\nknobs = { 'rule[1].action.drop' = 'why' }\n" + RULE
    scenario = parse_scenario(text)
    assert [line.partition(":")[0] for line in scenario.lacks()] == ["source[1].date", "expect"]
    assert scenario.knobs[0].why == "why"
