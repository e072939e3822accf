"""Scores of OONI's other tests, as its backend gives them: how much of a service was blocked, and whether that counts.

They rest on the keys that the probe itself wrote, because these tests keep no control to judge by. Ranges of versions
and dates in which a whole experiment was false are data (``voids.toml``).
"""

import datetime as dt
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta

from rozaneh.ooni.decode import keys_of
from rozaneh.ooni.records import MOST_RECORDS, Measurement
from rozaneh.ooni.values import annotations

_Name = Annotated[str, Meta(max_length=1 << 16)]
_Share = Annotated[float, Meta(ge=-1e6, le=1e6)]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How much was blocked.

    Attributes:
        blocking: 0 to 1.
        accuracy: 0 where the measurement says nothing, else 1.
    """

    blocking: float = 0.0
    accuracy: float = 1.0


VOID = Score(accuracy=0.0)
_ANSWERED = ("http_unexpected_status_code", "http_unexpected_redirect_url")


class _Void(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    test: str
    source: str
    version: str = ""
    version_up_to: str = ""
    version_below: str = ""
    engine_below: str = ""
    since: dt.date = dt.date.min

    def holds(self, measurement: Measurement, day: dt.date) -> bool:
        version = _version(measurement.test_version or "")
        engine = _version(annotations(measurement.annotations).get("engine_version", ""))
        return (
            measurement.test_name == self.test
            and day >= self.since
            and (not self.version or version == _version(self.version))
            and (not self.version_up_to or version <= _version(self.version_up_to))
            and (not self.version_below or version < _version(self.version_below))
            and (not self.engine_below or () < engine < _version(self.engine_below))
        )


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    void: tuple[_Void, ...]


class _TorTarget(msgspec.Struct, frozen=True, gc=False):
    failure: _Name | None = None


class _Request(msgspec.Struct, frozen=True, gc=False):
    url: _Name | None = None


class _Asked(msgspec.Struct, frozen=True, gc=False):
    request: _Request | None = None


class _Keys(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    signal_backend_status: _Name | None = None
    registration_server_status: _Name | None = None
    whatsapp_endpoints_status: _Name | None = None
    whatsapp_web_status: _Name | None = None
    whatsapp_web_failure: _Name | None = None
    requests: Annotated[list[_Asked], Meta(max_length=MOST_RECORDS)] | None = None
    facebook_dns_blocking: bool | None = None
    facebook_tcp_blocking: bool | None = None
    telegram_http_blocking: bool | None = None
    telegram_tcp_blocking: bool | None = None
    telegram_web_status: _Name | None = None
    targets: dict[_Name, _TorTarget | None] | list[msgspec.Raw] | None = None
    tor_progress: _Share | None = None
    success: bool | None = None


def score(measurement: Measurement) -> Score | None:
    """The score of a measurement of a messenger or of Tor; of any other test none.

    Raises:
        BadMeasurement: its keys are not what OONI's format says.
    """
    make = _TESTS.get(measurement.test_name)
    if make is None:
        return None
    day = measurement.started.date() if measurement.started else dt.date.min
    if any(void.holds(measurement, day) for void in _voids()):
        return VOID
    return make(keys_of(measurement, _Keys))


def _any(*blocked: bool | None) -> Score:
    """One part that is blocked makes the service so; a test that says nothing of any part counts for nothing."""
    if all(part is None for part in blocked):
        return VOID
    return Score(blocking=float(any(blocked)))


def _status(told: str | None) -> bool | None:
    return None if told is None else told == "blocked"


def _whatsapp(keys: _Keys) -> Score:
    # That the service answered with another code than was hoped for is an answer (ooni/ooni.org#1317).
    answered = keys.whatsapp_web_failure in _ANSWERED
    return _any(
        _status(keys.registration_server_status),
        _status(keys.whatsapp_endpoints_status),
        False if answered else _status(keys.whatsapp_web_status),
    )


def _telegram(keys: _Keys) -> Score:
    if not any(asked.request and asked.request.url for asked in keys.requests or ()):
        return VOID  # an old version lost its requests, and what it says of them
    return _any(keys.telegram_http_blocking, keys.telegram_tcp_blocking, _status(keys.telegram_web_status))


def _tor(keys: _Keys) -> Score:
    """The share of relays that failed."""
    told = [target for target in keys.targets.values() if target] if isinstance(keys.targets, dict) else []
    if not told:
        return VOID
    return Score(blocking=sum(target.failure is not None for target in told) / len(told))


def _vanilla_tor(keys: _Keys) -> Score:
    """How far the start came: 1 - 0.004 of a percent that was reached; 0 where it came to its end."""
    if keys.success or keys.tor_progress is None:
        return Score() if keys.success else VOID
    return Score(blocking=round(min(max(1 - 0.004 * keys.tor_progress, 0.0), 1.0), 6))


_TESTS = {
    "signal": lambda keys: _any(_status(keys.signal_backend_status)),
    "whatsapp": _whatsapp,
    "telegram": _telegram,
    "facebook_messenger": lambda keys: _any(keys.facebook_dns_blocking, keys.facebook_tcp_blocking),
    "tor": _tor,
    "vanilla_tor": _vanilla_tor,
}


@cache
def _voids() -> tuple[_Void, ...]:
    name = "voids.toml"
    return msgspec.toml.decode((files("rozaneh.ooni") / name).read_bytes(), type=_File).void


def _version(text: str) -> tuple[int, ...]:
    return tuple(
        int(part) for part in text.partition("-")[0].split(".") if part.isascii() and part.isdigit() and len(part) < 9
    )
