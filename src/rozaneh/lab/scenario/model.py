"""A scenario: a censored internet as one value, with where it was seen and what clients must observe in it."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from rozaneh.lab.scenario.action import Action
from rozaneh.lab.scenario.fields import (
    Label,
    LooseDate,
    Member,
    Moment,
    Outcome,
    Scope,
    SourceMark,
    Span,
    Text,
    TimeOrMoment,
)
from rozaneh.lab.scenario.match import Match, When
from rozaneh.lab.scenario.state import State
from rozaneh.lab.topology import World

Varied = str | int | float | bool | list[str | int | float] | dict[str, str | int | float | bool]


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the behaviour was documented.

    Attributes:
        url: link to it.
        date: when it was seen or written: `"2022"`, `"2022-09"` or `"2022-09-21"`.
        note: what in it supports this scenario.
        mark: `r` read in the source itself, `m` recalled and to be checked, `1` one person's account, `?` conjecture.
    """

    shorthand: ClassVar[str] = "url"

    url: Text
    date: LooseDate | None = None
    note: str = ""
    mark: SourceMark = "r"


class Knob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value of this file that no source gives: a guess, and named as one.

    Attributes:
        path: where it stands, e.g. `rule[1].state.residual` (rules count from 1).
        why: what is known about it, and why this value was taken.
    """

    path: Text
    why: Text


class Clock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The scenario's own time, shared by the censor and everything that runs in the lab.

    Attributes:
        start: date and time of day at the start, in the world's zone (Asia/Tehran) unless it names one. `--at
            HH:MM` changes the time of day.
    """

    shorthand: ClassVar[str] = "start"

    start: Moment


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Match, state, action: what it looks for, what it remembers, what it does.

    Attributes:
        name: a name for reports; shows in `lab show` and in the lab's event counts.
        at: where the box stands: `operator`, `border`, a place of the file's own `places`, or the name of a host of
            the world (its last hop). Several: the same rule stands at each, with a memory of its own.
        mode: `in-path` = packets go through it: it may drop, delay and change; `on-path` = it sees copies and may
            only inject.
        networks: home networks whose customers it stands before; none = all.
        reaction_time: seconds from seeing a packet to injecting; fixed or `[least, most]`. Decides who wins a race
            with the true answer.
        match: what it looks for.
        state: what it remembers.
        action: what it does.
        continue_: `true` = later rules are asked too after this one acted.
        vary: values to try, by key: `{ residual = [60, 180] }` makes one cell per value. A key is a path below this
            rule (`state.residual`), or the last part of one.
        note: free text.
    """

    name: Label | None = None
    at: tuple[Label, ...] = ("border",)
    mode: Literal["in-path", "on-path"] = "in-path"
    networks: tuple[Label, ...] = ()
    reaction_time: Span = (0.0, 0.0)
    match: Match = Match()
    state: State = State()
    action: Action
    continue_: bool = msgspec.field(default=False, name="continue")
    vary: dict[str, tuple[Varied, ...]] = msgspec.field(default_factory=dict)
    note: str = ""


def scope_of(rule: Rule) -> Scope:
    """What a verdict of the rule covers: what the file says, or the default that its match suggests."""
    if rule.state.scope is not None:
        return rule.state.scope
    return "flow" if _reads_connections(rule.match) else "packet"


def _reads_connections(match: Match) -> bool:
    quic = match.quic
    by_name = quic is not None and bool(quic.sni or quic.alpn or quic.extension)
    if match.tls or match.http or match.looks_like or by_name or (match.flow and match.flow.data_packet):
        return True
    return any(_reads_connections(inner) for inner in (*match.any, *match.all, *match.not_))


def reads_of(match: Match) -> tuple[bool, bool]:
    """Whether a match needs what the client, and what the server of a connection has said, whoever sent the packet."""
    tls, http = match.tls, match.http
    client = bool(tls or http or match.quic)
    server = bool((tls and (tls.certificate or tls.server_hello is not None)) or (http and http.status))
    for inner in (*match.any, *match.all, *match.not_):
        by_client, by_server = reads_of(inner)
        client, server = client or by_client, server or by_server
    return client, server


class Expect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a client or a way must observe. One of `client` and `way` is given.

    Attributes:
        client: real programs: `curl`, `dig`, `openssl`, `python`, `h3`, `ping`, `traceroute`, ...
        way: dialer stacks (`doh:dns.google@8.8.8.8|tcp`), the matrix's aliases (`plain`, `doh`, `split`, ...), or
            `*` for all.
        network: home networks for which this holds; none = all.
        at: time of day or date and time at which the client starts.
        target: what it asks for: a URL or a host name.
        after: targets asked for first, in order, from the same address (to set off a penalty): each by the client's own
            program and arguments, or by a command of its own that ends in the target, as `curl -4 http://cdn.example/`.
        wait: seconds to wait between those and the target.
        outcome: one, or several of which any will do: `ok`, a failure in OONI's words (`connection_reset`,
            `generic_timeout_error`, `dns_nxdomain_error`, ...), or what an answer shows: `block_page`, `throttled`,
            `forged`, `intercepted`, `refused_by_service`.
        shows: texts that the client's output must contain.
        because: why this is to be expected.
        when: only in the cells of `vary` in which these paths have these values.
    """

    client: tuple[Text, ...] = ()
    way: tuple[Text, ...] = ()
    network: tuple[Label, ...] = ()
    at: TimeOrMoment | None = None
    target: Text = "https://blocked.example/"
    after: tuple[Text, ...] = ()
    wait: Span = (0.0, 0.0)
    outcome: tuple[Outcome, ...]
    shows: tuple[Text, ...] = ()
    because: str = ""
    when: dict[str, Varied] = msgspec.field(default_factory=dict)


class ExpectedVerdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the probe must conclude.

    Attributes:
        target: what was checked.
        mechanism: the mechanisms that are right; any of several will do.
        who: who does it: `state`, `operator`, `service`, `nobody`.
        network: home networks for which this holds; none = all.
        at: time of day or date and time.
        because: why.
    """

    target: Text
    mechanism: tuple[Text, ...]
    who: Text | None = None
    network: tuple[Label, ...] = ()
    at: TimeOrMoment | None = None
    because: str = ""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A whole file.

    Attributes:
        id: a short name; without it the file's name without `.toml`.
        title: one line that says what it is.
        about: more, in prose.
        atlas: rows of the atlas that it models, e.g. `["I5"]`.
        tier: what it needs to be faithful: `packets` (real packets: tiers T1, T2) or `streams` (connections
            suffice: T0 too).
        sources: where the behaviour was documented; `[[source]]` tables or a list. A file of the repository has at
            least one.
        knobs: values that no source gives; `[[knob]]` tables, or a table of path and reason.
        clock: the scenario's own time at the start.
        schedule: named times, for `match.time.schedule`.
        places: boxes' places on the path, by name, as the hop number counted from the home network: moves
            `operator` (2) and `border` (4), or adds places.
        sets: named sets of addresses, blocks and host names, for `"@name"` in lists of addresses or names, and for
            `group`.
        world: additions to the lab's world: hosts, services, names, networks.
        rules: the censors, `[[rule]]` tables, in order.
        expect: what clients and ways must observe, `[[expect]]` tables.
        verdict: what the probe must conclude, `[[verdict]]` tables.
        vary: values to try, by full path: `{ "rule[1].state.residual" = [60, 180] }`.
    """

    also: ClassVar[dict[str, str]] = {
        "source": "sources",
        "knob": "knobs",
        "rules": "rule",
        "expects": "expect",
        "verdicts": "verdict",
        "set": "sets",
    }

    id: Label = "scenario"
    title: str = ""
    about: str = ""
    atlas: tuple[Text, ...] = ()
    tier: Literal["packets", "streams"] = "packets"
    sources: tuple[Source, ...] = ()
    knobs: tuple[Knob, ...] = ()
    clock: Clock | None = None
    schedule: dict[Label, tuple[When, ...]] = msgspec.field(default_factory=dict)
    places: dict[Label, Annotated[int, Meta(ge=1, le=32)]] = msgspec.field(default_factory=dict)
    sets: dict[Label, tuple[Member, ...]] = msgspec.field(default_factory=dict)
    world: World = World()
    rules: tuple[Rule, ...] = msgspec.field(default=(), name="rule")
    expect: tuple[Expect, ...] = ()
    verdict: tuple[ExpectedVerdict, ...] = ()
    vary: dict[str, tuple[Varied, ...]] = msgspec.field(default_factory=dict)

    def lacks(self) -> tuple[str, ...]:
        """What a file of the repository still needs, one line each: a title, sources with dates, expectations."""
        found = []
        if not self.title:
            found.append("title: missing")
        if not self.sources:
            found.append("sources: at least one [[source]] is needed, with its link and date")
        found += [f"source[{at}].date: missing" for at, source in enumerate(self.sources, 1) if source.date is None]
        if not self.expect:
            found.append("expect: at least one [[expect]] is needed")
        return tuple(found)
