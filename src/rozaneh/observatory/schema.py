"""The tables of a store: where they lie, their columns, and what each column means.

::

    STORE/observations/country=IR/day=2022-09-21/*.parquet   one row for each dial, with its control beside it
    STORE/verdicts/country=IR/day=2022-09-21/*.parquet       one row for each measurement and target
    STORE/hourly/country=IR/day=2022-09-21/*.parquet         verdicts counted by hour, network, subject and source
    STORE/cells/country=IR/day=2022-09-21/*.parquet          the same in few narrow columns, for maps of hours
    STORE/countrywide/country=IR/month=2022-09/*.parquet     the same of all networks together
    STORE/daily/country=IR/month=2022-09/*.parquet           hours counted by day, network, subject and source
    STORE/events/events.json                                 what was found in the series, and what was withheld
    STORE/remainders/IR.parquet                              what counts on no page, lest a cell be found as a rest
    STORE/quarantine/*.parquet                               lines that were set aside, and why
    STORE/ledger/                                            which inputs are done, and what is being put in place

``country`` and ``day`` (of the measurement's start, UTC) stand in the path and in the rows. Times are UTC and say no
zone, because engines differ in what they make of one. Verdicts, hours, cells and days are derived: whatever is in them
comes from observations, and a partition of them is replaced as a whole.
"""

from typing import Final

import pyarrow as pa

OBSERVATIONS: Final = "observations"
VERDICTS: Final = "verdicts"
HOURLY: Final = "hourly"
CELLS: Final = "cells"
COUNTRYWIDE: Final = "countrywide"
DAILY: Final = "daily"
EVENTS: Final = "events"
QUARANTINE: Final = "quarantine"
LEDGER: Final = "ledger"

_TEXT = pa.string()
_FLAG = pa.bool_()
_MOMENT = pa.timestamp("us")
_SECONDS = pa.float64()


def _schema(columns: dict[str, tuple[pa.DataType, str]]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, metadata={"means": means}) for name, (kind, means) in columns.items()])


def _as_in_observations(names: str) -> dict[str, tuple[pa.DataType, str]]:
    """Columns that another table takes over."""
    return {name: (OBSERVATION.field(name).type, "as in observations") for name in names.split()}


MEASUREMENT: Final = _schema({
    "measurement": (pa.int64(), "hash of measurement_uid, country and day: the key that joins tables"),
    "measurement_uid": (_TEXT, "the collector's id, or 'content-' and a digest of the line where there is none"),
    "country": (_TEXT, "two capitals, ZZ where unknown"),
    "day": (pa.date32(), "of time"),
    "asn": (pa.int64(), "autonomous system of the probe, 0 where unknown"),
    "network_type": (_TEXT, "mobile, wifi, wired_ethernet, no_internet or empty, as the probe says"),
    "time": (_MOMENT, "when the measurement began"),
    "received": (_MOMENT, "when the collector got it, where its id tells; else null"),
    "test_name": (_TEXT, "the experiment"),
    "software": (_TEXT, "name, version and platform of the probe, by spaces; 'simulated' behind them if it is"),
    "source": (pa.int64(), "digest of AS, software and uploader: measurements of one source are not independent"),
    "resolver_asn": (pa.int64(), "autonomous system of the probe's resolver, 0 where unknown"),
    "file": (_TEXT, "name of the file it came in, without its directories"),
    "line": (pa.int64(), "line in that file, from 1"),
    "classic_blocking": (_TEXT, "OONI's classic result: dns, tcp_ip, http-failure, http-diff, false, or null"),
    "classic_accessible": (_FLAG, "the same, accessible"),
    "classic_dns_consistency": (_TEXT, "the same, consistent, inconsistent or null"),
    "classic_computed": (_FLAG, "the measurement has no such result: OONI's rules were asked here instead"),
    "network": (_TEXT, "what the run's canaries showed: facts such as network.foreign.alive, each between spaces"),
})  # fmt: skip
"""What all rows of a measurement share."""

