import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.runner import LONGEST, Target, targets


@pytest.mark.parametrize("target", [pytest.param(target, id=name) for name, target in targets().items()])
def test_any_bytes_give_an_event_or_a_remote_fault(target: Target) -> None:
    @settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(st.binary(max_size=LONGEST))
    def any_bytes(data: bytes) -> None:
        target(data)

    any_bytes()
