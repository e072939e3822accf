"""What types cannot say: names that lead nowhere, boxes that do what they cannot do, rules that can never act."""

import re
from collections.abc import Callable, Iterator

import msgspec

from rozaneh.core import LocalFault
from rozaneh.lab.scenario.action import Action, Mark
from rozaneh.lab.scenario.match import Match, When
from rozaneh.lab.scenario.match_packet import Endpoint, Named
from rozaneh.lab.scenario.model import Rule, Scenario, scope_of
from rozaneh.lab.scenario.vary import value_at, variants
from rozaneh.lab.topology import World, Zone, default_world

_CHANGES = ("drop", "rate", "delay", "jitter", "loss", "reorder", "freeze", "redirect", "null_route", "refuse")
_ENDS_EVERYTHING = ("pass_", "drop")
_ZONES = frozenset(zone.value for zone in Zone)


def check(scenario: Scenario) -> None:
    """Test what holds between the parts of a file.

    Raises:
        LocalFault: ``path: what is wrong``, for the first thing that is.
    """
    world = _world(scenario)
    _Check(scenario, world).run()
    for knob_at, knob in enumerate(scenario.knobs, 1):
        try:
            value_at(scenario, knob.path)
        except LocalFault as fault:
            raise LocalFault(f"knob[{knob_at}].path: {fault}") from None
    if scenario.vary or any(rule.vary for rule in scenario.rules):
        for variant in variants(scenario):
            _Check(variant.scenario, world).run()


def _world(scenario: Scenario) -> World:
    world = default_world()
    try:
        return world.merged(scenario.world)
    except LocalFault as fault:
        text, _, place = str(fault).rpartition(" - at $.")
        # Services are counted through both worlds from 0; a file's own are counted from 1.
        place = re.sub(r"(?<=^service\[)\d+", lambda found: str(int(found[0]) - len(world.service) + 1), place)
        raise LocalFault(f"world.{place}: {text}" if text else f"world: {fault}") from None


def _fail(path: str, text: str) -> None:
    raise LocalFault(f"{path}: {text}")


