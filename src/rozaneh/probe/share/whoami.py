"""Asking under which address this machine is seen, because only then can that address be removed."""

import re

import anyio

from rozaneh.core import Op
from rozaneh.core.target import is_ip
from rozaneh.net.exchange import https_get
from rozaneh.probe.dials import Dials
from rozaneh.probe.vantages import ControlSite

_SAYS = re.compile(r"^ip=(\S{2,45})$", re.MULTILINE)
_SECONDS = 8.0
_MOST_BODY = 4096


async def seen_from_outside(dials: Dials, sites: tuple[ControlSite, ...]) -> tuple[str, ...]:
    """The addresses that the sites say; none where no site could be asked."""
    found: dict[str, None] = {}

    async def ask(site: ControlSite) -> None:
        attempt = await dials.attempt(site.target, https_get(site.target, dials.trust, most_body=_MOST_BODY))
        for step in attempt.steps(Op.THROUGHPUT):
            said = _SAYS.search(str(step.tag("body_head")))
            if said is not None and is_ip(said[1]):
                found[said[1]] = None

    with anyio.move_on_after(_SECONDS):
        async with anyio.create_task_group() as group:
            for site in sites:
                group.start_soon(ask, site)
    return tuple(found)
