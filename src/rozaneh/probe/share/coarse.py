"""Time and place as coarsely as they are shared: the hour, the network, the country."""

from datetime import datetime
from typing import Any

from rozaneh.core import LocalFault
from rozaneh.words import later

_FORMAT = "%Y-%m-%d %H:%M:%S"
_TIMES = ("measurement_start_time", "test_start_time")
_ANNOTATIONS = frozenset(
    ("engine_name", "engine_version", "network_type", "platform", "rozaneh_confidence", "rozaneh_endpoint",
     "rozaneh_mechanism", "rozaneh_place", "rozaneh_rules", "rozaneh_service", "rozaneh_verdict", "rozaneh_where",
     "rozaneh_who")
)  # fmt: skip
"""The annotations that are shared; whatever else somebody wrote there stays here."""

_HOUR, _EPOCH_LIKE = 3600, 1_000_000_000
_EMPTY = {"report_id": "", "measurement_uid": "", "id": ""}


def coarse(measurement: dict[str, Any]) -> dict[str, Any]:
    """A copy of a measurement with its times cut to the hour and nothing that ties it to others.

    Args:
        measurement: as OONI's data format has it.

    Raises:
        LocalFault: a time in it is none.
    """
    made = {**measurement, **{key: value for key, value in _EMPTY.items() if key in measurement}}
    for key in _TIMES:
        if key in made:
            made[key] = _hour(made[key])
    if "test_runtime" in made and isinstance(made["test_runtime"], int | float):
        made["test_runtime"] = float(round(made["test_runtime"]))
    if isinstance(made.get("test_keys"), dict):
        made["test_keys"] = _cut(made["test_keys"])
    notes = made.get("annotations")
    if notes is not None:
        made["annotations"] = {k: v for k, v in dict(notes).items() if k in _ANNOTATIONS and isinstance(v, str)}
    return made


def _hour(text: Any) -> str:
    try:
        moment = datetime.strptime(str(text), _FORMAT)  # noqa: DTZ007 - OONI's times are UTC and have no zone
    except ValueError:
        raise LocalFault(
            later("a measurement's time should look like 2022-09-21 15:50:00, not {text!r}", text=str(text)[:40])
        ) from None
    return moment.replace(minute=0, second=0).strftime(_FORMAT)


def _cut(value: Any, key: str = "") -> Any:
    """A part of a measurement with its clock readings cut to the hour.

    Only what counts from the epoch tells the time; how long things took, and in which order, stands beside it.
    """
    if isinstance(value, dict):
        return {name: _cut(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_cut(each) for each in value]
    if key == "started" and isinstance(value, int | float) and value > _EPOCH_LIKE:
        return float(value // _HOUR * _HOUR)
    return value
