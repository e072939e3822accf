"""WhatsApp, Telegram, Signal and Facebook Messenger, as OONI's experiments of these names dial them, with their keys.

ooni/spec, ts-018, ts-020, ts-029 and ts-019. No account is used and nobody is registered. Each place is examined as in
a check, so that beside OONI's ``blocked`` stands a verdict that says how, and by whom. What OONI calls blocked is any
failure: a service that is down is blocked there, and down here.
"""

import datetime as dt
import ipaddress
from collections.abc import Mapping

import anyio
import msgspec

from rozaneh.core import Failure, Op
from rozaneh.diagnosis import Evidence, Outcome, judge
from rozaneh.diagnosis.readings import answers
from rozaneh.probe.experiment import Experiment, Tools
from rozaneh.probe.experiments.finding import Finding, Line
from rozaneh.probe.results import EndpointResult, together
from rozaneh.probe.services import Endpoint, LocalName, Needs, Service
from rozaneh.words import mark

SIGNAL_ISSUER = "Signal Messenger"
_SIGNAL = ("cdsi.signal.org", "chat.signal.org", "sfu.voip.signal.org", "storage.signal.org")
_WHATSAPP = tuple(f"e{number}.whatsapp.net" for number in range(1, 17))
_WHATSAPP_PORTS = (443, 5222)
_TELEGRAM = ("149.154.175.50", "149.154.167.51", "149.154.175.100", "149.154.167.91", "149.154.171.5")
_TELEGRAM_PORTS = (443, 80)
_FACEBOOK = {
    "b_api": "b-api.facebook.com", "b_graph": "b-graph.facebook.com", "edge": "edge-mqtt.facebook.com",
    "external_cdn": "external.xx.fbcdn.net", "scontent_cdn": "scontent.xx.fbcdn.net", "star": "star.c10r.facebook.com",
    "stun": "stun.fbsbx.com",
}  # fmt: skip
_SAME_NETWORK_V4, _SAME_NETWORK_V6 = 16, 32
_DATE = dt.date(2026, 11, 25)


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of OONI's ``signal`` 0.2.5."""

    signal_backend_status: str
    signal_backend_failure: str | None


