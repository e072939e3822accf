import pytest

from rozaneh.core import LocalFault
from rozaneh.observatory.events.cuts import CutSettings
from rozaneh.observatory.events.rules import event_rules, parse_rules
from rozaneh.observatory.events.sentences import KINDS, RULES

_GOOD = b'[[rule]]\nid = "a-b-c"\nkind = "outage"\nsource = "here"\nbecause = "for the test"\n'


def test_every_rule_makes_a_kind_that_has_a_sentence() -> None:
    assert {rule.kind for rule in event_rules().values()} <= set(KINDS)


def test_pages_say_of_every_rule_what_the_rule_says_of_itself() -> None:
    assert {rule.id: rule.because for rule in event_rules().values()} == RULES


def test_an_id_stands_once() -> None:
    with pytest.raises(LocalFault, match="an id stands twice"):
        parse_rules(_GOOD + _GOOD, "x.toml")


def test_a_number_without_meaning_is_named() -> None:
    (rule,) = parse_rules(_GOOD + b"[rule.set]\nopen_share = 0.5\n", "x.toml").values()
    with pytest.raises(LocalFault, match="rule 'a-b-c': Object missing required field"):
        rule.numbers(CutSettings)
