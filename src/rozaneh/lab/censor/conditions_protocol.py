"""Conditions on what a packet or connection says: DNS, HTTP, TLS, QUIC, bytes, classes of protocol."""

from collections.abc import Callable
from typing import Any

from rozaneh.lab.censor import classify, fingerprint
from rozaneh.lab.censor.conditions import NEVER, Conditions, Surroundings, Test, in_ranges, named, worded
from rozaneh.lab.censor.flows import Flow
from rozaneh.lab.censor.inspection import Inspection
from rozaneh.lab.censor.packet import TCP, UDP, Packet
from rozaneh.lab.censor.parse_http import Request
from rozaneh.lab.censor.parse_quic import read_header
from rozaneh.lab.censor.parse_tls import Hello, begins_hello, is_grease
from rozaneh.lab.scenario.match import Match
from rozaneh.lab.scenario.match_protocol import Certificate, Dns, Http, LooksLike, Payload, Quic, Record, Tls

_VERSIONS = {0x0304: "1.3", 0x0303: "1.2", 0x0302: "1.1", 0x0301: "1.0"}
HelloTest = Callable[[Hello], bool | None]
"""On a hello read so far: ``True``, ``False`` for good, or ``None`` while more of it may change the answer."""


def add(found: Conditions, match: Match, around: Surroundings) -> None:
    """Add the tests of these conditions."""
    if match.looks_like is not None:
        found.fixed.append(lambda flow, _way: flow.proto in (TCP, UDP))
        found.tests.append(_looks_like(match.looks_like))
    if match.payload is not None:
        found.tests += _payload(match.payload)
    if match.dns is not None:
        found.fixed.append(lambda flow, _way: flow.proto in (TCP, UDP))
        found.tests.append(_dns(match.dns, around))
    if match.http is not None:
        found.fixed.append(lambda flow, _way: flow.proto == TCP)
        found.tests.append(_http(match.http, around))
    if match.tls is not None:
        found.fixed.append(lambda flow, _way: flow.proto == TCP)
        found.tests += _tls(match.tls, around)
    if match.quic is not None:
        found.fixed.append(lambda flow, _way: flow.proto == UDP)
        found.tests += _quic(match.quic, around)


def _looks_like(condition: LooksLike) -> Test:
    classes, limit = frozenset(condition.protocol), condition.bytes

    def test(packet: Packet, flow: Flow, inspection: Inspection) -> bool:
        data = inspection.stream(packet)
        return bool(data) and classify.classify(data, tcp=flow.proto == TCP, limit=limit) in classes

    return test


def _payload(condition: Payload) -> list[Test]:
    checks: list[Callable[[bytes], bool]] = [_slice(piece.offset, piece.is_) for piece in condition.bytes]
    if condition.prefix:
        prefixes = condition.prefix
        checks.append(lambda data: data.startswith(prefixes))
    within = condition.within
    if condition.keyword:
        keywords = condition.keyword
        checks.append(lambda data: any(keyword in data[:within] for keyword in keywords))
    for ranges, measure in (
        (condition.popcount, classify.bits_per_byte),
        (condition.printable_share, classify.printable_share),
        (condition.first_printable, classify.first_printable),
        (condition.longest_printable, classify.longest_printable),
    ):
        if ranges:
            checks.append(_measured(in_ranges(ranges), measure, within))
    size = in_ranges(condition.size) if condition.size else None

    def test(packet: Packet, _flow: Flow, inspection: Inspection) -> bool:
        if packet.end <= packet.start or (size is not None and not size(packet.payload_size)):
            return False
        data = inspection.stream(packet)
        return bool(data) and all(check(data) for check in checks)

    return [test]


def _slice(offset: int, texts: tuple[bytes, ...]) -> Callable[[bytes], bool]:
    def check(data: bytes) -> bool:
        at = offset if offset >= 0 else len(data) + offset
        return at >= 0 and data.startswith(texts, at)

    return check


def _measured(fits: Callable[[float], bool], measure: Callable[[bytes], float], within: int) -> Callable[[bytes], bool]:
    return lambda data: fits(measure(data[:within])) if data[:within] else False


