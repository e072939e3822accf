"""What was done on several networks at once is one claim, also where one of them cannot tell all of it."""

import msgspec

from rozaneh.diagnosis import Mechanism
from rozaneh.observatory.events.claims import Claim, merged, settled
from rozaneh.observatory.events.event import Evidence

_CUT = Claim(
    kind="domestic_only", networks=(1,), windows=((100, 108),), start=100, end=108, mechanism=Mechanism.DOMESTIC_ONLY,
    evidence=Evidence(), share=0.9, rule="network-states",
)  # fmt: skip
_UNSURE = msgspec.structs.replace(
    _CUT, kind="outage", networks=(2,), start=101, mechanism=Mechanism.WHOLE_OUTAGE, at_home=False
)


def test_a_network_on_which_hardly_anything_at_home_was_measured_is_cut_as_the_others_are() -> None:
    (one,) = merged(settled([_CUT, _UNSURE]))
    assert (one.kind, one.networks, one.mechanism) == ("domestic_only", (1, 2), Mechanism.DOMESTIC_ONLY)


def test_what_is_known_of_a_network_stays_and_so_does_what_happened_at_another_time() -> None:
    sure = msgspec.structs.replace(_UNSURE, at_home=True)
    later = msgspec.structs.replace(_UNSURE, start=200, end=210)
    for other in (sure, later):
        assert {each.kind for each in merged(settled([_CUT, other]))} == {"domestic_only", "outage"}
    assert [each.kind for each in settled([_UNSURE])] == ["outage"]
