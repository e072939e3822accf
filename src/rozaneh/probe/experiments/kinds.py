"""Kinds of traffic, told by their first bytes: which of them reach a server that answers anything.

The server echoes whatever it gets, so that silence is the path's doing. Each kind is tried more than once before it
counts as stopped, and is compared with one that looks like an ordinary web page.
"""

import os
from collections.abc import Awaitable, Callable

from rozaneh.codecs.tls import with_extension
from rozaneh.core import Attempt, Target
from rozaneh.diagnosis import Evidence, Outcome, Role, Tried, Verdict, judge
from rozaneh.probe.dials import first_packet
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments.finding import Finding, Line, Trials, found
from rozaneh.probe.experiments.plan import Try, client_hello, evidence_of, is_server_hello, pair, sends, within
from rozaneh.probe.first_packets import openvpn_reset, wireguard_initiation
from rozaneh.probe.services import Endpoint, catalogue
from rozaneh.words import mark

_ECH, _ESNI = 0xFE0D, 0xFFCE
_SECONDS = 40.0
_RANDOM = 200
_WEB = b"GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"
_A_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
_UDP_PORT = 51820
_PORTS = (443, 80, 53, 8443)
_Make = Callable[[], Awaitable[Attempt]]

_KINDS: tuple[tuple[str, Callable[[str], bytes]], ...] = (
    ("http", lambda _name: _WEB),
    ("tls", client_hello),
    ("tls without a name", lambda _name: client_hello("")),
    ("ssh", lambda _name: b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("random bytes", lambda _name: os.urandom(_RANDOM)),
)


def kinds_of_traffic(name: str) -> list[tuple[str, bytes]]:
    """The first bytes of each kind of traffic, with a harmless name where one stands in them."""
    return [(kind, make(name)) for kind, make in _KINDS]


async def allowlist(tools: Tools, endpoint: Endpoint) -> Finding:
    """Which first bytes, to which ports, reach a server that echoes anything."""
    if not tools.vantages.echo:
        return _no_echo("allowlist", endpoint)
    echo, neutral = tools.vantages.echo, tools.vantages.neutral
    first, again = (
        [
            Try(str(port), f"{kind}{times}", _to_echo(tools, echo, port, make(neutral)))
            for kind, make in kinds
            for port in _PORTS
        ]
        for kinds, times in ((_KINDS, ""), (_KINDS[1:], ", again"))
    )
    trials, attempts = await within(_SECONDS, [first, again])
    port = next((p for p in _PORTS if f"{p} http" in attempts and attempts[f"{p} http"].ok), _PORTS[0])
    web = [attempts[f"{port} http"]] if f"{port} http" in attempts else []
    stopped = [
        kind
        for kind, _ in _KINDS[1:]
        if all(f"{port} {each}" in attempts and not attempts[f"{port} {each}"].ok for each in (kind, f"{kind}, again"))
    ]
    shown = stopped[:1] or [kind for kind, _ in _KINDS[1:2]]
    shaped = [a for kind in shown for each in (kind, f"{kind}, again") if (a := attempts.get(f"{port} {each}"))]
    evidence = evidence_of(tools, Endpoint(id="echo", url=f"tcp://{echo}:{port}"), pair(shaped, web))
    line = (
        Line(
            mark("Stopped on port {port}, whatever server it is for: {kinds}."),
            {"port": str(port), "kinds": ", ".join(stopped)},
        )
        if stopped
        else Line(mark("Every kind of traffic that was tried gets through."))
    )
    return found("allowlist", f"tcp://{echo}", evidence, trials, line)


def _no_echo(name: str, endpoint: Endpoint) -> Finding:
    """Without a server that answers anything, silence could be the server's."""
    return found(
        name,
        endpoint.url,
        Evidence(kind="tcp"),
        Trials(trials=()),
        Line(mark("No server that sends back what it gets is known here: nothing can be told.")),
    )


async def ech(tools: Tools, endpoint: Endpoint) -> Finding:
    """A hello with Encrypted ClientHello against the same hello without, at one server, twice each.

    The extension holds random bytes, as browsers send it towards servers without keys (GREASE; draft-ietf-tls-esni,
    section 6.2): servers pass over it, so that what changes is the path's doing.
    """
    return await _extension(tools, endpoint, "ech", _ECH, grease())


async def _extension(tools: Tools, endpoint: Endpoint, name: str, kind: int, body: bytes) -> Finding:
    target = endpoint.target

    def hello(*, extended: bool) -> _Make:
        async def make() -> Attempt:
            record = client_hello(target.host)
            payload = with_extension(record, kind, body) if extended else record
            return await tools.dials.attempt(target, sends(target, payload, expects=is_server_hello))

        return make

    groups = [
        [Try("hello", f"plain {n}", hello(extended=False)), Try("hello", f"{name} {n}", hello(extended=True))]
        for n in (1, 2)
    ]
    trials, attempts = await within(_SECONDS, groups)
    shaped = [attempt for key, attempt in attempts.items() if name in key]
    plain = [attempt for key, attempt in attempts.items() if "plain" in key]
    through = any(attempt.ok for attempt in shaped)
    said = (
        mark("Connections that begin with {extension} get through.")
        if through
        else mark("Connections that begin with {extension} get no answer.")
    )
    evidence = evidence_of(tools, endpoint, pair(shaped, plain))
    return found(name, endpoint.url, evidence, trials, Line(said, {"extension": name.upper()}))


def grease() -> bytes:
    """The body of an outer ECH extension with random content: HKDF-SHA256, AES-128-GCM, an X25519 key, 208 bytes."""
    return b"\0\0\x01\0\x01" + os.urandom(1) + b"\0\x20" + os.urandom(32) + b"\0\xd0" + os.urandom(208)


async def vpn(tools: Tools, endpoint: Endpoint) -> Finding:
    """First packets of VPNs: to known peers, and to a server that echoes, beside random bytes of the same length."""
    echo = tools.vantages.echo
    place = Target(host=echo, port=_UDP_PORT).at(echo)
    packets = {"wireguard": lambda: wireguard_initiation(_A_KEY), "openvpn": openvpn_reset}
    peers = [e for service in catalogue() if service.risky for e in service.endpoint if e.shape in packets]
    tries = [Try("peer", each.url, _peer(tools, each)) for each in peers]
    if echo:
        for name, make in packets.items():
            tries += [Try("echo", f"{name} {n}", _datagram(tools, place, make())) for n in (1, 2)]
            tries.append(Try("echo", f"as long as {name}", _datagram(tools, place, os.urandom(len(make())))))
    trials, attempts = await within(_SECONDS, [tries])
    verdicts: list[tuple[Verdict, Evidence, str]] = []
    for name in packets:
        answered = [a for key, a in attempts.items() if key.startswith(f"peer {name}") and a.ok]
        shaped = [a for key, a in attempts.items() if key.startswith(f"echo {name}")]
        neutral = [a for key, a in attempts.items() if key == f"echo as long as {name}"]
        evidence = Evidence(
            tried=(
                *(Tried(Role.SYSTEM, attempt) for attempt in (answered or shaped)),
                *(Tried(Role.SHAPED_NEUTRAL, attempt) for attempt in neutral),
                *(Tried(Role.SHAPED, attempt) for attempt in shaped),
            ),
            canaries=tuple(tools.canaries.seen),
            kind="udp",
        )
        verdicts.append((judge(evidence), evidence, name))
    verdict, evidence, _ = next((each for each in verdicts if each[0].verdict is not Outcome.OK), verdicts[0])
    stopped = [name for found_, _, name in verdicts if found_.verdict is Outcome.BLOCKED]
    line = (
        Line(
            mark("First packets of {kinds} are stopped; others of the same length get through."),
            {"kinds": ", ".join(stopped)},
        )
        if stopped
        else Line(
            mark("Peers that answered first packets of VPNs: {peers}."),
            {"peers": ", ".join(t.name for t in trials.trials if t.group == "peer" and t.ok) or "-"},
        )
    )
    return Finding(experiment="vpn", target=endpoint.url, verdict=verdict, evidence=evidence, keys=trials, said=(line,))


def _peer(tools: Tools, endpoint: Endpoint) -> _Make:
    target = endpoint.target.at(endpoint.target.host) if endpoint.target.is_literal else endpoint.target

    async def make() -> Attempt:
        return await tools.dials.datagrams(target, first_packet(endpoint), endpoint.shape)

    return make


def _datagram(tools: Tools, target: Target, payload: bytes) -> _Make:
    async def make() -> Attempt:
        return await tools.dials.datagrams(target, payload, "udp")

    return make


def _to_echo(tools: Tools, echo: str, port: int, payload: bytes) -> _Make:
    target = Target(host=echo, port=port).at(echo)

    async def make() -> Attempt:
        return await tools.dials.attempt(target, sends(target, payload))

    return make
