"""The truth beside the measurements: what the timeline did, as events."""

import datetime as dt
from typing import Any

from rozaneh.lab.clock import country_zone
from rozaneh.lab.country.timeline import Happening, Timeline, night

_MECHANISM = {
    "curfew": "domestic_only", "outage": "whole_outage", "domestic_only": "domestic_only", "refusal": "service_refusal",
    "throttling": "throttling", "down": "site_down",
}  # fmt: skip


def labels(timeline: Timeline, seed: int, measurements: int) -> dict[str, Any]:
    """What ``labels.json`` says: the events that happened, who lied, and what was made."""
    return {
        "name": timeline.name,
        "country": timeline.country,
        "zone": timeline.zone,
        "seed": seed,
        "measurements": measurements,
        "void": timeline.void,
        "events": [_event(timeline, event) for event in timeline.event],
        "blocked_before": {service.id: service.blocked for service in timeline.service if service.blocked},
        "liars": [
            {
                "network": f"AS{liar.network}",
                "services": list(liar.services),
                "says": liar.says,
                "sources": liar.sources,
                "start": _utc(liar.start, timeline),
                "end": _utc(liar.end, timeline),
            }
            for liar in timeline.liar
        ],
    }


def _event(timeline: Timeline, event: Happening) -> dict[str, Any]:
    networks = event.networks or tuple(network.asn for network in timeline.network)
    last = dt.datetime.combine(timeline.end, dt.time(23, 59, 59))
    start, ends = event.start, event.end
    if event.hours is not None:
        # It begins with its first night, and ends with its last.
        begin, length = night(event)
        start = dt.datetime.combine(start, dt.time()) + begin
        ends = None if ends is None else dt.datetime.combine(ends, dt.time()) + begin + length
    end = None if ends is None or ends >= last else _utc(ends, timeline)
    return {
        "kind": event.kind,
        "country": timeline.country,
        "networks": [f"AS{asn}" for asn in sorted(networks)],
        "services": list(event.services),
        "start": _utc(start, timeline),
        "end": end,
        "hours": _hours(event),
        "days": [day.isoformat() for day in event.days],
        "mechanism": _MECHANISM.get(event.kind, event.mechanism),
        "share": event.share,
        "source": event.source,
    }


def _hours(event: Happening) -> list[int] | None:
    if event.hours is None:
        return None
    first, last = int(event.hours[0][:2]), int(event.hours[1][:2]) + (event.hours[1][3:] != "00")
    return [hour % 24 for hour in range(first, last if last > first else last + 24)]


def _utc(local: dt.datetime, timeline: Timeline) -> str:
    zone = country_zone(timeline.zone)
    return f"{local.replace(tzinfo=zone).astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
