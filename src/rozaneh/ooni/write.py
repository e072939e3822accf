"""Our evidence as a measurement in OONI's data format 0.2.0, which OONI's own tools read.

A page becomes ``web_connectivity`` 0.5, with OONI's verdict under OONI's names, derived from the same records as anyone
else would. A bare handshake or connection becomes ``urlgetter``. What OONI's format has no word for goes beside it,
where its readers skip it: our verdict into ``annotations`` (texts, ``rozaneh_...``), the whole evidence and verdict
into ``test_keys.x_rozaneh``, so that nothing is lost between writing and reading.

The probe's address is never written: ``probe_ip`` is always 127.0.0.1. Scrubbing what else may hold it is the business
of whoever sends a measurement away.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from rozaneh.core import Attempt, Target
from rozaneh.diagnosis import Control, Evidence, Verdict
from rozaneh.ooni.classic import classic
from rozaneh.ooni.decode import decode, web_keys
from rozaneh.ooni.observations import flatten
from rozaneh.ooni.outgoing import Json, Records, began_at, records_of

SOFTWARE = "rozaneh"
_WEB_VERSION, _URLGETTER_VERSION = "0.5.28", "0.2.0"
_EXTENSIONS = ("dnst", "httpt", "netevents", "tcpconnect", "tlshandshake", "tunnel")
_PORTS = {"https": 443, "http": 80}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a measurement was made, as coarse as the format has it.

    Attributes:
        asn: number of the network; 0 when unknown.
        country: two capitals; ``ZZ`` when unknown.
        network_name: of the network.
        network_type: ``mobile``, ``wifi``, ``fixed``, ``vpn`` or nothing.
        resolver_asn: number of the resolver's network; 0 when unknown.
        resolver_ip: of the resolver; 127.0.0.2 when unknown, as OONI has it.
        resolver_network_name: of the resolver's network.
    """

    asn: int = 0
    country: str = "ZZ"
    network_name: str = ""
    network_type: str = ""
    resolver_asn: int = 0
    resolver_ip: str = "127.0.0.2"
    resolver_network_name: str = ""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint of one run: what a measurement is written of.

    Attributes:
        target: what was dialled.
        evidence: what was seen.
        verdict: what it means, if that was judged.
        service: id in the catalogue, or nothing.
        endpoint: id within the service, or nothing.
        runtime: seconds that it took.
        lookups: attempts that asked encrypted resolvers for the name.
    """

    target: Target
    evidence: Evidence
    verdict: Verdict | None = None
    service: str = ""
    endpoint: str = ""
    runtime: float = 0.0
    lookups: tuple[Attempt, ...] = ()


def encode(
    made: Made,
    place: Place,
    *,
    software_version: str,
    run_started: datetime | None = None,
    annotations: Mapping[str, str] | None = None,
) -> bytes:
    """One measurement as one line of JSON, without the line's end.

    Args:
        made: what was seen.
        place: where.
        software_version: of Rozaneh.
        run_started: when the run began that this is part of; by default when the measurement did.
        annotations: further ones.
    """
    records = records_of(made.evidence, made.lookups)
    web = made.evidence.kind in _PORTS
    keys = _web_keys(made, records) if web else _urlgetter_keys(made, records)
    keys["x_rozaneh"] = _own(made)
    began = datetime.fromtimestamp(began_at(made.evidence, made.lookups), UTC)
    measurement: Json = {
        "annotations": {**_annotations(made, place), **(annotations or {})},
        "data_format_version": "0.2.0",
        "extensions": dict.fromkeys(_EXTENSIONS, 0),
        "id": "",
        "input": str(made.target) if web else f"{_scheme(made)}://{made.target.authority}",
        "measurement_start_time": _time(began),
        "probe_asn": f"AS{place.asn}",
        "probe_cc": place.country,
        "probe_ip": "127.0.0.1",
        "probe_network_name": place.network_name,
        "report_id": "",
        "resolver_asn": f"AS{place.resolver_asn}",
        "resolver_ip": place.resolver_ip,
        "resolver_network_name": place.resolver_network_name,
        "software_name": SOFTWARE,
        "software_version": software_version,
        "test_helpers": {},
        "test_keys": keys,
        "test_name": "web_connectivity" if web else "urlgetter",
        "test_runtime": round(made.runtime, 6),
        "test_start_time": _time(run_started or began),
        "test_version": _WEB_VERSION if web else _URLGETTER_VERSION,
    }
    if web:
        keys.update(_classic_keys(measurement))
    return msgspec.json.encode(measurement)


def _web_keys(made: Made, records: Records) -> Json:
    control = _helper(made)
    asked = [f"{record['ip']}:{record['port']}" for record in records.tcp_connect]
    return {
        "agent": "redirect",
        "client_resolver": "127.0.0.2",
        "retries": None,
        "socksproxy": None,
        "network_events": records.network_events or None,
        "x_dns_whoami": None,
        "x_doh": None,
        "x_do53": None,
        "x_dns_duplicate_responses": records.late or None,
        "queries": records.queries,
        "requests": records.requests,
        "tcp_connect": records.tcp_connect,
        "tls_handshakes": records.tls_handshakes,
        "quic_handshakes": records.quic_handshakes,
        "x_control_request": {
            "http_request": str(made.target),
            "http_request_headers": {},
            "tcp_connect": list(dict.fromkeys(asked)),
            "x_quic_enabled": False,
        }
        if control is not None
        else None,
        "control": control,
        "x_conn_priority_log": None,
        "control_failure": None if control is not None else "interrupted",
    }


def _urlgetter_keys(made: Made, records: Records) -> Json:
    attempts = [tried.attempt for tried in made.evidence.tried[:1]]
    failed = attempts[0].last_failed() if attempts and not attempts[0].ok else None
    return {
        "agent": "redirect",
        "failed_operation": failed.op.value if failed else None,
        "failure": attempts[0].failure if attempts else "interrupted",
        "network_events": records.network_events,
        "queries": records.queries,
        "requests": [],
        "socksproxy": "",
        "tcp_connect": records.tcp_connect,
        "tls_handshakes": records.tls_handshakes + records.quic_handshakes,
        "tunnel": "",
    }


def _scheme(made: Made) -> str:
    """What urlgetter calls an input without a page."""
    return {"tls": "tlshandshake", "quic": "quichandshake", "udp": "udp"}.get(made.evidence.kind, "tcpconnect")


def _helper(made: Made) -> Any:
    """What a test helper answered, or would have answered to say what our control says of the same addresses."""
    fresh = [control for control in made.evidence.control if not control.age]
    told = next((control.answer for control in fresh if control.answer), "")
    if told:
        return msgspec.Raw(told.encode())
    return _as_helper(made, fresh[0]) if fresh else None


def _as_helper(made: Made, control: Control) -> Json:
    places = [_place(address, made.target.port) for address in control.addresses]
    return {
        "tcp_connect": _endpoints(control.tcp, places, {}),
        "tls_handshake": _endpoints(control.tls, places, {"server_name": made.target.host}),
        "quic_handshake": _endpoints(control.quic, places, {"server_name": made.target.host}),
        "http_request": None if control.http is None else _fetched(control),
        "http3_request": None,
        "dns": {
            "failure": "dns_nxdomain_error" if control.dns is False else None,
            "addrs": list(control.addresses),
        },
        "ip_info": {},
    }


def _fetched(control: Control) -> Json:
    return {
        "body_length": -1,
        "discovered_h3_endpoint": "",
        "failure": None if control.http else (control.failure or "unknown_failure"),
        "title": "",
        "headers": {},
        "status_code": control.status or -1,
    }


def _endpoints(worked: bool | None, places: Sequence[str], more: Json) -> Json:
    """Of several places where one worked it is not known which: then nothing is said of any."""
    if worked is None or (worked and len(places) > 1):
        return {}
    failure = None if worked else "unknown_failure"
    return {place: {**more, "status": worked, "failure": failure} for place in places}


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _classic_keys(measurement: Json) -> Json:
    """OONI's verdict, by reading what is about to be written."""
    read = decode(msgspec.json.encode(measurement))
    found = msgspec.to_builtins(classic(flatten(web_keys(read), read.address)))
    del found["rule"]
    return dict(found)


def _own(made: Made) -> Json:
    evidence = replace(made.evidence, control=tuple(replace(one, answer="") for one in made.evidence.control))
    own: Json = {"evidence": evidence, "service": made.service, "endpoint": made.endpoint}
    if made.verdict is not None:
        own["verdict"] = made.verdict
    return own


def _annotations(made: Made, place: Place) -> dict[str, str]:
    told = {"network_type": place.network_type, "rozaneh_service": made.service, "rozaneh_endpoint": made.endpoint}
    verdict = made.verdict
    if verdict is not None:
        told |= {
            "rozaneh_verdict": verdict.verdict.value,
            "rozaneh_mechanism": verdict.mechanism.value,
            "rozaneh_where": verdict.where.value,
            "rozaneh_who": verdict.who.value,
            "rozaneh_confidence": f"{verdict.confidence:.2f}",
            "rozaneh_rules": " ".join(verdict.rules),
        }
    return {name: text for name, text in told.items() if text}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