def _dns(condition: Dns, around: Surroundings) -> Test:
    transports = frozenset({"udp": UDP, "tcp": TCP}[name] for name in condition.transport) or frozenset((UDP, TCP))
    qname = named(condition.qname, around.sets) if condition.qname else None
    qtype = in_ranges(condition.qtype) if condition.qtype else None
    rcode = in_ranges(condition.rcode) if condition.rcode else None
    answer = around.view.addresses(condition.answer, around.sets) if condition.answer else None
    is_answer = None if condition.message is None else condition.message == "answer"

    def test(packet: Packet, _flow: Flow, inspection: Inspection) -> bool:
        if packet.proto not in transports:
            return False
        message = inspection.dns(packet)
        if message is None or (is_answer is not None and message.is_answer is not is_answer):
            return False
        return (
            (qname is None or qname(message.qname))
            and (qtype is None or qtype(message.qtype))
            and (rcode is None or (message.is_answer and rcode(message.rcode)))
            and (answer is None or any(address in answer for address in message.answers))
        )

    return test


def _http(condition: Http, around: Surroundings) -> Test:  # noqa: C901 - one line for each condition
    checks: list[Callable[[Request], bool]] = []
    if condition.host is not None:
        host, absence = named(condition.host, around.sets), condition.host.present is False
        checks.append(lambda request: (request.complete or not absence) and host(request.host))
    if condition.method:
        methods = frozenset(method.upper() for method in condition.method)
        checks.append(lambda request: request.method.upper() in methods)
    if condition.path is not None:
        path = worded(condition.path)
        checks.append(lambda request: path(request.path))
    for name, value in condition.header.items():
        checks.append(_header(name.lower(), worded(value), absence=value.present is False))
    reads_bytes = bool(condition.keyword or condition.first_bytes)
    keywords, starts, within = condition.keyword, condition.first_bytes, condition.within
    status = in_ranges(condition.status) if condition.status else None

    def test(packet: Packet, _flow: Flow, inspection: Inspection) -> bool:
        if status is not None and (inspection.status is None or not status(inspection.status)):
            return False
        request = inspection.request
        if checks and (request is None or not all(check(request) for check in checks)):
            return False
        if reads_bytes:
            data = inspection.stream(packet)[:within]
            if request is None or not data:
                return False
            if keywords and not any(keyword in data for keyword in keywords):
                return False
            return not starts or data.startswith(starts)
        return request is not None or status is not None

    return test


def _header(name: str, fits: Callable[[str | None], bool], *, absence: bool) -> Callable[[Request], bool]:
    return lambda request: (request.complete or not absence) and fits(request.headers.get(name))


def _tls(condition: Tls, around: Surroundings) -> list[Test]:
    tests: list[Test] = []
    checks = _hello_checks(condition, around)
    if checks:
        tests.append(_on_hello(checks))
    if condition.complete is not None:
        whole = condition.complete

        def readable(_packet: Packet, _flow: Flow, inspection: Inspection) -> bool:
            if whole:
                return inspection.hello is not None and inspection.hello.complete
            return inspection.hello_unreadable()

        tests.append(readable)
    if condition.hello is not None:
        kind = 1 if condition.hello == "client" else 2
        tests.append(lambda packet, _flow, _inspection: begins_hello(packet.payload, kind))
    if condition.server_hello is not None:
        seen = condition.server_hello
        tests.append(lambda _packet, _flow, inspection: inspection.server_hello is seen)
    if condition.record is not None:
        tests.append(_record(condition.record))
    if condition.certificate is not None:
        tests.append(_certificate(condition.certificate, around))
    if not tests:
        tests.append(lambda packet, _flow, inspection: inspection.hello is not None or begins_hello(packet.payload, 2))
    return tests


def _hello_checks(condition: Tls | Quic, around: Surroundings) -> list[HelloTest]:
    checks: list[HelloTest] = []
    if condition.sni is not None:
        fits = named(condition.sni, around.sets)
        checks.append(lambda hello: fits(hello.sni) if hello.sni or hello.complete else None)
    if condition.extension:
        wanted = in_ranges(condition.extension)
        checks.append(lambda hello: any(map(wanted, hello.extensions)) or _not_yet(hello))
    if condition.alpn:
        protocols = frozenset(condition.alpn)
        checks.append(lambda hello: not protocols.isdisjoint(hello.alpn) or _not_yet(hello))
    if isinstance(condition, Tls):
        checks += _tls_only(condition)
    return checks


def _not_yet(hello: Hello) -> bool | None:
    """The answer when something was not found: final only once all was read."""
    return False if hello.complete else None


