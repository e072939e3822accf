"""What fails from the same hours on in most countries that measure it is the service or the test, and no state."""

import datetime as dt

import msgspec
import numpy as np

from rozaneh.observatory.events.event import Event, Evidence, Found, Withheld
from rozaneh.observatory.events.everywhere import EverywhereSettings, Seen, not_everywhere
from rozaneh.observatory.events.rules import event_rules

_RULE = event_rules()["same-everywhere"].numbers(EverywhereSettings)
_START = dt.datetime(2022, 10, 1, tzinfo=dt.UTC)
_SIGNAL = Event(
    kind="block", country="IR", networks=("AS44244",), services=("signal",), start=_START + dt.timedelta(days=20),
    mechanism="tls_name_silence", confidence=0.9, samples=300, sources=9, rule="service-states",
)  # fmt: skip


def _in(country: str, *, hours: int = 0, **changed: object) -> Event:
    start = _SIGNAL.start + dt.timedelta(hours=hours)
    return msgspec.structs.replace(_SIGNAL, **{"country": country, "start": start, **changed})


def _seen(*countries: str) -> list[Seen]:
    return [Seen(country, _START, {"signal": np.ones(30, dtype=bool)}) for country in countries]


def _left(events: list[Event], seen: list[Seen], withheld: tuple[Withheld, ...] = ()) -> tuple[list[str], list[str]]:
    found = [Found(event=event, evidence=Evidence()) for event in events]
    kept, left = not_everywhere(found, withheld, seen, _RULE)
    return [each.event.country for each in kept], [each.reason for each in left]


def test_a_service_that_fails_at_once_in_most_countries_is_blocked_in_none() -> None:
    events = [_in("IR"), _in("DE", hours=2), _in("BR", hours=5)]
    assert _left(events, _seen("IR", "DE", "BR", "US")) == ([], ["everywhere"] * 3)


def test_three_of_many_countries_or_two_of_two_or_at_other_times_are_blocked() -> None:
    events = [_in("IR"), _in("DE", hours=2), _in("BR", hours=5)]
    assert _left(events, _seen("IR", "DE", "BR", "US", "FR", "IN"))[1] == []
    assert _left(events[:2], _seen("IR", "DE"))[1] == []
    apart = [_in("IR"), _in("DE", hours=60), _in("BR", hours=-90)]
    assert _left(apart, _seen("IR", "DE", "BR"))[1] == []
    others = [_in("IR"), _in("DE", services=("github",)), _in("BR", kind="refusal")]
    assert _left(others, _seen("IR", "DE", "BR"))[1] == []


def test_what_is_not_enough_in_one_country_still_says_when_it_began_there() -> None:
    doubted = Withheld(event=_in("BR"), reason="sources", wanted=3, had=2)
    assert _left([_in("IR"), _in("DE")], _seen("IR", "DE", "BR"), (doubted,)) == ([], ["sources", *["everywhere"] * 2])


def test_countries_that_did_not_measure_it_then_are_not_asked() -> None:
    idle = [Seen(name, _START, {"signal": np.arange(30) < 10}) for name in ("US", "FR", "IN")]
    assert _left([_in("IR"), _in("DE"), _in("BR")], [*_seen("IR", "DE", "BR"), *idle])[0] == []
