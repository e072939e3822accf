"""Acts that forge packets: resets, ICMP errors, DNS and HTTP answers, payload."""

from ipaddress import ip_address
from typing import TYPE_CHECKING

from rozaneh.lab.censor import forge
from rozaneh.lab.censor.actions import Act, Moment, Outcome, Toward, Workshop
from rozaneh.lab.censor.acts_answer import answering
from rozaneh.lab.censor.flows import Flow
from rozaneh.lab.censor.packet import ACK, FIN, PSH, RST, SYN, TCP, UDP, Packet
from rozaneh.lab.censor.view import hop_address
from rozaneh.lab.scenario.action import Action
from rozaneh.lab.scenario.action_forge import Icmp, Reset, Send

if TYPE_CHECKING:
    from collections.abc import Callable

_ICMP = (1, 58)


def injecting(action: Action, shop: Workshop) -> list[Act]:
    """The acts that forge packets."""
    acts: list[Act] = []
    if action.dns is not None or action.http is not None:
        acts += answering(action, shop)
    if action.send is not None:
        acts.append(_send(action.send, shop))
    if action.icmp is not None:
        acts.append(_icmp(action.icmp, shop))
    if action.reset is not None:
        acts.append(_reset(action.reset, shop))
    return acts


def toward(flow: Flow, end: str) -> Toward:
    """The direction on the path of an end of the flow: clients of the home network and ends of a flow may differ."""
    return "client" if (end == "client") == flow.opened_inside else "server"


def span_of(packet: Packet) -> int:
    """How many sequence numbers a segment takes."""
    return packet.payload_size + bool(packet.flags & SYN) + bool(packet.flags & FIN)


def ends_back(packet: Packet) -> tuple[bytes, int, bytes, int]:
    """Source and destination of an answer to a packet."""
    return packet.dst, packet.dport or 0, packet.src, packet.sport or 0


def ends_on(packet: Packet) -> tuple[bytes, int, bytes, int]:
    """Source and destination of a packet that follows this one."""
    return packet.src, packet.sport or 0, packet.dst, packet.dport or 0


def _reset(action: Reset, shop: Workshop) -> Act:
    in_path, draw = shop.in_path, shop.draws.random
    holds_back = in_path and not action.pass_original
    flags = RST | ACK if action.flags == "rst+ack" else RST

    def reset(packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        if packet.proto != TCP or packet.sport is None:
            if in_path and not moment.free:
                outcome.dropped = outcome.acted = True
            return
        outcome.acted = True
        if holds_back and not moment.free:
            outcome.dropped = True
        if packet.flags & RST:
            return
        at = shop.reaction()
        for end in action.to:
            way = toward(flow, end)
            back = (way == "client") == packet.outbound
            for round_number in range(action.count):
                for index, offset in enumerate(action.sequence):
                    ip_id = action.ip_id if action.ip_id is not None else draw.randrange(65536)
                    raw = _reset_packet(packet, flags, offset, back=back, ttl=action.ttl, ip_id=ip_id)
                    wait = (round_number * len(action.sequence) + index) * action.interval
                    outcome.inject.append((raw, way, at + wait))

    return reset


def _reset_packet(packet: Packet, flags: int, offset: int, *, back: bool, ttl: int, ip_id: int) -> bytes:
    if back:
        # A host that sent a SYN believes a reset only if it acknowledges that SYN (RFC 9293, 3.10.7.3).
        flags |= ACK if not packet.flags & ACK else 0
        numbers = (packet.ack if packet.flags & ACK else 0) + offset, packet.seq + span_of(packet)
        ends = ends_back(packet)
    else:
        numbers = packet.seq + offset, packet.ack
        ends = ends_on(packet)
    if not flags & ACK:
        numbers = numbers[0], 0
    return forge.tcp_packet(ends, numbers, flags, ttl=ttl, ip_id=ip_id)


def _icmp(action: Icmp, shop: Workshop) -> Act:
    numbers = (action.type, action.code) if action.type is not None else None
    hop = action.hop or shop.hop
    given = ip_address(action.from_).packed if action.from_ else None
    holds_back = shop.in_path and not action.pass_original

    def icmp(packet: Packet, _flow: Flow, outcome: Outcome, moment: Moment) -> None:
        outcome.acted = True
        if holds_back and not moment.free:
            outcome.dropped = True
        # RFC 1122, 3.2.2: no error about a later fragment, and none about an ICMP error.
        if packet.fragment_at or (packet.proto in _ICMP and packet.raw[packet.l4 : packet.l4 + 1] not in _ECHOES):
            return
        own = hop_address(hop, packet.version)
        source = given if given is not None and len(given) == len(packet.src) else own
        raw = forge.icmp_error(packet, action.kind, source, numbers=numbers)
        outcome.inject.append((raw, "client" if packet.outbound else "server", shop.reaction()))

    return icmp


_ECHOES = (b"\x08", b"\x80")


def _send(action: Send, shop: Workshop) -> Act:
    holds_back = shop.in_path and not action.pass_original
    builders: dict[int, Callable[[Packet, Send, bool, int], bytes]] = {TCP: _segment, UDP: _datagram}

    def send(packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        build = builders.get(packet.proto)
        if not moment.first or build is None or packet.sport is None:
            return
        outcome.acted = True
        if holds_back and not moment.free:
            outcome.dropped = True
        at = shop.reaction()
        for end in action.to:
            way = toward(flow, end)
            back = (way == "client") == packet.outbound
            for index in range(action.count):
                outcome.inject.append((build(packet, action, back, index), way, at + index * action.interval))

    return send


def _segment(packet: Packet, action: Send, back: bool, index: int) -> bytes:
    before = index * len(action.data)
    last = action.fin and index == action.count - 1
    flags = PSH | ACK | (FIN if last else 0)
    if back:
        numbers, ends = (packet.ack + before, packet.seq + span_of(packet)), ends_back(packet)
    else:
        numbers, ends = (packet.seq + span_of(packet) + before, packet.ack), ends_on(packet)
    return forge.tcp_packet(ends, numbers, flags, action.data, ttl=action.ttl)


def _datagram(packet: Packet, action: Send, back: bool, _index: int) -> bytes:
    return forge.udp_packet(ends_back(packet) if back else ends_on(packet), action.data, ttl=action.ttl)