def _tls_only(condition: Tls) -> list[HelloTest]:
    checks: list[HelloTest] = []
    if condition.version:
        versions = frozenset(condition.version)
        checks.append(lambda hello: _VERSIONS.get(hello.version) in versions if hello.complete else None)
    for digests, make in ((condition.ja3, fingerprint.ja3), (condition.ja4, fingerprint.ja4)):
        if digests:
            checks.append(_digest(tuple(digest.lower() for digest in digests), make))
    if condition.cipher:
        cipher = in_ranges(condition.cipher)
        checks.append(lambda hello: any(map(cipher, hello.ciphers)) or _not_yet(hello))
    if condition.first_cipher:
        first = in_ranges(condition.first_cipher)

        def check_first(hello: Hello) -> bool | None:
            real = next((number for number in hello.ciphers if not is_grease(number)), None)
            return first(real) if real is not None else _not_yet(hello)

        checks.append(check_first)
    if condition.records:
        records = in_ranges(condition.records)
        checks.append(lambda hello: records(hello.records) or _not_yet(hello))
    if condition.hello_size:
        size = in_ranges(condition.hello_size)
        checks.append(lambda hello: size(hello.size) if hello.size else None)
    return checks


def _digest(digests: tuple[str, ...], make: Callable[[Hello], str]) -> HelloTest:
    return lambda hello: make(hello).startswith(digests) if hello.complete else None


def _on_hello(checks: list[HelloTest]) -> Test:
    def test(_packet: Packet, _flow: Flow, inspection: Inspection) -> bool | None:
        hello = inspection.hello
        if hello is None:
            return NEVER if inspection.hello_over else False
        for check in checks:
            answer = check(hello)
            if not answer:
                return NEVER if answer is False and inspection.hello_over else False
        return True

    return test


def _record(condition: Record) -> Test:
    kind = in_ranges(condition.type) if condition.type else None
    length = in_ranges(condition.length) if condition.length else None

    def test(packet: Packet, _flow: Flow, _inspection: Inspection) -> bool:
        data = packet.payload
        if len(data) < 5 or not 20 <= data[0] <= 24 or data[1] != 3:
            return False
        return (kind is None or kind(data[0])) and (length is None or length((data[3] << 8) | data[4]))

    return test


def _certificate(condition: Certificate, around: Surroundings) -> Test:
    subject = named(condition.subject, around.sets) if condition.subject else None
    san = named(condition.san, around.sets) if condition.san else None
    issuer = worded(condition.issuer) if condition.issuer else None

    def test(packet: Packet, _flow: Flow, inspection: Inspection) -> bool:
        certificate = inspection.certificate(packet)
        if certificate is None:
            return False
        return (
            (subject is None or subject(certificate.subject))
            and (issuer is None or issuer(certificate.issuer))
            and (san is None or (any(map(san, certificate.names)) if certificate.names else san(None)))
        )

    return test


def _quic(condition: Quic, around: Surroundings) -> list[Test]:
    tests: list[Test] = []
    version = in_ranges(condition.version) if condition.version else None
    packets = frozenset(condition.packet)
    if version is not None or packets or condition.header is not None:
        tests.append(_quic_header(version, packets, condition.header))
    checks = _hello_checks(condition, around)
    if checks:

        def read(packet: Packet, _flow: Flow, inspection: Inspection) -> bool | None:
            reader = inspection.watch_quic(packet)
            if reader is None or reader.hello is None:
                return False
            for check in checks:
                answer = check(reader.hello)
                if not answer:
                    return NEVER if answer is False and reader.over else False
            return True

        tests.append(read)
    if not tests:
        tests.append(_quic_header(None, frozenset(), "long"))
    return tests


def _quic_header(version: Any, packets: frozenset[str], wanted: str | None) -> Test:
    def test(packet: Packet, _flow: Flow, _inspection: Inspection) -> bool:
        data = packet.payload
        if len(data) < 7:
            return False
        if not data[0] & 0x80:
            return wanted == "short" and bool(data[0] & 0x40) and version is None and not packets
        header = read_header(data)
        if header is None or wanted == "short":
            return False
        if header.packet != "negotiation" and not data[0] & 0x40:
            return False
        return (version is None or version(header.version)) and (not packets or header.packet in packets)

    return test
