"""What networks and countries are called, in both languages."""

from functools import cache
from importlib.resources import files
from types import MappingProxyType

import msgspec

from rozaneh.core import LocalFault
from rozaneh.observatory.catalogue import Name, catalogue
from rozaneh.observatory.subjects import QUIC
from rozaneh.words import Said, Words, mark

COUNTRIES = MappingProxyType(
    {
        "AF": mark("Afghanistan"), "BY": mark("Belarus"), "CN": mark("China"), "CU": mark("Cuba"), "EG": mark("Egypt"),
        "ET": mark("Ethiopia"), "IN": mark("India"), "IQ": mark("Iraq"), "IR": mark("Iran"),
        "KZ": mark("Kazakhstan"), "MM": mark("Myanmar"), "PK": mark("Pakistan"), "RU": mark("Russia"),
        "SD": mark("Sudan"), "SY": mark("Syria"), "TM": mark("Turkmenistan"), "TR": mark("Turkey"),
        "UG": mark("Uganda"), "VE": mark("Venezuela"), "ZZ": mark("An unknown country"),
    }
)  # fmt: skip
"""The names of countries that readers are likeliest to look for; others are called by their code."""


@cache
def _services() -> dict[str, Name]:
    return {service.id: service.name for part in catalogue().values() for service in part}


@cache
def _networks() -> dict[str, dict[str, Name]]:
    name = "networks.toml"
    try:
        return msgspec.toml.decode((files("rozaneh.observatory") / name).read_bytes(), type=dict[str, dict[str, Name]])
    except (msgspec.MsgspecError, ValueError) as error:
        raise LocalFault(f"{name}: {error}") from error


def country_name(code: str, words: Words) -> Said:
    """A country's name, or its code where none is known."""
    return words.say(COUNTRIES[code]) if code in COUNTRIES else words.say("{code}", code=code)


def network_name(country: str, network: str, words: Words, *, short: bool = False) -> Said:
    """A network's name with its number, or the number alone.

    Args:
        country: where it is.
        network: its number as ``AS44244``; anything else is shown as it is.
        words: the language.
        short: without its number, and without what stands in parentheses.
    """
    known = _networks().get(country, {}).get(network.removeprefix("AS"))
    if known is None:
        return words.say("{network}", network=network)
    name = known.fa if words.right_to_left else known.en
    if short:
        return Said(name.partition(" (")[0])
    return words.say("{name} ({number})", name=Said(name), number=network)


def service_name(subject: str, words: Words) -> Said:
    """What a service is called, or the host name where the catalogue has none.

    Args:
        subject: of the table of hours; ``quic.`` stands before what is measured over QUIC.
        words: the language.
    """
    bare = subject.removeprefix(QUIC)
    known = _services().get(bare)
    name = (
        words.say("{service}", service=bare) if known is None else Said(known.fa if words.right_to_left else known.en)
    )
    return words.say("{service} over QUIC", service=name) if bare != subject else name