TARGET: Final = _schema({
    "target": (pa.int16(), "number of the target in the measurement, from 0"),
    "url": (_TEXT, "what was to be reached"),
    "domain": (_TEXT, "its host name, lower case; or an address"),
    "service": (_TEXT, "the service of the catalogue that the name belongs to; empty where there is none"),
    "kind": (_TEXT, "https, http, tls, tcp, udp or quic"),
    "literal": (_FLAG, "the target is an address, so that nothing is resolved"),
    "domestic": (_FLAG, "the target stands in the country of the probe"),
    "tainted": (_FLAG, "an earlier target of the run provoked a censor at this address"),
    "trusted_known": (_FLAG, "an encrypted resolver or the control gave addresses"),
    "trusted_bogon": (_FLAG, "one of those is no public address"),
    "trusted_failure": (_TEXT, "how the encrypted lookup failed, where it gave none"),
    "control_asked": (_FLAG, "a control elsewhere answered"),
    "control_works": (_FLAG, "the furthest step that it tried worked there; null where vantages stand equal"),
    "control_disagrees": (_FLAG, "vantages say opposite things, and as many the one as the other"),
    "control_remembered": (_FLAG, "some of it is what a vantage said earlier"),
    "control_dns": (_FLAG, "the name resolves there; null where not tried"),
    "control_tcp": (_FLAG, "an address accepts connections there"),
    "control_tls": (_FLAG, "a handshake with a valid certificate there"),
    "control_quic": (_FLAG, "HTTP/3 works there"),
    "control_status": (pa.int16(), "HTTP status there: a good one if any vantage saw one, 0 without"),
    "control_failure": (_TEXT, "the failure there"),
    "speed": (_TEXT, "what paired transfers showed: facts such as speed.slower, each between spaces"),
})  # fmt: skip
"""What all rows of one target of a measurement share; the control is here."""

DIAL: Final = _schema({
    "dial": (pa.int16(), "order of the dial among those of the target, from 0"),
    "role": (_TEXT, "why it was made: a role of rozaneh.diagnosis, or 'resolver' for a lookup that no role has"),
    "ended": (_TEXT, "the step in which it ended: resolve, connect, tls, quic, answer, body; null where it worked"),
    "failure": (_TEXT, "how it ended, a string of OONI's df-007; null where it worked"),
    "alert": (_FLAG, "a handshake that failed was ended by an alert; null where that is not told"),
    "hop": (pa.int16(), "how many redirects led here"),
    "dns_asked": (_FLAG, "it began with a lookup"),
    "dns_engine": (_TEXT, "what resolved: getaddrinfo, udp, doh ..."),
    "dns_resolver": (_TEXT, "the resolver's address or URL"),
    "dns_failure": (_TEXT, "how the lookup failed"),
    "dns_answers": (pa.list_(_TEXT), "addresses that the lookup gave"),
    "dns_took": (_SECONDS, "seconds of the lookup"),
    "answered_bogon": (_FLAG, "one of the answers is no public address"),
    "answered_trusted": (_FLAG, "one of the answers is a trusted address"),
    "answered_block": (_FLAG, "an answer that is not trusted is known as a block page's address"),
    "answered_substitute": (_FLAG, "an answer that is not trusted is known as a tamer variant's address"),
    "answered_twice": (_FLAG, "a second, different answer came late"),
    "ip": (_TEXT, "address that was dialled"),
    "ip_asn": (pa.int64(), "its autonomous system as the measurement says, 0 where unknown"),
    "ip_bogon": (_FLAG, "it is no public address"),
    "ip_trusted": (_FLAG, "it is a trusted address"),
    "port": (pa.int32(), "1 to 65535"),
    "connected": (_FLAG, "a TCP connection came about"),
    "tcp_failure": (_TEXT, "how connecting failed"),
    "tcp_took": (_SECONDS, "seconds of connecting"),
    "sni": (_TEXT, "name in the handshake"),
    "answered": (_FLAG, "the other side spoke TLS: a handshake, a wrong certificate or an alert"),
    "verified": (_FLAG, "a certificate valid for the name was shown"),
    "tls_failure": (_TEXT, "how the handshake failed"),
    "tls_took": (_SECONDS, "seconds of the handshake"),
    "tls_version": (_TEXT, "as the probe calls it"),
    "certificate": (_TEXT, "SHA-256 of the leaf certificate, hexadecimal"),
    "certificate_issuer": (_TEXT, "its issuer, RFC 4514"),
    "certificate_subject": (_TEXT, "its subject, RFC 4514"),
    "certificate_until": (_MOMENT, "end of its validity"),
    "issuer_known": (_FLAG, "the issuer is known for interception"),
    "http_failure": (_TEXT, "how the request failed"),
    "status": (pa.int16(), "HTTP status, 0 without an answer"),
    "title": (_TEXT, "title of the page, at most 200 characters"),
    "location": (_TEXT, "where the answer redirects to, at most 500 characters"),
    "body_length": (pa.int64(), "bytes of the body that was kept"),
    "body_digest": (_TEXT, "first 128 bits of its BLAKE3, hexadecimal"),
    "page_block": (_FLAG, "the page is a known block page"),
    "page_refusal": (_FLAG, "the page is a known refusal by the service"),
    "page_challenge": (_FLAG, "the page is a known challenge"),
    "signatures": (pa.list_(_TEXT), "ids of all signatures in the page and the answers"),
})  # fmt: skip
"""One dial."""

