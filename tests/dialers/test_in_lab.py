"""Ways against the lab's censors: one scenario that each gets past, and one that it does not."""

from collections.abc import Iterator

import msgspec
import pytest

from rozaneh.core import Failure, Target
from rozaneh.dialers import build
from rozaneh.lab.lab import Lab
from rozaneh.lab.scenario import parse_scenario
from rozaneh.net import Deadlines, measure
from rozaneh.net.exchange import https_get
from rozaneh.net.trust import Trust

pytestmark = pytest.mark.anyio

TARGET = Target.parse("https://blocked.example/")
CONNECT = "https://relay.example:443?address=45.76.10.11|tcp"
BROWSER = "http://relay.example:443?address=45.76.10.11|browser:chrome|tcp"
FRONTED = "http://45.76.10.11:443|tls:sni=decoy.example&certname=relay.example|tcp"

# A list of fingerprints stands for its one entry here: the first cipher suite that Python's OpenSSL offers.
OUR_HELLO = """
title = "The hello of Python is dropped"
[[rule]]
match = { direction = "out", protocol = "tcp", tls.first_cipher = 0x1302 }
state = { scope = "flow" }
action = "drop"
"""
# A browser's hello is larger than a segment, and the name may lie in the second: this box joins them.
RELAY_NAME = """
title = "The name of the relay is dropped"
[[rule]]
match = { direction = "out", protocol = "tcp", tls.sni = "relay.example" }
state = { scope = "flow", reassembly = { tcp = "in-order", records = false, bytes = 16384 } }
action = "drop"
"""
RELAY_ADDRESS = """
title = "The address of the relay is dropped"
[[rule]]
match = { direction = "out", destination = "45.76.10.11" }
action = "drop"
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(tier="T0") as made:
        yield made


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


@pytest.mark.parametrize(
    ("scenario", "way", "failure"),
    [
        (OUR_HELLO, CONNECT, "generic_timeout_error"),
        (OUR_HELLO, BROWSER, None),
        (RELAY_NAME, BROWSER, "generic_timeout_error"),
        (RELAY_NAME, FRONTED, None),
        (RELAY_ADDRESS, FRONTED, "generic_timeout_error"),
    ],
)
async def test_what_a_way_gets_past(scenario: str, way: str, failure: Failure | None, lab: Lab) -> None:
    censor = msgspec.structs.replace(parse_scenario(scenario, "test"), tier="streams")
    trust = Trust.with_ca(lab.ca_file)
    client = lab.client("mobile", censor)
    try:
        dialer = build(way, client.network, trust=trust)
        deadlines = Deadlines().scaled(0.3)
        async with await measure(dialer, TARGET, exchange=https_get(TARGET, trust), deadlines=deadlines) as measured:
            assert measured.failure == failure, measured.detail
    finally:
        client.close()
