"""Worked examples for the reference; the suite loads every one of them and checks that it does what it says."""

SNI_RESET = """\
title = "Names in TLS are reset by a box that joins segments but not records"
atlas = ["I12"]

[[source]]
url = "https://github.com/XTLS/Xray-core/issues/2131"
date = "2023"
note = "splitting the ClientHello over TLS records passed, over TCP segments it did not"

[[knob]]
path = "rule[1].state.reassembly.bytes"
why = "no source says how much the box keeps"

[[rule]]
at = "border"
mode = "on-path"                 # it sees copies: it can inject, not drop
reaction_time = "1ms"
match = { direction = "out", tls.sni.suffix = ["blocked.example"] }
state = { scope = "flow", reassembly = { tcp = "in-order", records = false, bytes = 16384 } }
action = { reset = { to = ["client", "server"] } }

[[expect]]
client = "curl"
outcome = "connection_reset"
shows = "(35)"

[[expect]]
client = "curl"
target = "https://example.org/"
outcome = "ok"

[[expect]]
way = ["plain", "split"]
outcome = "connection_reset"

[[expect]]
way = "tlsfrag"
outcome = "ok"
because = "each record is read by itself"

[[verdict]]
target = "https://blocked.example/"
mechanism = "tls_name_reset"
who = "state"
"""

CURFEW = """\
title = "Mobile networks are cut from 16:00 to midnight; the domestic network stays"
clock = "2022-09-21T15:30"       # the scenario's own time at the start; `--at 17:00` starts later

[[source]]
url = "https://ooni.org/post/2022-iran-blocks-social-media-mahsa-amini-protests/"
date = "2022-11"
note = "hours and operators"

[schedule.curfew]
from = "16:00"
to = "24:00"
dates = { from = "2022-09-21", to = "2022-10-03" }

[[rule]]
at = "border"                    # traffic to domestic sites does not cross the border
networks = ["mobile"]
match = { time = { schedule = "curfew" } }
action = "null_route"

[[expect]]
client = "curl"
network = "mobile"
at = "15:40"
target = "https://example.org/"
outcome = "ok"

[[expect]]
client = "curl"
network = "mobile"
at = "17:00"
target = "https://example.org/"
outcome = "generic_timeout_error"

[[expect]]
client = "curl"
network = "mobile"
at = "17:00"
target = "https://domestic.example/"
outcome = "ok"

[[expect]]
client = "curl"
network = "fixed"
at = "17:00"
target = "https://example.org/"
outcome = "ok"
"""

DNS_RACE = """\
title = "Three injectors race the true answer; names over TCP are left alone"

[[source]]
url = "https://gfw.report/publications/usenixsecurity21/en/"
date = "2021"
note = "three injectors; one mirrors the TTL of the query"

[sets]                           # named lists, for "@name"
forbidden = ["blocked.example", "slow.example"]

[[rule]]
at = "operator"
mode = "on-path"
match = { direction = "out", dns.qname.suffix = "@forbidden", dns.transport = "udp", dns.message = "query" }

[rule.action.dns]                # belongs to the [[rule]] above it
a = ["10.10.34.34", "10.10.34.35", "10.10.34.36"]
pick = "random"
ttl = 418
other = "empty"                  # AAAA, HTTPS, ... get an answer without records
injectors = [{ delay = 0 }, { delay = ["1ms", "3ms"] }, { delay = "4ms", ip_ttl = "mirror" }]

[[expect]]
client = "dig"
target = "blocked.example"
outcome = "forged"
shows = "10.10.34.3"

[[expect]]
client = "dig +tcp"
target = "blocked.example"
outcome = "ok"

[[expect]]
way = ["doh", "dot", "dnstcp"]
outcome = "ok"
"""

PENALTY = """\
title = "Two flows that look like nothing known within a minute cost the client all of that server for 30 to 90 s"

[[source]]
url = "https://example.org/a-report"
date = "2026-11"
note = "one person's account"
mark = "1"

[[knob]]
path = "rule[2].state.residual"
why = "the report says 'about a minute'; both ends are tried"

[[rule]]                         # notices: a first data packet without a class, in a sample of flows
name = "notice"
match.direction = "out"
match.protocol = "tcp"
match.flow.data_packet = 1
match.looks_like = "unknown"
match.payload.popcount = { at_least = 3.4, at_most = 4.6 }
match.not = { server.asn = [15133, "AS13335"] }        # not to these hosting networks
match.chance = { probability = 0.8, per = "flow" }
match.history = { kind = "flows", from = "pair", at_least = 2, within = "60s" }
action = { mark = { name = "suspect", on = "pair", seconds = "5m" }, log = "noticed" }

[[rule]]                         # punishes: a rule that another rule's mark sets off
name = "punish"
match.direction = "out"
match.marked = { name = "suspect", on = "pair" }
state.scope = "3-tuple"
state.residual = { seconds = 30, renew = "offence", action = { loss = 0.5 } }
action = "drop"
vary = { "state.residual.seconds" = [30, 90] }         # two cells: one for each value

[[expect]]
way = "ss"
outcome = ["ok", "failure"]
because = "the draw decides"

[[expect]]
way = "plain"
outcome = "ok"
because = "TLS and HTTP have a class"
"""

LAYERS = """\
title = "Several boxes: an operator that slows a CDN, a border that freezes uploads and leads one site to itself"

[[source]]
url = "https://example.org/another-report"
date = "2026-11"

[places]
second-border = 6                # hop number from home; operator is 2 and border 4 unless moved here

[world.names]
"news.example" = ["93.184.216.34"]

[[rule]]                         # a list of exceptions comes first: `pass` ends the evaluation
at = ["operator", "second-border"]
match = { client.group = "exempt" }
action = "pass"

[[rule]]
name = "slow-cdn"
at = "operator"
match = { server.address = "104.16.0.0/13", direction = "in" }
action = { rate = { rate = "256kbit", per = "source", share = "fair", queue = "500ms" }, loss = { probability = 0.02, burst = 3 } }
continue = true                  # later rules at this place are asked too

[[rule]]
name = "freeze-uploads"
at = "second-border"
match = { flow.bytes_out = ">=15kB", server.port = 443, protocol = ["tcp", "udp"] }
state = { scope = "flow" }
action = { freeze = { bytes = 0, direction = "out" } }

[[rule]]
name = "interception"            # must catch the first packet of a flow: by address, not by name
at = "second-border"
match = { protocol = "tcp", server = { address = "slow.example", port = 443 } }
action = { redirect = { to = "mitm", issuer = "Example State Root" } }

[[rule]]
name = "delayed-cut"             # 20 to 40 s after an SSH greeting: a forged segment, then nothing any more
at = "second-border"
match = { looks_like = "ssh" }
state = { scope = "flow", delay = [20, 40] }
action = { send = { data = "hex:00 01", to = "client", count = 2 }, drop = "both" }

[sets]
exempt = ["10.77.0.250"]

[[expect]]
client = "curl"
target = "https://slow.example/"
outcome = "intercepted"
"""

EXAMPLES = (SNI_RESET, CURFEW, DNS_RACE, PENALTY, LAYERS)
