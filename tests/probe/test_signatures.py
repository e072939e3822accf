"""A page is known by a text however deep it stands, and not by a word that any page may hold."""

import pytest

from rozaneh.diagnosis import signatures
from rozaneh.net.memory import MemoryNetwork, sends
from rozaneh.net.trust import Trust
from rozaneh.probe.dials import MOST_BODY, Dials
from rozaneh.probe.pace import Pace
from rozaneh.probe.services import Endpoint

pytestmark = pytest.mark.anyio
ADDRESS = "93.184.216.34"
FRAME = '<IFRAME SRC="http://10.10.34.36/?type=Invalid Site&policy=MainPolicy">'


@pytest.mark.parametrize(
    ("depth", "text", "kinds"),
    [
        (100, FRAME, {"block"}),
        (60_000, FRAME, {"block"}),
        (MOST_BODY + 100, FRAME, set()),
        (60_000, "This service is not available in your country.", {"refusal"}),
        (100, '<a href="http://peyvandha.ir/">', {"block"}),
        (60_000, '<a href="http://peyvandha.ir/">', set()),
        (60_000, "New sanctions, and a captcha.", set()),
    ],
)
async def test_the_whole_body_is_looked_at(depth: int, text: str, kinds: set[str]) -> None:
    body = b"x" * depth + text.encode()
    async with MemoryNetwork() as network:
        network.serve(ADDRESS, 80, sends(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body))
        attempt = await Dials(network, Trust(), Pace()).plain(Endpoint(id="page", url=f"http://{ADDRESS}/"))
    assert attempt.ok
    assert signatures().page_kinds(attempt) == kinds
    kept = "".join(str(step.tag("body_head")) for step in attempt.observations if step.tag("body_head"))
    assert len(kept) <= 4096
