"""Runs one experiment on its targets, with the canaries of the network beside it."""

from collections.abc import Sequence

import anyio
import msgspec

from rozaneh.net import Network
from rozaneh.net.trust import Trust
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments.finding import Finding
from rozaneh.probe.experiments.registry import Description
from rozaneh.probe.services import Endpoint
from rozaneh.probe.vantages import Vantages


async def run(
    experiment: Description, endpoints: Sequence[Endpoint], network: Network, trust: Trust, vantages: Vantages
) -> list[Finding]:
    """Run an experiment on each target, one after another so that none disturbs the next.

    Args:
        experiment: which.
        endpoints: on what; one that is about no target gets the harmless name.
        network: where sockets come from.
        trust: whom to believe about certificates.
        vantages: whom to ask besides the targets.
    """
    tools = Tools.of(network, trust, vantages)
    findings: list[Finding] = []
    async with anyio.create_task_group() as group:
        group.start_soon(tools.dials.pulse.run)
        async with anyio.create_task_group() as canaries:
            canaries.start_soon(tools.canaries.run)
        for endpoint in endpoints or [experiment.usual(vantages)]:
            began = anyio.current_time()
            finding = await experiment.run(tools, endpoint)
            findings.append(msgspec.structs.replace(finding, seconds=anyio.current_time() - began))
        group.cancel_scope.cancel()
    return findings
