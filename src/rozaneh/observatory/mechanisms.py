"""How something was kept from people: what a verdict says, or what a failure looks like that no rule could read."""

from typing import Any, Final

import ibis

from rozaneh.diagnosis import Mechanism

_UNTOLD: Final = (Mechanism.UNKNOWN.value, Mechanism.NONE.value, "")
_OF_READING: Final = {
    "resolve.silence": Mechanism.DNS_SILENCE, "tls.reset": Mechanism.TLS_NAME_RESET,
    "tls.silence": Mechanism.TLS_NAME_SILENCE, "connect.silence": Mechanism.ADDRESS_BLACK_HOLE,
    "connect.refused": Mechanism.ADDRESS_REFUSED, "answer.reset": Mechanism.HTTP_RESET,
    "answer.silence": Mechanism.HTTP_SILENCE, "body.silence": Mechanism.HTTP_SILENCE,
    "quic.silence": Mechanism.QUIC_SILENCE,
}  # fmt: skip
"""What a failure that no rule could read looks like most."""


def mechanism_of(told: str, reading: str) -> str:
    """The mechanism of a verdict, or what a failure looks like most that no rule could read.

    Args:
        told: a Mechanism, as the table of hours has it.
        reading: how the failure ended, such as ``tls.reset``.
    """
    if told in _UNTOLD:
        return _OF_READING.get(reading, Mechanism.UNKNOWN).value
    return told


def mechanism_column(told: Any, reading: Any) -> Any:
    """The same of two columns."""
    read = ibis.cases(
        *((reading == how, mechanism.value) for how, mechanism in _OF_READING.items()), else_=Mechanism.UNKNOWN.value
    )
    return ibis.ifelse(told.isin(_UNTOLD), read, told)
