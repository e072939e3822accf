"""The scenario language: censors as text files.

A rule is *match x state x action*; rules are not named after techniques. :func:`load_scenario` reads a file into frozen
structs, :func:`variants` makes one scenario per value of its ``vary`` tables, and :func:`reference` prints everything
that can be written, from the same structs.
"""

from rozaneh.lab.scenario.load import load_scenario, parse_scenario, scenario_files
from rozaneh.lab.scenario.model import Expect, ExpectedVerdict, Rule, Scenario
from rozaneh.lab.scenario.vary import Variant, variants

__all__ = [
    "Expect",
    "ExpectedVerdict",
    "Rule",
    "Scenario",
    "Variant",
    "load_scenario",
    "parse_scenario",
    "scenario_files",
    "variants",
]
