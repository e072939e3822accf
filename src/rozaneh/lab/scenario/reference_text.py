"""The parts of the reference that no struct can say."""

FOREWORD = """\
# Scenarios: censors as text files

A scenario is a TOML file: a censor, where its behaviour was documented, and what clients must observe. A file works from anywhere
by its path. Nothing is required but what is marked so; the smallest file is one rule:

```toml
[[rule]]
match = { direction = "out", tls.sni.suffix = "blocked.example" }
action = "drop"
```

A rule is **match x state x action**: what it looks for, what it remembers, what it does. Rules are not named after techniques; a
technique is a combination.

## How rules are evaluated

1. A packet meets the boxes on its path in order (operator, then border, on the way out). At each place, for each client address:
2. Null routes set by `null_route` apply first, then verdicts that rules keep (`state.scope`, `state.residual`), in the order of the
   rules, then the rules themselves in the order of the file.
3. The first that acts on the packet ends it, unless its rule says `continue = true`. A verdict or rule that does nothing to *this*
   packet does not end it: a `drop` for the other direction, a `dns` forger on a packet that is no query. So a verdict that an on-path
   rule keeps, and that goes on injecting, hides its packets from later rules at that place, in-path ones too: two boxes of one
   border are two places (`places`), or the first rule says `continue = true`.
4. `mark`, `log` and `probe` do nothing to the packet and never end the evaluation.
5. A rule with a scope other than `packet` keeps its verdict when it acts and is not asked again for what the verdict covers. One-time
   actions (`send`, `mark`, `log`, `probe`) are done for the offending packet alone; the others for every packet that is covered.
6. All actions of one rule are done to the packet, in this order: log, mark, probe, redirect, refuse, dns, http, send, icmp, reset, loss,
   freeze, rate, delay, jitter, reorder, drop, null_route.
7. Every client address has censors of its own: their memory, chance and queues are never shared between clients.
8. Words: *out* is away from the home network, *in* towards it. The *client* of a flow is the end that opened it, the *server* the other
   one (for a flow whose start was not seen, the end with the lower port). *Source* as a scope, or of a mark or count, is the
   client, *destination* the server, whichever way the packet goes; `match.source` and `match.destination` are the two ends of this
   packet.
9. An *in-path* box may drop, delay and change; an *on-path* box sees copies: only `reset`, `icmp`, `dns`, `http`, `send`, `mark`, `log`, `probe`
   and `pass`, and the original always goes on.

## How to write

- TOML allows dotted keys, also in inline tables: `match = { tls.sni.suffix = "x" }`. An inline table stands on one line. For more, use
  `[rule.match]` or `match.tls.sni = ...` lines below their `[[rule]]`.
- Where a list is expected, its only item may stand alone. In a list any item will do; conditions beside each other must all hold.
- `action = "drop"` is `action = { drop = true }` is `action = { drop = {} }`: an action with its defaults.
- Unknown keys, wrong types and values out of bounds are errors that name the place. Rules and other repeated tables count from 1.
- Rules need no connection to be complete: `any`, `all` and `not` nest whole matches. `not` also holds where there is nothing to look
  at: for "TLS with a name that is not permitted" write `tls.sni.present = true, not = { tls.sni.suffix = [...] }`.
- Values that no source gives are guesses: name them with `[[knob]]`. A documented range becomes `vary`.
"""

PLACES = """\
### Places, networks, targets

The path of a packet from a home into the world: home - hop 1 - hop 2 `operator` - hop 3 - hop 4 `border` - hops abroad - host. Domestic
hosts are reached through the operator alone. `places` moves these two or adds others; a box at hop N sees every packet whose TTL lasts
to hop N. Routers answer as 10.202.N.1. `at = "HOST"` stands at the last hop before a host of the list below.

Home networks: `mobile` (AS 197207, 10.77.0.0/16, resolver 10.202.77.53) and `fixed` (AS 58224, 10.78.0.0/16, resolver 10.202.78.53), with
IPv6. A round trip from a home to a host abroad takes about 44 ms.

Targets most scenarios use: `https://blocked.example/` (the default of `expect.target`), `http://blocked.example/`,
`https://www.blocked.example/`, `https://example.org/` (neutral), `https://slow.example/`, `https://cdn.example/` and `https://front.example/` (a CDN),
`https://domestic.example/`, `https://refuses.example/` (refuses the country's addresses), `tcp://raw.example:443` (echo), `dns://8.8.8.8`.
Every web site has the paths `/bytes/N` (a download of N bytes), `/status/NNN`, `/slow?seconds=N` and `/redirect?to=URL`; any other path is
a page that names the site and the path.
"""

