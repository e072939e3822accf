from pathlib import Path

import pytest
from trio.testing import MockClock

from rozaneh.net.trust import Trust
from tests.dialers.world import ca_file


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Time jumps to whatever is waited for."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    """Believes the authority of these tests alone."""
    return Trust.with_ca(ca_file(tmp_path))