OBSERVATION: Final = pa.schema([*MEASUREMENT, *TARGET, *DIAL])
"""The table of observations, sorted by asn, domain, time."""

VERDICT: Final = _schema({
    **_as_in_observations(
        "measurement measurement_uid country day asn network_type time received test_name "
        "target url domain service kind software source"
    ),
    "verdict": (_TEXT, "an Outcome of rozaneh.diagnosis"),
    "mechanism": (_TEXT, "a Mechanism of rozaneh.diagnosis"),
    "layer": (_TEXT, "in which step, a Layer of rozaneh.diagnosis"),
    "who": (_TEXT, "a Who of rozaneh.diagnosis"),
    "confidence": (pa.float64(), "0 to 1"),
    "rule": (_TEXT, "id of the rule that decided; empty where none fits"),
    "level": (_TEXT, "what the rule rests on: signature, paired, controlled, single; empty without a rule"),
    "rules_version": (_TEXT, "digest of the rules that were asked"),
    "reading": (_TEXT, "how the dial that came furthest ended, such as tls.reset; ok where one worked"),
    "compared": (_FLAG, "equal transfers with this name and a harmless one were compared"),
    **_as_in_observations("classic_blocking classic_accessible classic_dns_consistency classic_computed"),
})  # fmt: skip
"""The table of verdicts, sorted by asn, domain, time."""

LAYERED: Final = _schema({
    **_as_in_observations("measurement measurement_uid country day asn time test_name target url domain service kind"),
    "layer": (_TEXT, "of which layer this is the verdict: dns, tcp, tls, quic, udp or http"),
    "verdict": (_TEXT, "an Outcome of rozaneh.diagnosis, of that layer alone"),
    "mechanism": (_TEXT, "a Mechanism of rozaneh.diagnosis"),
    "who": (_TEXT, "a Who of rozaneh.diagnosis"),
    "confidence": (pa.float64(), "0 to 1"),
    "rule": (_TEXT, "id of the rule that decided; empty where none fits"),
    "level": (_TEXT, "what the rule rests on, as in verdicts"),
    "rules_version": (_TEXT, "digest of the rules that were asked, those of layers included"),
    "classic": (_TEXT, "the part of OONI's classic result that speaks of this layer, or null"),
    **_as_in_observations("classic_computed"),
})  # fmt: skip
"""Verdicts of layers, one row for each that was seen: asked for (:mod:`rozaneh.observatory.layers`) and not kept."""

COUNTS: Final = ("n", "ok", "blocked", "throttled", "refused", "down", "outage", "domestic_only", "failed", "void")
"""What is counted by hour. ``n`` is the sum of the others; ``failed`` is what failed and got no clearer verdict."""

