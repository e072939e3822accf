"""A browser's handshake over any stream: what a filter sees, what the server gets, and what fails."""

import base64
import ssl
from pathlib import Path
from urllib.parse import quote

import anyio
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from rozaneh.codecs.tls import ClientHello, find_client_hello
from rozaneh.core import Failure, SpecError, Target
from rozaneh.dialers import build
from rozaneh.links.url import FINGERPRINTS
from rozaneh.net import measure
from rozaneh.net.browser import PROFILES
from rozaneh.net.memory import Behaviour, MemoryNetwork, echo, resets, sends
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from tests.dialers.peers import there_and_back
from tests.dialers.world import authority

pytestmark = pytest.mark.anyio

NAME = "relay.example"


def ech_config(public_name: bytes = b"public.example") -> str:
    """An ECHConfigList (RFC 9849 section 4) with one X25519 key that nobody has."""
    key = bytes(range(32))
    contents = b"\x01\x00\x20" + len(key).to_bytes(2, "big") + key + b"\x00\x04\x00\x01\x00\x01\x00"
    contents += bytes([len(public_name)]) + public_name + b"\x00\x00"
    config = b"\xfe\x0d" + len(contents).to_bytes(2, "big") + contents
    return base64.b64encode(len(config).to_bytes(2, "big") + config).decode()


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": True}


async def handshake(way: str, trust: Trust, inside: Behaviour, name: str = NAME) -> tuple[Failure | None, bytes]:
    """Dial a server of ours by a way; how it went, and the client's first flight as it left."""
    network = RealNetwork()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(name).configure_cert(context)
    listener = await network.listen_tcp("127.0.0.1", 0)
    seen = bytearray()

    async def handle(stream: ByteStream) -> None:
        raw = stream.extra(SocketAttribute.raw_socket)
        await anyio.wait_readable(raw)
        await anyio.sleep(0.1)
        seen.extend(raw.recv(65536, 2))  # MSG_PEEK
        try:
            async with await TLSStream.wrap(
                stream, server_side=True, ssl_context=context, standard_compatible=False
            ) as secured:
                await inside(secured)
        except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream, OSError):
            pass  # the client went away, as it should where it believes nobody
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        port = listener.extra(SocketAttribute.local_port)
        target = Target(host=NAME, port=443)
        dialer = build(way.replace("PORT", str(port)), network, trust=trust)
        async with await measure(dialer, target) as measured:
            if measured.stream is not None:
                await there_and_back(measured.stream, measured.trace)
        group.cancel_scope.cancel()
    return measured.failure, bytes(seen)


def hello(data: bytes) -> ClientHello:
    found = find_client_hello(data)
    assert found is not None
    return found


WAY = "browser:chrome|override:host=127.0.0.1&port=PORT|tcp"


@pytest.mark.parametrize("profile", ["chrome", "firefox", "safari", "chrome136"])
async def test_a_browser_s_hello_and_much_data(profile: str, trust: Trust) -> None:
    failure, seen = await handshake(WAY.replace("chrome", profile, 1), trust, echo)
    assert failure is None
    assert hello(seen).server_name == NAME
    assert hello(seen).alpn == ("http/1.1",)
    assert len(seen) > 500, "a browser's hello is far larger than Python's"


async def test_the_cuts_below_still_cut(trust: Trust) -> None:
    failure, seen = await handshake(WAY.replace("|override", "|tlsfrag:sni,1|override"), trust, echo)
    assert failure is None
    assert seen[3:5] == b"\x00\x01"
    assert hello(seen).server_name == NAME


async def test_ech_hides_the_name(trust: Trust) -> None:
    _, seen = await handshake(WAY.replace("|override", f"&ech={quote(ech_config(), safe='')}|override"), trust, echo)
    assert hello(seen).server_name == "public.example"
    assert NAME.encode() not in seen


async def test_a_certificate_is_verified(trust: Trust, tmp_path: Path) -> None:
    failure, _ = await handshake(WAY, trust, echo, "other.example")
    assert failure == "ssl_invalid_hostname"
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "stranger.pem"))
    failure, _ = await handshake(WAY, Trust.with_ca(tmp_path / "stranger.pem"), echo)
    assert failure in ("ssl_unknown_authority", "ssl_invalid_certificate")


@pytest.mark.parametrize(
    ("behaviour", "failures"),
    [
        (resets(), {"connection_reset"}),
        (sends(b"HTTP/1.1 400 Bad\r\n\r\n"), {"ssl_failed_handshake"}),
        (sends(b""), {"eof_error", "connection_reset", "ssl_failed_handshake"}),
    ],
)
async def test_what_is_no_tls_fails_as_such(behaviour: Behaviour, failures: set[str], trust: Trust) -> None:
    async with MemoryNetwork() as network:
        network.serve("127.0.0.1", 1, behaviour)
        way = build(WAY.replace("PORT", "1"), network, trust=trust)
        assert (await measure(way, Target(host=NAME, port=443))).failure in failures


@pytest.mark.parametrize(
    "way", ["browser:|tcp", "browser:Chrome!|tcp", "browser:chrome&x=1|tcp", "browser:chrome&ech=%21|tcp"]
)
def test_a_wrong_argument_is_named(way: str) -> None:
    with pytest.raises(SpecError, match="expected"):
        build(way, MemoryNetwork())


async def test_an_unknown_browser_is_a_failure(trust: Trust) -> None:
    async with MemoryNetwork() as network:
        network.serve("127.0.0.1", 1, echo)
        way = build(WAY.replace("chrome", "netscape4").replace("PORT", "1"), network, trust=trust)
        assert (await measure(way, Target(host=NAME, port=443))).failure == "unknown_failure"


def test_every_fingerprint_of_a_link_has_a_profile() -> None:
    assert tuple(PROFILES) == FINGERPRINTS
