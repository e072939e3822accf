"""TLS and HTTP on an open stream, over real loopback sockets, on every backend."""

import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from rozaneh.core import Attempt, LocalFault, Op, Target
from rozaneh.dialers import build
from rozaneh.net import Deadlines, Exchange, measure
from rozaneh.net.exchange import http_get, https_get, tls_handshake
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust

pytestmark = pytest.mark.anyio

NAME = "site.example"
PAGE = b"<html><title>A page</title>" + b"x" * 200_000
ANSWER = b"HTTP/1.1 200 OK\r\nServer: test\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE

BACKENDS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
]
Handler = Callable[[ByteStream], Awaitable[None]]


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA, tmp_path: Path) -> Trust:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return Trust.with_ca(tmp_path / "ca.pem")


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    listener = await RealNetwork().listen_tcp("127.0.0.1", 0)

    async def handle(stream: ByteStream) -> None:
        async with stream:
            try:
                await handler(stream)
            except (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
                return

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        yield listener.extra(SocketAttribute.local_port)
        group.cancel_scope.cancel()


def answering(*pieces: bytes) -> Handler:
    async def handler(stream: ByteStream) -> None:
        await stream.receive()
        for piece in pieces:
            await stream.send(piece)

    return handler


def in_tls(authority: trustme.CA, inside: Handler, name: str = NAME) -> Handler:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    authority.issue_cert(name).configure_cert(context)

    async def handler(stream: ByteStream) -> None:
        await inside(await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False))

    return handler


async def attempt(handler: Handler, exchange: Callable[[Target], Exchange], **deadlines: float) -> Attempt:
    async with serving(handler) as port:
        place = Target(host="127.0.0.1", port=port)
        target = Target(host=NAME, port=port, speaks="https", path="/page")
        measured = await measure(
            build("tcp", RealNetwork()), place, exchange=exchange(target), deadlines=Deadlines(**deadlines)
        )
        await measured.aclose()
        return measured.attempt


def tags(seen: Attempt, op: Op) -> dict[str, object]:
    return dict(next(seen.steps(op)).tags)


async def test_https_get(authority: trustme.CA, trust: Trust) -> None:
    seen = await attempt(in_tls(authority, answering(ANSWER)), lambda target: https_get(target, trust))
    assert seen.ok
    assert [step.op for step in seen.observations] == [Op.CONNECT, Op.TLS, Op.REQUEST, Op.FIRST_BYTE, Op.THROUGHPUT]
    shaken = tags(seen, Op.TLS)
    assert shaken["sni"] == NAME
    assert shaken["version"] == "TLSv1.3"
    assert shaken["alpn"] == "http/1.1"
    assert shaken["verified"] is True
    assert "trustme" in str(shaken["issuer"])
    assert len(str(shaken["certificate_sha256"])) == 64
    read = tags(seen, Op.THROUGHPUT)
    assert (read["status"], read["server"], read["location"], read["title"]) == (200, "test", "", "A page")
    assert read["bytes"] == read["body_length"] == len(PAGE)
    assert read["body_sha256"] == hashlib.sha256(PAGE).hexdigest()
    assert read["body_head"] == PAGE[:4096].decode()


async def test_the_body_is_bounded(authority: trustme.CA, trust: Trust) -> None:
    seen = await attempt(in_tls(authority, answering(ANSWER)), lambda target: https_get(target, trust, most_body=5000))
    assert seen.ok
    assert tags(seen, Op.THROUGHPUT)["bytes"] == 5000


async def test_http_get_of_a_page_that_redirects() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://10.10.34.36/?type=Invalid\r\nContent-Length: 0\r\n\r\n"
    seen = await attempt(answering(moved), http_get)
    read = tags(seen, Op.THROUGHPUT)
    assert (read["status"], read["location"]) == (302, "http://10.10.34.36/?type=Invalid")


async def test_another_name_can_be_asked_for(authority: trustme.CA, trust: Trust) -> None:
    handler = in_tls(authority, answering(ANSWER), "neutral.example")
    seen = await attempt(handler, lambda target: https_get(target, trust, sni="neutral.example"))
    assert seen.ok
    assert tags(seen, Op.TLS)["sni"] == "neutral.example"


