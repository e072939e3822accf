"""Acts that answer in a server's name: DNS over UDP and TCP, HTTP, a TLS alert.

A forged answer on a TCP connection that goes through the box takes the connection over: nothing of it crosses any
more, and the client's last segments are acknowledged so that its kernel ends in peace.
"""

from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address

from rozaneh.lab.censor import forge, parse_dns
from rozaneh.lab.censor.actions import Act, Moment, Outcome, Toward, Workshop
from rozaneh.lab.censor.flows import Flow
from rozaneh.lab.censor.packet import ACK, FIN, PSH, RST, SYN, TCP, UDP, Packet
from rozaneh.lab.scenario.action import Action
from rozaneh.lab.scenario.action_forge import Dns, Http, Injector

_SEGMENT = 1360
_MOST_DATAGRAM = 1200


def answering(action: Action, shop: Workshop) -> list[Act]:
    """The acts of ``dns`` and ``http``."""
    acts: list[Act] = []
    if action.dns is not None:
        acts.append(_dns(action.dns, shop))
    if action.http is not None:
        acts.append(stream_answer(http_bytes(action.http), action.http.close, action.http.server, shop))
    return acts


def _packed(addresses: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(ip_address(address).packed for address in addresses)


class _Forger:
    """One injector with everything it inherits."""

    def __init__(self, action: Dns, own: Injector, shop: Workshop) -> None:
        self._action = action
        self._addresses = {
            parse_dns.A: _packed(own.a or (() if own.rcode else action.a)),
            parse_dns.AAAA: _packed(own.aaaa or (() if own.rcode else action.aaaa)),
        }
        rcode = own.rcode or ("noerror" if own.a or own.aaaa else action.rcode)
        self._rcode = rcode
        self._ttl = own.ttl if own.ttl is not None else action.ttl
        self.ip_ttl = own.ip_ttl or action.ip_ttl
        self.delay = own.delay
        self._shop = shop
        self._turn = 0

    def answer(self, query: parse_dns.Message) -> bytes | None:
        """The answer to a query; ``None`` if this type of question is left alone."""
        if self._rcode != "noerror":
            return parse_dns.forge_answer(query, rcode=parse_dns.RCODES[self._rcode])
        addresses = self._addresses.get(query.qtype, ())
        if not addresses:
            if self._action.other == "pass":
                return None
            return parse_dns.forge_answer(query, rcode=parse_dns.RCODES[self._action.other])
        if self._action.pick == "random":
            addresses = (self._shop.draws.random.choice(addresses),)
        elif self._action.pick == "turn":
            addresses = (addresses[self._turn % len(addresses)],)
            self._turn += 1
        return parse_dns.forge_answer(query, addresses=addresses, cname=self._action.cname or "", ttl=self._ttl)


def _dns(action: Dns, shop: Workshop) -> Act:
    forgers = [_Forger(action, own, shop) for own in action.injectors or (Injector(),)]
    replaces = shop.in_path if action.replace is None else action.replace
    draw = shop.draws

    def forge_all(packet: Packet, query: parse_dns.Message, outcome: Outcome) -> bool:
        answers = [(forger, forger.answer(query)) for forger in forgers]
        if all(answer is None for _, answer in answers):
            return False
        at = shop.reaction()
        for forger, answer in answers:
            if answer is None:
                continue
            ttl = packet.ttl if forger.ip_ttl == "mirror" else int(forger.ip_ttl)
            raw = _dns_packet(packet, answer, ttl, draw.random.randrange(65536))
            delay = at + draw.between(forger.delay)
            outcome.inject += [(raw, "client" if packet.outbound else "server", delay)] * action.count
        return True

    def again(packet: Packet, outcome: Outcome) -> bool:
        whole = parse_dns.over_tcp(packet.payload)
        query = parse_dns.read_message(whole) if whole is not None else None
        return query is not None and forge_all(packet, query, outcome)

    def dns(packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        query = moment.inspection.dns(packet)
        if query is None or query.is_answer or not forge_all(packet, query, outcome):
            return
        outcome.acted = True
        if replaces and not moment.free:
            outcome.dropped = True
            if packet.proto == TCP:
                flow.notes["taken over"] = TakenOver(closed=False, again=again)

    return dns


def _dns_packet(packet: Packet, answer: bytes, ttl: int, ip_id: int) -> bytes:
    ends = packet.dst, packet.dport or 0, packet.src, packet.sport or 0
    if packet.proto == UDP:
        return forge.udp_packet(ends, answer[:_MOST_DATAGRAM], ttl=ttl, ip_id=ip_id)
    data = len(answer).to_bytes(2, "big") + answer
    numbers = packet.ack, packet.seq + packet.payload_size
    return forge.tcp_packet(ends, numbers, PSH | ACK, data, ttl=ttl, ip_id=ip_id)


def http_bytes(action: Http) -> bytes:
    """The forged answer as it is sent."""
    if action.raw is not None:
        return action.raw
    status = action.status or (302 if action.redirect else 403)
    try:
        usual = HTTPStatus(status).phrase
    except ValueError:
        usual = "Answer"
    headers = {} if not action.redirect else {"Location": action.redirect}
    headers.update(action.headers)
    names = {name.lower() for name in headers}
    if "content-length" not in names:
        headers["Content-Length"] = str(len(action.body))
    if action.body and "content-type" not in names:
        headers["Content-Type"] = "text/html"
    if "connection" not in names:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {status} {action.reason or usual}", *(f"{name}: {value}" for name, value in headers.items())]
    head = "".join(line.replace("\r", " ").replace("\n", " ") + "\r\n" for line in lines)
    return head.encode("utf-8", "replace") + b"\r\n" + action.body


def stream_answer(data: bytes, close: str, server: str, shop: Workshop) -> Act:
    """Answers the client's bytes on a TCP connection, then ends it."""

    def answer(packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        from_client = packet.outbound == flow.opened_inside
        if packet.proto != TCP or not from_client or packet.end <= packet.start:
            return
        outcome.acted = True
        at = shop.reaction()
        ends = packet.dst, packet.dport or 0, packet.src, packet.sport or 0
        here: Toward = "client" if packet.outbound else "server"
        there: Toward = "server" if packet.outbound else "client"
        ack = packet.seq + packet.payload_size
        pieces = [data[place : place + _SEGMENT] for place in range(0, len(data), _SEGMENT)]
        sent = 0
        for index, piece in enumerate(pieces):
            last = index == len(pieces) - 1
            flags = PSH | ACK | (FIN if last and close == "fin" else 0)
            ip_id = shop.draws.random.randrange(65536)
            raw = forge.tcp_packet(ends, (packet.ack + sent, ack), flags, piece, ip_id=ip_id)
            outcome.inject.append((raw, here, at))
            sent += len(piece)
        if close == "rst":
            outcome.inject.append((forge.tcp_packet(ends, (packet.ack + sent, ack), RST | ACK), here, at))
        if server == "rst":
            onward = packet.src, packet.sport or 0, packet.dst, packet.dport or 0
            outcome.inject.append((forge.tcp_packet(onward, (packet.seq, packet.ack), RST | ACK), there, at))
        if shop.in_path and not moment.free:
            outcome.dropped = True
            flow.notes["taken over"] = TakenOver(closed=close == "fin")

    return answer


def alert(shop: Workshop) -> Act:
    """A fatal TLS alert (handshake_failure, RFC 8446 section 6.2) to whoever sends a ClientHello."""
    return stream_answer(bytes.fromhex("15030300020228"), "fin", "rst", shop)


class TakenOver:
    """A connection whose server is the censor from now on; the box hands it every further packet of the flow.

    Args:
        closed: whether the forged side has sent its FIN.
        again: what answers further payload, if anything does.
    """

    __slots__ = ("_again", "_closed")

    def __init__(self, *, closed: bool, again: Callable[[Packet, Outcome], bool] | None = None) -> None:
        self._closed = closed
        self._again = again

    def handle(self, packet: Packet, flow: Flow, outcome: Outcome) -> None:
        """Swallow a packet, and acknowledge what the client still sends."""
        outcome.dropped = True
        if packet.flags & (SYN | RST) or packet.outbound != flow.opened_inside:
            return
        if packet.payload_size and self._again is not None and self._again(packet, outcome):
            return
        size = packet.payload_size + bool(packet.flags & FIN)
        if size:
            # If nobody closed yet, the client's FIN is answered with ours.
            flags = ACK | (FIN if packet.flags & FIN and not self._closed else 0)
            ends = packet.dst, packet.dport or 0, packet.src, packet.sport or 0
            raw = forge.tcp_packet(ends, (packet.ack, packet.seq + size), flags)
            outcome.inject.append((raw, "client" if packet.outbound else "server", 0.0))
            self._closed = self._closed or bool(packet.flags & FIN)