class _Check:
    """One pass over a scenario in which nothing varies any more."""

    def __init__(self, scenario: Scenario, world: World) -> None:
        self.scenario = scenario
        self.world = world
        homes = {name for name, host in world.host.items() if host.zone is Zone.HOME}
        self.networks = homes
        self.places = {"operator", "border", *scenario.places, *world.host}
        self.address_networks = {*world.network, *_ZONES, *homes}
        self.sets = {*scenario.sets, *world.sets}
        self.marks = {(mark.name, mark.on) for mark in _marks(scenario)}
        self.events = {action.log.event for _, action in _actions(scenario) if action.log}

    def run(self) -> None:  # noqa: C901 - one line for each part of a file
        for at, rule in enumerate(self.scenario.rules, 1):
            self._rule(rule, f"rule[{at}]")
        self._order()
        for name, members in self.scenario.sets.items():
            for member in members:
                self._address(member, f"sets.{name}")
        for name, whens in self.scenario.schedule.items():
            for when in whens:
                if when.schedule:
                    _fail(f"schedule.{name}.schedule", "a schedule cannot name another one")
                _when(when, f"schedule.{name}", self.scenario)
        for at, expect in enumerate(self.scenario.expect, 1):
            if bool(expect.client) == bool(expect.way):
                _fail(f"expect[{at}]", "expected exactly one of client and way")
            self._known(expect.network, self.networks, f"expect[{at}].network", "a home network")
            for path in expect.when:
                value_at(self.scenario, path)
        for at, verdict in enumerate(self.scenario.verdict, 1):
            self._known(verdict.network, self.networks, f"verdict[{at}].network", "a home network")

    def _known(self, given: tuple[str, ...], known: set[str], path: str, what: str) -> None:
        for name in given:
            if name not in known:
                _fail(path, f'"{name}" is not {what}; expected one of: {", ".join(sorted(known))}')

    def _rule(self, rule: Rule, path: str) -> None:
        self._known(rule.at, self.places, f"{path}.at", "a place")
        self._known(rule.networks, self.networks, f"{path}.networks", "a home network")
        self._match(rule.match, f"{path}.match")
        if rule.action == Action():
            _fail(f"{path}.action", f"empty; expected at least one of: {', '.join(_names(Action))}")
        for name, action in (("action", rule.action), ("state.residual.action", _meanwhile(rule))):
            if action is not None:
                self._action(action, rule, f"{path}.{name}")
        self._state(rule, f"{path}.state")

    def _action(self, action: Action, rule: Rule, path: str) -> None:
        if rule.mode == "on-path":
            for name in _CHANGES:
                if getattr(action, name) is not None:
                    _fail(f"{path}.{name}", 'an on-path box sees copies and cannot do this; use mode = "in-path"')
            if action.dns and action.dns.replace:
                _fail(f"{path}.dns.replace", 'an on-path box cannot replace a query; use mode = "in-path"')
        if action.pass_ and any(getattr(action, name) is not None for name in _CHANGES):
            _fail(f"{path}.pass", "a rule cannot let pass and hold back at once")
        if (
            action.dns
            and not (action.dns.a or action.dns.aaaa or action.dns.injectors)
            and action.dns.rcode == "noerror"
        ):
            _fail(f"{path}.dns", "expected addresses (a, aaaa), injectors, or an rcode")
        if action.freeze and action.freeze.bytes is None and action.freeze.packets is None:
            _fail(f"{path}.freeze", "expected bytes or packets")
        if action.redirect and action.redirect.to != "mitm":
            self._address(action.redirect.to, f"{path}.redirect.to")

    def _state(self, rule: Rule, path: str) -> None:
        state = rule.state
        if state.residual and scope_of(rule) == "packet":
            _fail(
                f"{path}.residual",
                'a verdict of scope "packet" does not last; set state.scope (flow, 3-tuple, source ...)',
            )
        if rule.mode == "on-path" and state.reassembly.fragments == "drop":
            _fail(f"{path}.reassembly.fragments", 'an on-path box cannot drop; use mode = "in-path"')
        if rule.mode == "on-path" and state.capacity.overflow == "closed":
            _fail(f"{path}.capacity.overflow", 'an on-path box cannot drop; use mode = "in-path"')
        if state.attention and state.attention.then == "act" and state.attention == type(state.attention)(then="act"):
            _fail(f"{path}.attention.then", "expected packets, data_packets, bytes or seconds beside it")
        if state.reassembly.records and state.reassembly.tcp == "none":
            _fail(f"{path}.reassembly.records", "records cannot be joined without TCP; set reassembly.tcp")

    def _match(self, match: Match, path: str) -> None:  # noqa: C901, PLR0912 - one line for each condition
        for name in ("any", "all", "not_"):
            for at, inner in enumerate(getattr(match, name), 1):
                self._match(inner, f"{path}.{name.strip('_')}[{at}]")
        for name in ("source", "destination", "client", "server"):
            end = getattr(match, name)
            if end is not None:
                self._endpoint(end, f"{path}.{name}")
        for at, mark in enumerate(match.marked, 1):
            if (mark.name, mark.on) not in self.marks:
                holders = sorted(on for name, on in self.marks if name == mark.name)
                hint = f"it is set on {', '.join(holders)}" if holders else "no rule sets it"
                _fail(f"{path}.marked[{at}]", f'no mark "{mark.name}" on {mark.on}: {hint}')
        if match.history and match.history.kind == "events":
            if match.history.event not in self.events:
                _fail(
                    f"{path}.history.event",
                    f"no rule logs this event; known: {', '.join(sorted(self.events)) or 'none'}",
                )
        elif match.history and match.history.event:
            _fail(f"{path}.history.event", 'only with kind = "events"')
        for member in match.dns.answer if match.dns else ():
            self._address(member, f"{path}.dns.answer")
        for where, named in _named(match):
            for name in (*named.exact, *named.suffix, *named.label, *named.pattern):
                self._set(name, f"{path}.{where}")
        if match.time:
            _when(match.time, f"{path}.time", self.scenario)
        _possible(match, path)

    def _endpoint(self, end: Endpoint, path: str) -> None:
        for member in end.address:
            self._address(member, f"{path}.address")
        for group in end.group:
            self._set(f"@{group}", f"{path}.group")
        self._known(end.network, self.address_networks, f"{path}.network", "a network or zone of the world")

    def _address(self, text: str, path: str) -> None:
        if text.startswith("@"):
            self._set(text, path)
            return
        named = text[0].isalpha() and ":" not in text and not path.startswith("sets.")
        if named and text not in {**self.world.addresses_of, **self.world.host}:
            _fail(path, f'"{text}" is not a host name of the lab world; add it under [world.names] or give an address')

    def _set(self, text: str, path: str) -> None:
        if text.startswith("@") and text[1:] not in self.sets:
            _fail(path, f'no set "{text[1:]}"; known: {", ".join(sorted(self.sets)) or "none"}')

    def _order(self) -> None:
        """A rule behind one that takes every packet at the same place can never act."""
        taken: set[tuple[str, str]] = set()
        for at, rule in enumerate(self.scenario.rules, 1):
            stands = {(place, network) for place in rule.at for network in rule.networks or self.networks}
            if stands and stands <= taken:
                _fail(f"rule[{at}]", "can never act: a rule before it takes every packet at the same place")
            if rule.match == Match() and not rule.continue_ and any(getattr(rule.action, n) for n in _ENDS_EVERYTHING):
                drop = rule.action.drop
                if drop is None or drop.direction in ("this", "both"):
                    taken |= stands


