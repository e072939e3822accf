"""Conditions on addresses, ports and headers."""

from collections.abc import Callable, Mapping

from rozaneh.lab.censor.conditions import Conditions, Fixed, Surroundings, Test, in_ranges
from rozaneh.lab.censor.flows import Flow
from rozaneh.lab.censor.inspection import Inspection
from rozaneh.lab.censor.packet import FLAGS, ICMP, ICMP6, TCP, Packet
from rozaneh.lab.scenario.match import Match
from rozaneh.lab.scenario.match_packet import Endpoint

Pick = Callable[[Flow, bool], tuple[bytes, int | None]]


def _client(flow: Flow, _outbound: bool) -> tuple[bytes, int | None]:
    return flow.client, flow.client_port


def _server(flow: Flow, _outbound: bool) -> tuple[bytes, int | None]:
    return flow.server, flow.server_port


def _source(flow: Flow, outbound: bool) -> tuple[bytes, int | None]:
    return _client(flow, outbound) if outbound == flow.opened_inside else _server(flow, outbound)


def _destination(flow: Flow, outbound: bool) -> tuple[bytes, int | None]:
    return _server(flow, outbound) if outbound == flow.opened_inside else _client(flow, outbound)


_ENDS: Mapping[str, Pick] = {"source": _source, "destination": _destination, "client": _client, "server": _server}
_ORDERS: Mapping[str, Callable[[int, int], bool]] = {
    "source-above": lambda source, destination: source > destination,
    "source-below": lambda source, destination: source < destination,
    "equal": lambda source, destination: source == destination,
}


def add(found: Conditions, match: Match, around: Surroundings) -> None:
    """Add the tests of these conditions."""
    found.fixed += _fixed(match, around)
    found.tests += _tests(match)


def _fixed(match: Match, around: Surroundings) -> list[Fixed]:
    fixed: list[Fixed] = []
    if match.direction != "both":
        wanted = match.direction == "out"
        fixed.append(lambda _flow, way: way is wanted)
    if match.ip is not None:
        version = match.ip
        fixed.append(lambda flow, _way: flow.version == version)
    if match.protocol:
        protocols = frozenset(match.protocol)
        fixed.append(lambda flow, _way: flow.proto in protocols)
    for name, pick in _ENDS.items():
        end = getattr(match, name)
        if end is not None:
            fixed += _end(end, pick, around)
    if match.port:
        fits = in_ranges(match.port)
        fixed.append(
            lambda flow, _way: (
                flow.client_port is not None
                and flow.server_port is not None
                and (fits(flow.client_port) or fits(flow.server_port))
            )
        )
    if match.port_order is not None:
        ordered = _ORDERS[match.port_order]

        def compare(flow: Flow, way: bool) -> bool:
            source, destination = _source(flow, way)[1], _destination(flow, way)[1]
            return source is not None and destination is not None and ordered(source, destination)

        fixed.append(compare)
    return fixed


def _end(end: Endpoint, pick: Pick, around: Surroundings) -> list[Fixed]:
    fixed: list[Fixed] = []
    if end.address:
        addresses = around.view.addresses(end.address, around.sets)
        fixed.append(lambda flow, way: pick(flow, way)[0] in addresses)
    if end.group:
        groups = around.view.addresses([f"@{group}" for group in end.group], around.sets)
        fixed.append(lambda flow, way: pick(flow, way)[0] in groups)
    if end.network:
        networks = frozenset(end.network)
        fixed.append(lambda flow, way: not networks.isdisjoint(around.view.place_of(pick(flow, way)[0])[:2]))
    if end.asn:
        numbers = frozenset(end.asn)
        fixed.append(lambda flow, way: around.view.place_of(pick(flow, way)[0])[2] in numbers)
    if end.port:
        fits = in_ranges(end.port)

        def port(flow: Flow, way: bool) -> bool:
            number = pick(flow, way)[1]
            return number is not None and fits(number)

        fixed.append(port)
    return fixed


def _tests(match: Match) -> list[Test]:  # noqa: C901 - one line for each condition
    tests: list[Test] = []
    if match.ttl:
        ttl = in_ranges(match.ttl)
        tests.append(lambda packet, _flow, _inspection: ttl(packet.ttl))
    if match.ip_id:
        ip_id = in_ranges(match.ip_id)
        tests.append(lambda packet, _flow, _inspection: ip_id(packet.ip_id))
    if match.size:
        size = in_ranges(match.size)
        tests.append(lambda packet, _flow, _inspection: size(len(packet.raw)))
    if match.payload_size:
        payload_size = in_ranges(match.payload_size)
        tests.append(lambda packet, _flow, _inspection: payload_size(packet.payload_size))
    if match.flags is not None:
        needed = sum(FLAGS[name] for name in set(match.flags.all))
        looked_at = needed | sum(FLAGS[name] for name in set(match.flags.none))
        tests.append(
            lambda packet, _flow, _inspection: (
                packet.proto == TCP and packet.sport is not None and packet.flags & looked_at == needed
            )
        )
    if match.fragment is not None:
        tests.append(_FRAGMENTS[match.fragment])
    if match.checksum is not None:
        valid = match.checksum == "valid"
        tests.append(lambda packet, _flow, _inspection: packet.checksum_valid() is valid)
    if match.icmp is not None:
        number = in_ranges(match.icmp.type) if match.icmp.type else None
        code = in_ranges(match.icmp.code) if match.icmp.code else None

        def icmp(packet: Packet, _flow: Flow, _inspection: Inspection) -> bool:
            at = packet.l4
            if packet.proto not in (ICMP, ICMP6) or packet.fragment_at or packet.end < at + 4:
                return False
            return (number is None or number(packet.raw[at])) and (code is None or code(packet.raw[at + 1]))

        tests.append(icmp)
    return tests


_FRAGMENTS: Mapping[str, Test] = {
    "any": lambda packet, _flow, _inspection: packet.is_fragment,
    "no": lambda packet, _flow, _inspection: not packet.is_fragment,
    "first": lambda packet, _flow, _inspection: packet.more and not packet.fragment_at,
    "later": lambda packet, _flow, _inspection: packet.fragment_at > 0,
}