async def test_a_wrong_certificate_is_a_failure_unless_one_only_wants_to_see_it(
    authority: trustme.CA, trust: Trust
) -> None:
    handler = in_tls(authority, answering(ANSWER), "other.example")
    seen = await attempt(handler, lambda target: tls_handshake(target, trust))
    assert seen.failure == "ssl_invalid_hostname"
    assert tags(seen, Op.TLS) == {"sni": NAME, "verified": False, "reason": "CERTIFICATE_VERIFY_FAILED"}
    seen = await attempt(handler, lambda target: tls_handshake(target, trust, verify=False))
    assert seen.ok
    assert tags(seen, Op.TLS)["verified"] is False
    assert "trustme" in str(tags(seen, Op.TLS)["subject"])
    seen = await attempt(handler, lambda target: tls_handshake(target, Trust(trustme_file(trust))))
    assert seen.failure == "ssl_unknown_authority"


def trustme_file(trust: Trust) -> str:
    """Another authority of the same name."""
    assert trust.ca_file is not None
    path = Path(trust.ca_file).with_name("other.pem")
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)


async def resets_after_hello(stream: ByteStream) -> None:
    import socket

    await stream.receive()
    raw = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


async def is_silent(stream: ByteStream) -> None:
    await stream.receive()
    await anyio.sleep_forever()


async def closes(stream: ByteStream) -> None:
    await stream.receive()


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (resets_after_hello, "connection_reset"),
        (is_silent, "generic_timeout_error"),
        (closes, "eof_error"),
        (answering(b"\x15\x03\x03\x00\x02\x02\x70"), "ssl_failed_handshake"),
        (answering(b"HTTP/1.1 403 Forbidden\r\n\r\n"), "ssl_failed_handshake"),
    ],
)
async def test_a_handshake_that_fails(handler: Handler, failure: str, trust: Trust) -> None:
    seen = await attempt(handler, lambda target: tls_handshake(target, trust), tls_handshake=0.3)
    assert seen.failure == failure
    assert [step.failure for step in seen.observations] == [None, failure]


@pytest.mark.parametrize(
    ("pieces", "failure", "step"),
    [
        ((), "eof_error", Op.FIRST_BYTE),
        ((b"SSH-2.0-x\r\n\r\n",), "http_request_failed", Op.THROUGHPUT),
        ((ANSWER[:1000],), "eof_error", Op.THROUGHPUT),
    ],
)
async def test_an_answer_that_breaks_off(pieces: tuple[bytes, ...], failure: str, step: Op) -> None:
    seen = await attempt(answering(*pieces), http_get)
    assert seen.failure == failure
    assert seen.observations[-1].op is step


async def test_a_body_that_stalls_keeps_what_came() -> None:
    async def handler(stream: ByteStream) -> None:
        await stream.receive()
        await stream.send(ANSWER[:50_000])
        await anyio.sleep_forever()

    seen = await attempt(handler, http_get, throughput=0.3)
    assert seen.failure == "generic_timeout_error"
    read = tags(seen, Op.THROUGHPUT)
    assert read["status"] == 200
    assert 0 < int(str(read["bytes"])) < 50_000


async def test_a_slow_body_is_sampled() -> None:
    async def handler(stream: ByteStream) -> None:
        await stream.receive()
        for start in range(0, len(ANSWER), 50_000):
            await stream.send(ANSWER[start : start + 50_000])
            await anyio.sleep(0.13)

    read = tags(await attempt(handler, http_get), Op.THROUGHPUT)
    samples = read["samples"]
    assert isinstance(samples, tuple)
    assert samples
    seconds, _, count = str(samples[0]).partition(" ")
    assert float(seconds) >= 0.25
    assert 50_000 < int(count) < len(PAGE)
    assert float(str(read["rate"])) > 0


def test_trust_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, trust: Trust, tmp_path: Path) -> None:
    assert trust.ca_file is not None
    monkeypatch.setenv("SSL_CERT_FILE", trust.ca_file)
    assert Trust.system() == trust
    assert Trust.system().locations() == (trust.ca_file, None)
    assert trust.context() is trust.context()
    assert trust.context(verify=False).verify_mode == ssl.CERT_NONE
    for wrong in (tmp_path / "absent.pem", tmp_path):
        with pytest.raises(LocalFault, match="cannot read the certificate authorities"):
            Trust.with_ca(wrong).context()


def test_a_system_without_authorities_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing = ssl.DefaultVerifyPaths("", str(tmp_path), "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    with pytest.raises(LocalFault, match="install the package ca-certificates"):
        Trust().context()
    assert Trust().context(verify=False).verify_mode == ssl.CERT_NONE