def _names(form: type[msgspec.Struct]) -> tuple[str, ...]:
    return form.__struct_encode_fields__


def _meanwhile(rule: Rule) -> Action | None:
    return rule.state.residual.action if rule.state.residual else None


def _actions(scenario: Scenario) -> Iterator[tuple[Rule, Action]]:
    for rule in scenario.rules:
        yield rule, rule.action
        meanwhile = _meanwhile(rule)
        if meanwhile is not None:
            yield rule, meanwhile


def _marks(scenario: Scenario) -> Iterator[Mark]:
    for _, action in _actions(scenario):
        yield from action.mark
        if action.probe and action.probe.mark:
            yield action.probe.mark


def _named(match: Match) -> Iterator[tuple[str, Named]]:
    certificate = match.tls.certificate if match.tls else None
    found: list[tuple[str, Named | None]] = [
        ("dns.qname", match.dns.qname if match.dns else None),
        ("http.host", match.http.host if match.http else None),
        ("tls.sni", match.tls.sni if match.tls else None),
        ("quic.sni", match.quic.sni if match.quic else None),
        ("tls.certificate.subject", certificate.subject if certificate else None),
        ("tls.certificate.san", certificate.san if certificate else None),
    ]
    yield from ((where, named) for where, named in found if named is not None)


def _when(when: When, path: str, scenario: Scenario) -> None:
    for name in when.schedule:
        if name not in scenario.schedule:
            known = ", ".join(sorted(scenario.schedule)) or "none"
            _fail(f"{path}.schedule", f'no schedule "{name}"; known: {known}')
    if when.from_ is not None and when.from_ == when.to:
        _fail(f"{path}.to", "the same as from: no moment lies between")
    for at, dates in enumerate(when.dates, 1):
        if dates.to is not None and dates.to < dates.from_:
            _fail(f"{path}.dates[{at}].to", f"lies before from ({dates.from_})")


_OVER: tuple[tuple[str, Callable[[Match], bool], int], ...] = (
    ("tls", lambda match: match.tls is not None, 6),
    ("http", lambda match: match.http is not None, 6),
    ("flags", lambda match: match.flags is not None, 6),
    ("quic", lambda match: match.quic is not None, 17),
)


def _possible(match: Match, path: str) -> None:
    """Conditions that exclude each other."""
    carriers = {number for _, given, number in _OVER if given(match)}
    if len(carriers) > 1:
        both = " and ".join(name for name, given, _ in _OVER if given(match))
        _fail(path, f"can never match: {both} do not occur in one packet; use any = [...]")
    for name, given, number in _OVER:
        if given(match) and match.protocol and number not in match.protocol:
            _fail(f"{path}.protocol", f"can never match: {name} is carried by protocol {number}")
    if match.icmp is not None and match.protocol and not {1, 58} & set(match.protocol):
        _fail(f"{path}.protocol", "can never match: icmp is another protocol")
    if match.icmp is not None and carriers:
        _fail(path, "can never match: icmp and TCP or UDP conditions do not occur in one packet; use any = [...]")
