"""From our attempts to OONI's raw records: lookups, connections, handshakes, requests and network events.

Only attempts at the target itself become records: as the user's programs dial, and at trusted addresses. What was
dialled for comparison (a harmless name at the same address, a mirror) would look to other readers like the target, so
it stays apart, in the evidence that goes with the measurement. All times are seconds from the start of the first
attempt.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rozaneh.core import Attempt, Failure, Observation, Op
from rozaneh.core.target import is_ip
from rozaneh.diagnosis import Evidence, Role

Json = dict[str, Any]

_ENGINES = {"system": "getaddrinfo", "doh": "doh", "dot": "dot", "dnsudp": "udp", "dnstcp": "tcp"}
_TLS_VERSIONS = {"TLSv1": "TLSv1", "TLSv1.1": "TLSv1.1", "TLSv1.2": "TLSv1.2", "TLSv1.3": "TLSv1.3"}
_ANSWERING = (Op.REQUEST, Op.FIRST_BYTE, Op.THROUGHPUT)
_LOOKUP_ID, _ENDPOINT_ID = 10_001, 50_001


@dataclass
class Records:
    """The raw records of one measurement, in the shape of df-001 to df-008."""

    queries: list[Json] = field(default_factory=list)
    late: list[Json] = field(default_factory=list)
    tcp_connect: list[Json] = field(default_factory=list)
    tls_handshakes: list[Json] = field(default_factory=list)
    quic_handshakes: list[Json] = field(default_factory=list)
    requests: list[Json] = field(default_factory=list)
    network_events: list[Json] = field(default_factory=list)


def records_of(evidence: Evidence, lookups: Sequence[Attempt] = ()) -> Records:
    """The records of the attempts at the target.

    Args:
        evidence: what was seen.
        lookups: attempts that asked encrypted resolvers for the target's name, where they were kept.
    """
    tried = [tried for tried in evidence.tried if tried.role in (Role.SYSTEM, Role.TRUSTED, Role.QUIC)]
    began = began_at(evidence, lookups)
    writer = _Writer(Records(), began)
    for one in tried:
        # Only what the system's resolver led to is what a program would have got.
        writer.attempt(one.attempt, fetch=one.role is Role.SYSTEM, role=one.role.value)
    for attempt in lookups:
        writer.lookups(attempt, Role.TRUSTED.value)
    writer.records.requests.reverse()  # the newest first, as the format wants it
    return writer.records


def began_at(evidence: Evidence, lookups: Sequence[Attempt] = ()) -> float:
    """Seconds since the epoch at which the first attempt began; 0 where there was none."""
    return min((attempt.started for attempt in (*(t.attempt for t in evidence.tried), *lookups)), default=0.0)


class _Writer:
    """Adds attempt after attempt; lookups and connections are numbered as they come."""

    def __init__(self, records: Records, began: float) -> None:
        self.records = records
        self._began = began
        self._lookup = _LOOKUP_ID
        self._endpoint = _ENDPOINT_ID - 1

    def attempt(self, attempt: Attempt, *, fetch: bool, role: str) -> None:
        self.lookups(attempt, role)
        tags = ["depth=0", f"fetch_body={'true' if fetch else 'false'}", f"role={role}"]
        address, carried = "", False
        for step in attempt.observations:
            if step.op is Op.CONNECT:
                address, carried = self._connect(attempt, step, tags), step.failure is None
            elif step.op is Op.TLS and carried:
                self._handshake(attempt, step, address, tags)
            elif step.op is Op.QUIC:
                self._endpoint += 1
                address, carried = step.peer, step.failure is None
                self._quic(attempt, step, tags)
        if carried:
            self._request(attempt, address, tags)

    def lookups(self, attempt: Attempt, role: str) -> None:
        for step in attempt.steps(Op.RESOLVE):
            self._query(attempt, step, ["depth=0", f"role={role}"])

    def _times(self, attempt: Attempt, step: Observation) -> Json:
        start = attempt.started - self._began + step.t0
        return {"t0": round(start, 6), "t": round(start + step.took, 6)}

    def _query(self, attempt: Attempt, step: Observation, tags: list[str]) -> None:
        engine = _ENGINES.get(str(step.tag("engine")), "unknown")
        found = list(_answers(step.names("answers"), step.tag("ttl")))
        query = {
            "answers": found or None,
            "engine": engine,
            # That an answer is unbelievable is our reading of it; the lookup itself worked.
            "failure": None if found and step.failure is Failure.DNS_BOGON_ERROR else step.failure,
            "hostname": str(step.tag("query") or attempt.target.host),
            "query_type": "ANY" if engine == "getaddrinfo" else "A",
            "resolver_hostname": None,
            "resolver_port": None,
            "resolver_address": "" if engine == "getaddrinfo" else step.peer,
            **self._times(attempt, step),
            "tags": tags,
            "transaction_id": self._lookup,
        }
        if isinstance(rcode := step.tag("rcode", 0), int) and rcode:
            query["rcode"] = rcode
        self._lookup += 1
        self.records.queries.append(query)
        if late := step.names("late_answers"):
            self.records.late.append({**query, "answers": list(_answers(late, "")), "failure": None})

    def _connect(self, attempt: Attempt, step: Observation, tags: list[str]) -> str:
        self._endpoint += 1
        address, _, port = step.peer.rpartition(":")
        self.records.tcp_connect.append(
            {
                "ip": address.strip("[]"),
                "port": int(port) if port.isdigit() else attempt.target.port,
                "status": {"failure": step.failure, "success": step.failure is None},
                **self._times(attempt, step),
                "tags": tags,
                "transaction_id": self._endpoint,
            }
        )
        self._event("connect", self._times(attempt, step), step, step.peer, tags)
        return step.peer

    def _handshake(self, attempt: Attempt, step: Observation, address: str, tags: list[str]) -> None:
        self.records.tls_handshakes.append(self._shaken(attempt, step, "tcp", address, tags))
        self._event("tls_handshake_done", self._times(attempt, step), step, address, tags)

    def _quic(self, attempt: Attempt, step: Observation, tags: list[str]) -> None:
        self.records.quic_handshakes.append(self._shaken(attempt, step, "udp", step.peer, tags))
        self._event("quic_handshake_done", self._times(attempt, step), step, step.peer, tags)

    def _shaken(self, attempt: Attempt, step: Observation, network: str, address: str, tags: list[str]) -> Json:
        checked = step.failure is not None or step.tag("verified", default=False) is True
        return {
            "network": network,
            "address": address,
            "cipher_suite": "",
            "failure": step.failure,
            "negotiated_protocol": str(step.tag("alpn")),
            "no_tls_verify": not checked,
            "peer_certificates": [],
            "server_name": str(step.tag("sni") or attempt.target.host),
            **self._times(attempt, step),
            "tags": tags,
            "tls_version": _TLS_VERSIONS.get(str(step.tag("version")), ""),
            "transaction_id": self._endpoint,
        }

    def _request(self, attempt: Attempt, address: str, tags: list[str]) -> None:
        steps = [step for step in attempt.observations if step.op in _ANSWERING]
        if not any(step.op is Op.REQUEST for step in steps):
            return
        failure = next((step.failure for step in steps if step.failure is not None), None)
        told = {name: value for step in steps for name, value in step.tags.items()}
        body = str(told.get("body_head", ""))
        headers = {
            header: str(told[tag]) for header, tag in (("Location", "location"), ("Server", "server")) if told.get(tag)
        }
        first, last = steps[0], steps[-1]
        alpn = next((str(step.tag("alpn")) for step in attempt.observations if step.tag("alpn")), "")
        self.records.requests.append(
            {
                "network": "tcp",
                "address": address,
                **({"alpn": alpn} if alpn else {}),
                "failure": failure,
                "request": _asked(attempt),
                "response": {
                    "body": _maybe_binary(body),
                    "body_is_truncated": len(body) < _number(told.get("body_length")),
                    "code": _number(told.get("status")),
                    "headers_list": [[name, value] for name, value in headers.items()],
                    "headers": headers,
                },
                "t0": self._times(attempt, first)["t0"],
                "t": self._times(attempt, last)["t"],
                "tags": tags,
                "transaction_id": self._endpoint,
            }
        )
        if last.op is Op.THROUGHPUT:
            self._samples(attempt, last, address, tags)

    def _event(self, operation: str, times: Json, step: Observation, address: str, tags: list[str]) -> None:
        self.records.network_events.append(
            {
                "address": address,
                "failure": step.failure,
                "operation": operation,
                "proto": "udp" if step.op is Op.QUIC else "tcp",
                **times,
                "tags": tags,
                "transaction_id": self._endpoint,
            }
        )

    def _samples(self, attempt: Attempt, step: Observation, address: str, tags: list[str]) -> None:
        """How much had come by when: what a throttle is seen by."""
        start = attempt.started - self._began + step.t0
        for sample in step.names("samples"):
            seconds, _, count = sample.partition(" ")
            moment = round(start + float(seconds), 6)
            self.records.network_events.append(
                {
                    "address": address,
                    "failure": None,
                    "num_bytes": int(count),
                    "operation": "bytes_received_cumulative",
                    "proto": "tcp",
                    "t0": moment,
                    "t": moment,
                    "tags": tags,
                    "transaction_id": self._endpoint,
                }
            )


def _answers(found: Iterable[str], ttl: object) -> Iterator[Json]:
    for address in found:
        if is_ip(address):
            kind, key = ("AAAA", "ipv6") if ":" in address else ("A", "ipv4")
            yield {"answer_type": kind, key: address, "ttl": ttl if isinstance(ttl, int) else None}


def _asked(attempt: Attempt) -> Json:
    return {
        "body": "",
        "body_is_truncated": False,
        "headers_list": [],
        "headers": {},
        "method": "GET",
        "tor": {"exit_ip": None, "exit_name": None, "is_tor": False},
        "x_transport": "tcp",
        "url": str(attempt.target),
    }


def _maybe_binary(head: str) -> str:
    """The head of a body is kept with one character for each byte; most are UTF-8, cut at any place."""
    return head.encode("latin-1", "replace").decode("utf-8", "ignore")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
