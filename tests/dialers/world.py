"""Far ends for the tests of dialers: resolvers, a site and proxies, all in memory."""

import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import h11
import trustme
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from rozaneh.core import Attempt, Failure, Op
from rozaneh.net.memory import Behaviour
from rozaneh.net.streams import receive_exactly

SITE = "93.184.216.34"
SITE6 = "2a00:1450:4001::34"
NAME = "site.example"

Zone = Mapping[str, tuple[str, ...]]
ZONE: Zone = {NAME: (SITE, SITE6)}


def dns_answer(message: bytes, zone: Zone = ZONE, *, truncated: bool = False) -> bytes:
    """What an honest resolver answers."""
    asked = dns.message.from_wire(message)
    made = dns.message.make_response(asked)
    question = asked.question[0]
    name = question.name.to_text(omit_final_dot=True)
    kind = dns.rdatatype.to_text(question.rdtype)
    if name not in zone:
        made.set_rcode(dns.rcode.NXDOMAIN)
    elif truncated:
        made.flags |= dns.flags.TC
    elif found := [each for each in zone[name] if (":" in each) == (kind == "AAAA")]:
        made.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
    return made.to_wire()


def dns_over_stream(zone: Zone = ZONE) -> Behaviour:
    """A resolver that speaks DNS over TCP."""

    async def behaviour(stream: ByteStream) -> None:
        while True:
            length = int.from_bytes(await receive_exactly(stream, 2), "big")
            answer = dns_answer(await receive_exactly(stream, length), zone)
            await stream.send(len(answer).to_bytes(2, "big") + answer)

    return behaviour


def dns_over_http(zone: Zone = ZONE, *, status: int = 200, answers: int = 100) -> Behaviour:
    """A resolver that speaks DNS over HTTP/1.1, and closes after a number of answers."""

    async def behaviour(stream: ByteStream) -> None:
        peer = h11.Connection(h11.SERVER)
        for left in range(answers, 0, -1):
            asked = bytearray()
            while not isinstance(event := peer.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    peer.receive_data(await stream.receive())
                elif isinstance(event, h11.Data):
                    asked += event.data
            answer = dns_answer(bytes(asked), zone)
            headers = [("Content-Length", str(len(answer)))] + ([("Connection", "close")] if left == 1 else [])
            out = peer.send(h11.Response(status_code=status, headers=headers)) or b""
            out += peer.send(h11.Data(data=answer)) or b""
            await stream.send(out + (peer.send(h11.EndOfMessage()) or b""))
            if left > 1:
                peer.start_next_cycle()

    return behaviour


@cache
def authority() -> trustme.CA:
    """A certificate authority for one run of the tests."""
    return trustme.CA()


def ca_file(folder: Path) -> str:
    """Its certificate, as a file."""
    path = folder / "ca.pem"
    authority().cert_pem.write_to_path(path)
    return str(path)


def in_tls(name: str, inside: Behaviour, seen: list[str | None] | None = None) -> Behaviour:
    """A behaviour inside TLS with a certificate for a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    authority().issue_cert(name).configure_cert(context)
    if seen is not None:
        context.sni_callback = lambda _socket, asked, _context: seen.append(asked)

    async def behaviour(stream: ByteStream) -> None:
        await inside(await TLSStream.wrap(stream, server_side=True, ssl_context=context, standard_compatible=False))

    return behaviour


def proxy(negotiate: Callable[[ByteStream], Awaitable[None]], then: Behaviour) -> Behaviour:
    """A proxy that talks its protocol, and then behaves as the target."""

    async def behaviour(stream: ByteStream) -> None:
        await negotiate(stream)
        await then(stream)

    return behaviour


def outline(attempt: Attempt) -> list[str]:
    """The steps of an attempt in one line each: parent's kind, kind, peer, failure."""

    def kind(index: int | None) -> str:
        return "" if index is None else f"{attempt.observations[index].op}>"

    return [
        " ".join(filter(None, (f"{kind(step.parent)}{step.op}", step.peer, step.failure)))
        for step in attempt.observations
    ]


def failure_of(attempt: Attempt, op: Op) -> Failure | None:
    """The failure of the first step of a kind."""
    return next(attempt.steps(op)).failure
