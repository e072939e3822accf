"""What the tests of the gateway in the lab share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import load_scenario
from tests.gateway.lab.home import Censored, Home


@pytest.fixture(scope="package")
def pcap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pcap") / "home.pcap"


@pytest.fixture(scope="package")
def lab(pcap: Path) -> Iterator[Lab]:
    with Lab(pcap=pcap) as lab:
        yield lab


@pytest.fixture
def censored(lab: Lab, peer: Callable[[str], str], tmp_path: Path) -> Censored:
    curl = peer("curl")

    @contextmanager
    def censored(scenario: str, *options: str) -> Iterator[Home]:
        client = lab.client("mobile", load_scenario(scenario))
        home = Home(client, curl)
        try:
            home.start("--state", str(tmp_path / "state"), *options)
            yield home
        finally:
            home.stop()
            client.close()

    return censored