HOUR: Final = _schema({
    **_as_in_observations("country day asn network_type"),
    "subject": (_TEXT, "the service, or the domain where the catalogue has none; with quic. before it over QUIC"),
    **_as_in_observations("test_name"),
    "mechanism": (_TEXT, "mechanism of the verdicts counted in this row"),
    "reading": (_TEXT, "for failed ones, how they ended, such as tls.reset; else empty"),
    "hour": (_MOMENT, "start of the hour"),
    **_as_in_observations("source"),
    "n": (pa.int64(), "verdicts"),
    "ok": (pa.int64(), "it works"),
    "blocked": (pa.int64(), "somebody on the path keeps users from it"),
    "throttled": (pa.int64(), "slowed down"),
    "refused": (pa.int64(), "the service itself refuses"),
    "down": (pa.int64(), "it works for nobody"),
    "outage": (pa.int64(), "nothing works"),
    "domestic_only": (pa.int64(), "what is abroad is cut off"),
    "failed": (pa.int64(), "failed, and no rule can tell why; or the network wants a login"),
    "void": (pa.int64(), "shows nothing of whether something can be reached"),
    "compared": (pa.int64(), "of all of these, those in which equal transfers were compared: they can tell throttling"),
    "received": (_MOMENT, "when the last of them came in, where known"),
})  # fmt: skip
"""The table of hours. A series is a sum over ``mechanism``, ``reading`` and ``source``."""

TROUBLES: Final = ("blocked", "throttled", "outage", "domestic_only", "failed")
"""The counts of what does not get through for a reason that lies on the path."""

SUMS: Final = ("n", "failing", "blocked", "throttled", "refused")
"""What cells and days hold of them, and pages show."""

CELL: Final = _schema({
    **_as_in_observations("country day asn"),
    "subject": (_TEXT, "as in the table of hours"),
    "hour": (_MOMENT, "start of the hour"),
    "bank": (pa.int32(), "of which sources the bits of this row are; banks of one country and day are comparable"),
    "sources": (pa.int64(), "a bit for each source in it"),
    "n": (pa.int64(), "verdicts"),
    "failing": (pa.int64(), "it does not get through, for a reason that lies on the path"),
    "blocked": (pa.int64(), "of these, those that a rule calls blocked"),
    "throttled": (pa.int64(), "of these, those that are slowed down"),
    "refused": (pa.int64(), "the service itself refuses"),
})  # fmt: skip
"""The table of cells (:mod:`rozaneh.observatory.cells`)."""

COUNTRYWIDE_CELL: Final = CELL.remove(CELL.get_field_index("asn"))
"""The table of cells of all networks together."""

DAY: Final = _schema({
    **_as_in_observations("country day asn"),
    "subject": (_TEXT, "as in the table of hours"),
    **_as_in_observations("source"),
    "mechanism": (_TEXT, "how it was kept from people, as told or as it looks; empty where it was not"),
    "n": (pa.int64(), "verdicts"),
    "failing": (pa.int64(), "it does not get through, for a reason that lies on the path"),
    "blocked": (pa.int64(), "of these, those that a rule calls blocked"),
    "throttled": (pa.int64(), "of these, those that are slowed down"),
    "refused": (pa.int64(), "the service itself refuses"),
    "first": (_MOMENT, "the first hour in it"),
    "last": (_MOMENT, "the last hour in it"),
})  # fmt: skip
"""The table of days, for what is asked of many days at once. It comes from the hours, which hold all that it holds."""

REJECTED: Final = _schema({
    "file": (_TEXT, "name of the file, without its directories"),
    "line": (pa.int64(), "line, from 1; 0 for the file as a whole"),
    "offset": (pa.int64(), "where the line begins, in bytes after unpacking"),
    "reason": (_TEXT, "what is wrong, one of a closed list"),
    "detail": (_TEXT, "the place in the line, and what was expected there"),
    "count": (pa.int64(), "lines of this file with this reason that this row stands for"),
})  # fmt: skip
"""The quarantine. Each of the first lines of a reason has a row; the rest of them share one, without a line."""
