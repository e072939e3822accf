import pytest

from tests.lab.wire.internet import Internet


@pytest.fixture
def internet() -> Internet:
    return Internet()