class WhatsApp(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of OONI's ``whatsapp`` 0.11.0."""

    registration_server_failure: str | None
    registration_server_status: str
    whatsapp_endpoints_blocked: tuple[str, ...]
    whatsapp_endpoints_dns_inconsistent: tuple[str, ...]
    whatsapp_endpoints_status: str
    whatsapp_web_failure: str | None
    whatsapp_web_status: str


class Telegram(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of OONI's ``telegram`` 0.3.1."""

    telegram_http_blocking: bool
    telegram_tcp_blocking: bool
    telegram_web_failure: str | None
    telegram_web_status: str


class FacebookMessenger(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of OONI's ``facebook_messenger`` 0.2.1; by the names ``b_api``, ``edge`` and so on."""

    dns_consistent: dict[str, bool | None]
    reachable: dict[str, bool | None]
    facebook_dns_blocking: bool
    facebook_tcp_blocking: bool


async def signal(tools: Tools, _endpoint: Endpoint) -> Finding:
    """The four hosts of Signal, with Signal's own authority."""
    places = [Endpoint(id=f"host-{n}", url=f"https://{host}/", issuer=SIGNAL_ISSUER) for n, host in enumerate(_SIGNAL)]
    seen = await _examine(tools, places)
    failure = next((found for place in places if (found := _failure(seen[place.id]))), None)
    keys = Signal(signal_backend_status=_word(failure), signal_backend_failure=failure)
    return _finding("signal", places, Needs(all=tuple(place.id for place in places)), seen, keys)


async def whatsapp(tools: Tools, _endpoint: Endpoint) -> Finding:
    """Sixteen endpoints on two ports, the registration service, and WhatsApp on the web."""
    chat = [
        Endpoint(id=f"{host.partition('.')[0]}-{port}", url=f"tcp://{host}:{port}")
        for host in _WHATSAPP
        for port in _WHATSAPP_PORTS
    ]
    registration = Endpoint(id="registration", url="https://v.whatsapp.net/v2/register")
    web = Endpoint(id="web", url="https://web.whatsapp.com/")
    seen = await _examine(tools, [*chat, registration, web])
    blocked = tuple(host for host in _WHATSAPP if all(_failure(seen[e.id]) for e in chat if e.target.host == host))
    inconsistent = tuple(
        host for host in _WHATSAPP if any(_consistent(seen[e.id]) is False for e in chat if e.target.host == host)
    )
    keys = WhatsApp(
        registration_server_failure=_failure(seen[registration.id]),
        registration_server_status=_word(_failure(seen[registration.id])),
        whatsapp_endpoints_blocked=blocked,
        whatsapp_endpoints_dns_inconsistent=inconsistent,
        whatsapp_endpoints_status=_word("blocked" if blocked else None),
        whatsapp_web_failure=_failure(seen[web.id]),
        whatsapp_web_status=_word(_failure(seen[web.id])),
    )
    needs = Needs(all=(registration.id, web.id), any=tuple(place.id for place in chat))
    return _finding("whatsapp", [*chat, registration, web], needs, seen, keys)


async def telegram(tools: Tools, _endpoint: Endpoint) -> Finding:
    """Five access points on two ports: whether they accept connections and answer bytes; and Telegram on the web."""
    points = [
        Endpoint(id=f"point-{n}-{port}", url=f"tcp://{address}:{port}", addresses=(address,))
        for n, address in enumerate(_TELEGRAM)
        for port in _TELEGRAM_PORTS
    ]
    web = Endpoint(id="web", url="https://web.telegram.org/")
    seen = await _examine(tools, [*points, web])
    answered = await _posts(tools, points)
    keys = Telegram(
        telegram_http_blocking=not any(answered.values()),
        telegram_tcp_blocking=all(_failure(seen[point.id]) for point in points),
        telegram_web_failure=_failure(seen[web.id]),
        telegram_web_status=_word(_failure(seen[web.id])),
    )
    return _finding("telegram", [*points, web], Needs(all=(web.id,), any=tuple(p.id for p in points)), seen, keys)


async def facebook_messenger(tools: Tools, _endpoint: Endpoint) -> Finding:
    """Seven names: whether their addresses are right, and accept connections.

    OONI compares networks by their numbers; here an answer is right if it lies in one block with what encrypted
    resolvers say.
    """
    places = [Endpoint(id=key.replace("_", "-"), url=f"tcp://{host}:443") for key, host in _FACEBOOK.items()]
    seen = await _examine(tools, places)
    by_key = dict(zip(_FACEBOOK, places, strict=True))
    consistent: dict[str, bool | None] = {}
    for key, place in by_key.items():
        right = (await tools.lookups.of(place.target.host)).addresses
        consistent[key] = _consistent(seen[place.id], right)
    reachable = {
        key: (_failure(seen[place.id]) is None) if consistent[key] is not False else None
        for key, place in by_key.items()
    }
    keys = FacebookMessenger(
        dns_consistent=consistent,
        reachable=reachable,
        facebook_dns_blocking=any(value is False for value in consistent.values()),
        facebook_tcp_blocking=any(reachable[key] is False and consistent[key] is True for key in by_key),
    )
    known = [place for key, place in by_key.items() if consistent[key] is not None] or places
    return _finding("facebook_messenger", places, Needs(all=tuple(place.id for place in known)), seen, keys)


async def _examine(tools: Tools, places: list[Endpoint]) -> Mapping[str, Evidence]:
    experiments = {place.id: Experiment(place, tools) for place in places}
    async with anyio.create_task_group() as group:
        for experiment in experiments.values():
            group.start_soon(experiment.run)
    return {name: experiment.evidence for name, experiment in experiments.items()}


async def _posts(tools: Tools, points: list[Endpoint]) -> dict[str, bool]:
    """Whether each access point answers an HTTP POST with any byte."""
    answered: dict[str, bool] = {}

    async def one(point: Endpoint) -> None:
        target = point.target
        request = f"POST / HTTP/1.1\r\nHost: {target.host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        answered[point.id] = (await tools.dials.shaped(target, request.encode())).ok

    async with anyio.create_task_group() as group:
        for point in points:
            group.start_soon(one, point)
    return answered


def _failure(evidence: Evidence) -> str | None:
    """How the last attempt as programs dial failed; none if one worked."""
    own = [tried.attempt for tried in evidence.tried if tried.role == "system"]
    if not own:
        return Failure.INTERRUPTED.value
    return None if any(attempt.ok for attempt in own) else str(own[-1].failure)


def _word(failure: str | None) -> str:
    return "blocked" if failure else "ok"


def _consistent(evidence: Evidence, right: tuple[str, ...] = ()) -> bool | None:
    """Whether the system's resolver names places near those of encrypted ones; none where that cannot be said."""
    own = {a for tried in evidence.tried if tried.role == "system" for a in answers(tried.attempt)}
    failed = any(step.failure for tried in evidence.tried for step in tried.attempt.steps(Op.RESOLVE))
    known = set(right or evidence.trusted_answers)
    if not known:
        return None
    if not own:
        return False if failed else None
    return bool({_block(address) for address in own} & {_block(address) for address in known})


def _block(address: str) -> str:
    ip = ipaddress.ip_address(address)
    return str(ipaddress.ip_network((ip, _SAME_NETWORK_V6 if ip.version == 6 else _SAME_NETWORK_V4), strict=False))


def _finding(
    name: str, places: list[Endpoint], needs: Needs, seen: Mapping[str, Evidence], keys: msgspec.Struct
) -> Finding:
    results = [
        EndpointResult(endpoint=place, verdict=judge(seen[place.id]), evidence=seen[place.id], seconds=0.0)
        for place in places
    ]
    service = Service(
        id=name.replace("_", "-"), name=LocalName(name, name), category="messaging", reason="an experiment", date=_DATE,
        reviewer="as OONI specifies it", source="https://github.com/ooni/spec/tree/master/nettests", needs=needs,
        endpoint=tuple(places[:16]),
    )  # fmt: skip
    whole = together(service, results, dt.datetime.now(dt.UTC), 0.0)
    failing = sum(result.verdict.verdict is not Outcome.OK for result in results)
    said = Line(mark("{good} of {all} places of it answer."), {"good": len(places) - failing, "all": len(places)})
    return Finding(
        experiment=name, target=whole.deciding.endpoint.url, verdict=whole.verdict, evidence=whole.deciding.evidence,
        keys=keys, said=(said,),
    )  # fmt: skip
