"""A helper asks over HTTP/3 where a site offers that: over loopback, against aioquic's own server side."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
import trustme
from anyio.abc import ByteStream, SocketAttribute

from rozaneh.codecs.test_helper import Question, read_answer
from rozaneh.helper import Vantage
from rozaneh.net import Deadlines
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from tests.net.test_quic import PAGE, site


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_page_over_http3_is_told_as_one_over_tcp_is(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    patient = Deadlines(quic_handshake=30.0, connect=30.0, request=30.0, first_byte=30.0, throughput=30.0)
    vantage = Vantage(RealNetwork(), Trust.with_ca(tmp_path / "ca.pem"), patient)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)

    async def offers(stream: ByteStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):  # it also connects without a question
                await stream.receive()
                await stream.send(f'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nAlt-Svc: h3=":{port}"\r\n\r\nx'.encode())

    async with site(authority, tmp_path, name="127.0.0.1", at=port), listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, offers)
        question = Question(http_request=f"http://127.0.0.1:{port}/page", x_quic_enabled=True)
        answer: Any = json.loads(msgspec.json.encode(await vantage.answer(question, 90.0)))
        tasks.cancel_scope.cancel()
    assert answer["http_request"]["discovered_h3_endpoint"] == f"127.0.0.1:{port}"
    told = answer["http3_request"]
    assert (told["failure"], told["status_code"], told["title"]) == (None, 200, "Over QUIC")
    assert (told["body_length"], told["headers"]) == (len(PAGE), {"Server": "test"})
    assert read_answer(json.dumps(answer).encode()).http3_request is not None
