"""Every nettest's measurement as sights of its targets.

Web Connectivity has one target. A messenger's test has one for each name, and one for the addresses that it tries
without a name, of which any will do. Tests that keep no records of connections (Tor, Psiphon, VPNs) have one target and
one dial, which worked or did not.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from rozaneh.core import Failure
from rozaneh.ooni.decode import BadMeasurement, decode_part
from rozaneh.ooni.dials import MOST_DIALS, Dial, failure_of, is_literal
from rozaneh.ooni.records import Measurement
from rozaneh.ooni.targets import Sight, sights_of_web, targets_of
from rozaneh.ooni.webkeys import WebKeys

_Name = Annotated[str, Meta(max_length=1 << 16)]
WEB = "web_connectivity"
"""The test whose records are of one page."""

_MOST_TARGETS = 64


class _TorTarget(msgspec.Struct, frozen=True, gc=False):
    failure: _Name | None = None
    target_address: _Name | None = None


class _TorKeys(msgspec.Struct, frozen=True, gc=False):
    targets: dict[_Name, _TorTarget | None] | list[msgspec.Raw] | None = None


class _DnscheckKeys(msgspec.Struct, frozen=True, gc=False):
    """Each lookup is a measurement of its own of the resolver's addresses, over TCP or QUIC."""

    lookups: Annotated[dict[_Name, WebKeys | None], Meta(max_length=1000)] | None = None


class _Outcome(msgspec.Struct, frozen=True, gc=False):
    failure: _Name | None = None
    error: _Name | None = None
    success: bool | None = None
    bootstrap_time: float | None = None


def sights(measurement: Measurement, keys: WebKeys | None = None) -> list[Sight]:
    """What a measurement shows, target by target; empty where it shows nothing.

    Args:
        measurement: the envelope.
        keys: the records of a Web Connectivity measurement, where they are decoded already.

    Raises:
        BadMeasurement: its records are not what OONI's format says.
    """
    raw, place = measurement.test_keys, "$.test_keys"
    if measurement.test_name == WEB:
        return sights_of_web(measurement.address, keys or decode_part(raw, WebKeys, place))
    if measurement.test_name == "tor":
        return _of_tor(decode_part(raw, _TorKeys, place))
    if measurement.test_name == "dnscheck":
        lookups = decode_part(raw, _DnscheckKeys, place).lookups or {}
        return [sight for told in lookups.values() for sight in targets_of(told or WebKeys())][:_MOST_TARGETS]
    try:
        keys = decode_part(raw, WebKeys, place)
    except BadMeasurement:  # a test that uses the same names for something else
        keys = WebKeys()
    found = targets_of(keys)[:_MOST_TARGETS]
    return found or _of_outcome(measurement, decode_part(raw, _Outcome, place))


def _of_tor(keys: _TorKeys) -> list[Sight]:
    """Any relay will do: one target, a dial for each."""
    dials = []
    told = keys.targets if isinstance(keys.targets, dict) else {}
    for target in list(told.values())[:MOST_DIALS]:
        if target is None:
            continue
        ip, _, port = (target.target_address or "").rpartition(":")
        dials.append(
            Dial(
                role="system",
                ip=ip.strip("[]") if is_literal(ip.strip("[]")) else "",
                port=int(port) if port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536 else 0,
                ended="connect" if target.failure else None,
                failure=failure_of(target.failure) if target.failure else None,
            )
        )
    return [Sight(url="", host="", kind="tcp", dials=dials)] if dials else []


def _of_outcome(measurement: Measurement, outcome: _Outcome) -> list[Sight]:
    told = outcome.failure or outcome.error
    if told is None and outcome.success is None and outcome.bootstrap_time is None:
        return []
    failed = told is not None or outcome.success is False
    failure = failure_of(told or Failure.UNKNOWN_FAILURE.value) if failed else None
    dial = Dial(role="system", ended="connect" if failed else None, failure=failure)
    return [Sight(url=measurement.address, host="", kind="tcp", dials=[dial])]
