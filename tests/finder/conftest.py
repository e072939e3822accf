"""What the finder's tests share: a clock that jumps to the next thing that happens, and a record of every dial."""

from typing import Any

import pytest
import trio.testing

from tests.finder.world import Recorder


@pytest.fixture
def anyio_backend() -> Any:
    return ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


@pytest.fixture
def seen() -> Recorder:
    return Recorder()
