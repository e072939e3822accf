"""Acts that remember (marks, events, probes) or lead packets elsewhere (redirects, null routes, refusals)."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from rozaneh.core import LocalFault
from rozaneh.lab.censor.actions import Act, Moment, Outcome, ProbeRequest, Workshop
from rozaneh.lab.censor.acts_answer import alert, http_bytes, stream_answer
from rozaneh.lab.censor.acts_inject import ends_back, span_of
from rozaneh.lab.censor.flows import Flow
from rozaneh.lab.censor.forge import tcp_packet
from rozaneh.lab.censor.memory import FOREVER
from rozaneh.lab.censor.packet import ACK, RST, SYN, TCP, UDP, Packet
from rozaneh.lab.scenario.action import Action, Mark, Probe, Redirect
from rozaneh.lab.scenario.action_forge import Http, Refuse
from rozaneh.lab.scenario.action_shape import NullRoute
from rozaneh.lab.scenario.services import interception_port, terminator_of

_MOST_ROUTES = 1024
_FAR_TTL = 54
"""TTL of what the far end itself would send, some hops before it reaches a censor."""
_HTTP = 80
_REFUSERS = {"403": "refuses.example", "451": "451.refuses.example"}


def remembering(action: Action, shop: Workshop) -> list[Act]:
    """Acts that do nothing to the packet."""
    acts: list[Act] = []
    if action.log is not None:
        acts.append(_log(action.log.event, shop))
    acts += [_mark(mark, shop) for mark in action.mark]
    if action.probe is not None:
        acts.append(_probe(action, action.probe, shop))
    return acts


def _log(event: str, shop: Workshop) -> Act:
    events = shop.around.events

    def log(_packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        if moment.first:
            events.log(event, flow, outcome.now)

    return log


def _mark(mark: Mark, shop: Workshop) -> Act:
    marks, between = shop.around.marks, shop.draws.between

    def set_mark(_packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        if not moment.first:
            return
        key = flow.key(mark.on)
        if mark.clear:
            marks.clear(mark.name, mark.on, key)
            return
        until = FOREVER if mark.seconds is None else outcome.now + between(mark.seconds)
        marks.set(mark.name, mark.on, key, outcome.now, until)

    return set_mark


def _probe(action: Action, probe: Probe, shop: Workshop) -> Act:
    latest: dict[tuple[bytes, int], float] = {}

    def start(_packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        if not moment.first or flow.server_port is None or flow.proto not in (TCP, UDP):
            return
        place = flow.server, flow.server_port
        if outcome.now - latest.get(place, -FOREVER) < probe.every:
            return
        if len(latest) > _MOST_ROUTES:
            latest.clear()
        latest[place] = outcome.now
        draws = shop.draws
        for kind in probe.kind:
            payload = {"replay": flow.first_payload, "random": draws.random.randbytes(probe.size)}.get(kind, b"")
            outcome.probes.append(
                ProbeRequest(
                    token=shop.ask(action, flow),
                    kind=kind,
                    address=str(ip_address(flow.server)),
                    port=flow.server_port,
                    payload=payload,
                    delay=draws.between(probe.delay),
                )
            )

    return start


def leading(action: Action, shop: Workshop) -> list[Act]:
    """Acts that lead packets elsewhere."""
    acts: list[Act] = []
    if action.redirect is not None:
        acts.append(_redirect(action.redirect, shop))
    if action.refuse is not None:
        acts += _refuse(action.refuse, shop)
    return acts


def _targets(shop: Workshop, name: str) -> dict[int, bytes]:
    """One address per IP version of a host of the world."""
    try:
        texts: tuple[str, ...] = (str(ip_address(name)),)
    except ValueError:
        texts = shop.around.view.resolve(name)
    found: dict[int, bytes] = {}
    for text in texts:
        packed = ip_address(text).packed
        found.setdefault(4 if len(packed) == 4 else 6, packed)
    if not found:
        raise LocalFault(f"{name!r} has no address in the lab world")
    return found


def _redirect(action: Redirect, shop: Workshop) -> Act:
    if action.to == "mitm":
        targets = _targets(shop, terminator_of(shop.around.view.world))
        return _lead_to(targets, action.port or interception_port(action))
    return _lead_to(_targets(shop, action.to), action.port)


def _lead_to(targets: dict[int, bytes], port: int | None) -> Act:
    def lead(packet: Packet, flow: Flow, outcome: Outcome, _moment: Moment) -> None:
        target = targets.get(packet.version)
        if target is None or flow.server_port is None:
            return
        outcome.acted = True
        flow.notes.setdefault("led to", (target, port or flow.server_port))

    return lead


def _refuse(action: Refuse, shop: Workshop) -> list[Act]:
    if action.with_ == "rst":
        return [_far_reset(shop)]
    if action.with_ == "alert":
        return [alert(shop)]
    lead = _lead_to(_targets(shop, _REFUSERS[action.with_]), None)
    answer = stream_answer(http_bytes(Http(status=int(action.with_), body=action.body)), "fin", "rst", shop)

    def refuse(packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        # In clear the answer is forged; over TLS a server of the world that refuses has to give it.
        (answer if flow.server_port == _HTTP else lead)(packet, flow, outcome, moment)

    return [refuse]


def _far_reset(shop: Workshop) -> Act:
    def reset(packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        from_client = packet.outbound == flow.opened_inside
        if packet.proto != TCP or not from_client:
            return
        outcome.acted = True
        outcome.dropped = outcome.dropped or not moment.free
        if packet.flags & RST:
            return
        numbers = packet.ack if packet.flags & ACK else 0, packet.seq + span_of(packet)
        flags = RST | ACK if packet.flags & SYN else RST
        raw = tcp_packet(ends_back(packet), numbers if flags & ACK else (numbers[0], 0), flags, ttl=_FAR_TTL)
        there_and_back = shop.around.view.round_trip(flow.server)
        outcome.inject.append((raw, "client" if packet.outbound else "server", there_and_back))

    return reset


@dataclass(slots=True)
class Route:
    """A null route: what vanishes, and until when.

    Attributes:
        mask: bits of an address that count.
        value: what these bits are.
        width: bytes of an address of this family.
        until: when it ends.
        ways: directions in which packets vanish.
        icmp: whether the router says so.
        hop: which router that is.
    """

    mask: int
    value: int
    width: int
    until: float
    ways: tuple[bool, ...]
    icmp: bool
    hop: int

    def takes(self, packet: Packet) -> bool:
        """Whether a packet vanishes."""
        if len(packet.src) != self.width or packet.outbound not in self.ways:
            return False
        mask, value = self.mask, self.value
        return int.from_bytes(packet.src, "big") & mask == value or int.from_bytes(packet.dst, "big") & mask == value


def withdraw(action: NullRoute, shop: Workshop, routes: list[Route]) -> Act:
    """The act that takes a route away: it adds to the box's list."""
    ways = {"out": (True,), "in": (False,), "both": (True, False)}[action.direction]

    def add_route(packet: Packet, flow: Flow, outcome: Outcome, moment: Moment) -> None:
        if not moment.first:
            return
        address = flow.client if action.of == "source" else flow.server
        width = len(address)
        bits = {"prefix": min(action.length, width * 8), "family": 0}.get(action.of, width * 8)
        block = ip_network((address, bits), strict=False)
        seconds = shop.draws.between(action.seconds) if action.seconds is not None else FOREVER
        if len(routes) >= _MOST_ROUTES:
            del routes[0]
        mask, value = int(block.netmask), int(block.network_address)
        routes[:] = [route for route in routes if (route.mask, route.value, route.width) != (mask, value, width)]
        routes.append(Route(mask, value, width, outcome.now + seconds, ways, action.icmp, shop.hop))
        outcome.acted = True
        if packet.outbound in ways and not moment.free:
            outcome.dropped = True

    return add_route