RUNNING = """\
### How to run it

- `rozaneh lab show FILE`: reads the file and says in words what it holds, or the one line that is wrong.
- `rozaneh lab run FILE [--on mobile|fixed] [--at HH:MM] [--pcap OUT] -- curl -v https://blocked.example/`: any program in that network.
- `rozaneh lab shell FILE`: a shell there.
- `rozaneh lab check FILE`: runs the clients of `[[expect]]`, each also without the rules as a control.
- `rozaneh lab matrix --scenarios DIRECTORY [--ways SPEC...] [--json OUT]`: all scenarios of a directory against ways.

`check` asks the clients of `[[expect]]` and `matrix` the ways, so a file with expectations of one sort only is proven by one command.
`--at HH:MM` turns the clock of the censors and of our own programs; `date` in the lab goes on to show the machine's. Without `clock` a lab
starts at noon of today. Programs choose between IPv4 and IPv6 as they always do (curl takes IPv6 where both answer): `curl -4` where it matters.

Ways for `expect.way`: names that stand for a stack, `*` for every way that the matrix asks, or a stack of your own such as
`doh:dns.google@8.8.8.8|tlsfrag:1|tcp`: layers from the outermost to the connection itself (`tcp`), divided by `|`, each with its
arguments after a colon; `docs/ways.md` lists them. `client` programs below are for `expect.client` alone.

```text
plain     tcp
dnstcp    dnstcp:8.8.8.8|tcp
dot       dot:dns.google@8.8.8.8|tcp
doh       doh:dns.google@8.8.8.8|tcp
split     doh:dns.google@8.8.8.8|split:sni|tcp
tlsfrag   doh:dns.google@8.8.8.8|tlsfrag:sni|tcp
both      doh:dns.google@8.8.8.8|tlsfrag:sni|split:2|tcp
disorder  doh:dns.google@8.8.8.8|disorder:2|tcp
socks5    socks5://45.76.10.11:1080|tcp
connect   https://relay.example:443?address=45.76.10.11|tcp
ss        ss://Y2hhY2hhMjAtaWV0Zi1wb2x5MTMwNTpsYWI@45.76.10.11:8388|tcp
```

A text for `expect.client` is one of these programs, with arguments of its own if need be (`dig @8.8.8.8 +tcp`, `curl --tls-max 1.2`);
the target is added to it. Each waits about 4 seconds in silence.

- `curl`, `dig`, `openssl` (`openssl s_client`), `ping`: the real programs.
- `python`: a page over HTTPS with Python's own client.
- `h3`: a page over HTTP/3 (the page alone: no `/bytes/N`).
- `dns`: asks one resolver over UDP and shows every answer that comes, with its time (`--server ADDRESS`, `--listen SECONDS`).
- `hello`: a ClientHello made by hand, to a server that echoes (`--name NAME`, `--no-name`, `--esni`, `--ech`).
- `lone-hello`: a segment with a ClientHello without a handshake (`--ttl N`).
- `raw`: bytes over TCP to a server that echoes (`--send TEXT`, where `_` is a space, or `--random N`; `--again-after SECONDS`).
- `udp`: datagrams to a server that echoes, or to a resolver (`--count N`, `--size N`, `--wireguard N`, `--dns N`).
- `upload`: many bytes to a server that echoes, and their speed (`--bytes N`).
- `icmp`: echo requests (`--count N`). `traceroute`: who reports the end of a TTL (`--hops N`).

What each calls an outcome: the failure in OONI's words; `ok` where the true page, the true addresses or the echo came back, `forged`
where an address is not the name's own, `block_page` and `refused_by_service` by what the page says, `throttled` where a download
(`https://blocked.example/bytes/60000`) is over three times slower than without the rules.
"""

AFTERWORD = """\
## What a scenario cannot show

It shows how programs react to a *modelled* censor, not that a way works in any country. Routes are symmetric, boxes never fail, injection
is exact and instant unless `reaction_time` says otherwise, and nothing learns over days. A scenario is as good as its source.
"""
