"""HTTP/3 over real loopback datagrams, against aioquic's own server side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent
from trio.testing import MockClock

from rozaneh.core import Attempt, Op, Target
from rozaneh.net import Deadlines
from rozaneh.net.memory import MemoryNetwork
from rozaneh.net.quic import measure_quic
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust

pytestmark = pytest.mark.anyio

NAME = "site.example"
PAGE = b"<title>Over QUIC</title>" + b"x" * 30_000


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA, tmp_path: Path) -> Trust:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return Trust.with_ca(tmp_path / "ca.pem")


class Site(QuicConnectionProtocol):
    """Answers every request with one page."""

    http: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic)
        for each in self.http.handle_event(event) if self.http is not None else ():
            if isinstance(each, HeadersReceived) and self.http is not None:
                path = dict(each.headers)[b":path"]
                status = b"200" if path == b"/page" else b"404"
                self.http.send_headers(each.stream_id, [(b":status", status), (b"server", b"test")])
                self.http.send_data(each.stream_id, PAGE, end_stream=True)
                self.transmit()


@asynccontextmanager
async def site(
    authority: trustme.CA, tmp_path: Path, *, name: str = NAME, at: int = 0, **options: Any
) -> AsyncIterator[Target]:
    leaf = authority.issue_cert(name)
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "leaf.pem"))
    leaf.private_key_pem.write_to_path(str(tmp_path / "leaf.key"))
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, **options)
    configuration.load_cert_chain(tmp_path / "leaf.pem", tmp_path / "leaf.key")
    server = await serve("127.0.0.1", at, configuration=configuration, create_protocol=Site)
    assert server._transport is not None
    port = server._transport.get_extra_info("sockname")[1]
    try:
        yield Target(host="127.0.0.1", port=port, speaks="https", path="/page")
    finally:
        server.close()
        await anyio.sleep(0.05)


def tags(seen: Attempt, op: Op) -> dict[str, object]:
    return dict(next(seen.steps(op)).tags)


async def test_gets_a_page(authority: trustme.CA, trust: Trust, tmp_path: Path) -> None:
    told: list[Attempt] = []
    async with site(authority, tmp_path) as target:
        seen = await measure_quic(RealNetwork(), target, trust, sni=NAME, report=told.append)
    assert seen.ok
    assert told == [seen]
    assert seen.spec == "h3"
    assert [step.op for step in seen.observations] == [Op.QUIC, Op.REQUEST, Op.FIRST_BYTE, Op.THROUGHPUT]
    assert tags(seen, Op.QUIC) == {"sni": NAME, "alpn": "h3", "verified": True}
    read = tags(seen, Op.THROUGHPUT)
    assert (read["status"], read["server"], read["title"], read["bytes"]) == (200, "test", "Over QUIC", len(PAGE))
    assert all(step.sent + step.received > 0 for step in seen.observations[:3])


async def test_the_body_is_bounded(authority: trustme.CA, trust: Trust, tmp_path: Path) -> None:
    async with site(authority, tmp_path) as target:
        seen = await measure_quic(RealNetwork(), target, trust, sni=NAME, most_body=1000)
    assert tags(seen, Op.THROUGHPUT)["bytes"] == 1000


async def test_another_name_is_a_failure_unless_one_only_wants_to_see(
    authority: trustme.CA, trust: Trust, tmp_path: Path
) -> None:
    async with site(authority, tmp_path, name="other.example") as target:
        seen = await measure_quic(RealNetwork(), target, trust, sni=NAME)
        assert seen.failure == "ssl_invalid_hostname"
        seen = await measure_quic(RealNetwork(), target, trust, sni=NAME, verify=False)
        assert seen.ok
        assert tags(seen, Op.QUIC)["verified"] is False


async def test_another_authority_is_a_failure(authority: trustme.CA, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    async with site(authority, tmp_path) as target:
        seen = await measure_quic(RealNetwork(), target, Trust.with_ca(tmp_path / "other.pem"), sni=NAME)
        assert seen.failure == "ssl_unknown_authority"


async def test_another_version_alone_is_a_failure_of_its_own(
    authority: trustme.CA, trust: Trust, tmp_path: Path
) -> None:
    async with site(authority, tmp_path, supported_versions=[0x1A2A3A4A], original_version=0x1A2A3A4A) as target:
        seen = await measure_quic(RealNetwork(), target, trust, sni=NAME)
    assert seen.failure == "quic_incompatible_version"


async def test_nobody_there(trust: Trust) -> None:
    seen = await measure_quic(RealNetwork(), Target(host="127.0.0.1", port=9, speaks="https"), trust, sni=NAME)
    assert seen.failure == "connection_refused"
    assert [step.op for step in seen.observations] == [Op.QUIC]


def test_a_black_hole_is_a_timeout_of_the_handshake() -> None:
    async def main() -> Attempt:
        async with MemoryNetwork(names={NAME: ["93.184.216.34"]}) as network:
            target = Target.parse(f"https://{NAME}")
            return await measure_quic(network, target, Trust(), deadlines=Deadlines(quic_handshake=5))

    seen = anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
    assert seen.failure == "generic_timeout_error"
    assert [(step.op, step.took) for step in seen.observations] == [(Op.RESOLVE, 0), (Op.QUIC, 5)]


def test_an_interrupted_one_is_told_as_interrupted() -> None:
    told: list[Attempt] = []

    async def main() -> None:
        async with MemoryNetwork(names={NAME: ["93.184.216.34"]}) as network:
            with anyio.move_on_after(1):
                await measure_quic(network, Target.parse(f"https://{NAME}"), Trust(), report=told.append)

    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
    assert [attempt.failure for attempt in told] == ["interrupted"]
