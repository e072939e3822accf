"""``check`` of 200 pages of which a third is dropped, against one after another with OONI's time-outs.

The world and the censor are made here: 40 addresses with five names each.

The slow way is what a probe does that dials one page after another and nothing else: name 4 s, connection 10 s, TLS
10 s, answer 10 s. The whole would take a quarter of an hour, and pages of one kind cost the same; so five dropped and
ten open ones are dialled, and the mean of each kind counts for all of its kind. What such a probe asks besides (a
helper, other resolvers) is left out in its favour.

That 64 at once say what one at a time says is compared on the first 36 pages; ``python -m benchmarks.check_urls``
compares all 200, which takes a quarter of an hour.
"""

import resource
import sys
import time
from collections.abc import Sequence
from functools import partial

import anyio

from rozaneh.lab import Lab, LabClient, world_for
from rozaneh.lab.scenario import Scenario, parse_scenario
from rozaneh.net import Deadlines
from rozaneh.probe import Service, ServiceResult, check, choose, vantages
from rozaneh.probe.dials import Dials
from rozaneh.probe.pace import Pace

COMMAND = "python -m benchmarks check_urls"
ADDRESSES, NAMES_AT_EACH = 40, 5
SLOW_SAMPLE = {True: 5, False: 10}
ALONE_SAMPLE = 36
OONI = Deadlines(
    resolve=4.0, connect=10.0, proxy=10.0, tls_handshake=10.0, quic_handshake=10.0, request=10.0, first_byte=10.0,
    throughput=10.0,
)  # fmt: skip
AT_ONCE = 64

Row = dict[str, object]


def main() -> list[Row]:
    scenario, names = world()
    services = choose([f"https://{name}/" for name in names])
    with Lab(world=world_for([scenario])) as lab:
        began = time.perf_counter()
        together = anyio.run(partial(checked, lab, scenario, services))
        seconds = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        slow = 0.0
        for dropped, sample in SLOW_SAMPLE.items():
            alike = [service for service in services if _dropped(service.id) is dropped]
            began = time.perf_counter()
            anyio.run(one_after_another, lab, scenario, alike[:sample])
            slow += (time.perf_counter() - began) / sample * len(alike)
        alone = anyio.run(partial(checked, lab, scenario, services[:ALONE_SAMPLE], one_at_a_time=True))
    blocked = sum(result.verdict.verdict == "blocked" for result in together)
    wrong = sum((result.verdict.verdict == "blocked") is not _dropped(result.service.id) for result in together)
    return [
        _row(f"check of {len(services)} pages, {blocked} of them blocked", seconds, "s"),
        _row("one after another with OONI's time-outs, from the means of 5 dropped and 10 open pages", slow, "s"),
        _row("how many times faster than that", slow / seconds, "x", ">= 20"),
        _row("verdicts that are wrong", wrong, "pages", "== 0"),
        _row(
            f"of the first {len(alone)} pages, verdicts that differ one at a time", len(differing(together, alone)),
            "pages", "== 0",
        ),
        _row("memory at most, the lab's own part included", memory, "MB", "< 150"),
    ]  # fmt: skip


def _row(name: str, value: float, unit: str, target: str = "") -> Row:
    return {"name": name, "value": value, "unit": unit, "command": COMMAND} | ({"target": target} if target else {})


def world() -> tuple[Scenario, list[str]]:
    """The scenario, with a world of its own, and the names in it; every third name of it is dropped."""
    addresses = [f"51.75.{number // 200}.{number % 200 + 10}" for number in range(ADDRESSES)]
    names = [
        f"site{number:03}.{'gone' if number % 3 == 0 else 'open'}.example"
        for number in range(ADDRESSES * NAMES_AT_EACH)
    ]
    services = "".join(
        f'[[world.service]]\nkind = "web"\naddresses = ["{address}"]\nnames = {names[at::ADDRESSES]}\n'.replace(
            "'", '"'
        )
        for at, address in enumerate(addresses)
    )
    text = (
        'title = "Every third page is dropped by name"\n\n[world.host.many]\nzone = "world"\nhops = 8\n'
        f"addresses = {addresses}\nlink = {{ delay_ms = 15.0 }}\n\n".replace("'", '"')
        + services
        + '\n[[rule]]\nat = "border"\nmode = "in-path"\n'
        'match = { direction = "out", protocol = "tcp", tls.sni.suffix = ["gone.example"] }\n'
        'state = { scope = "flow" }\naction = "drop"\n'
    )
    return parse_scenario(text, "many.toml"), names


def _dropped(name: str) -> bool:
    return ".gone." in name


async def checked(
    lab: Lab, scenario: Scenario, services: Sequence[Service], *, one_at_a_time: bool = False
) -> list[ServiceResult]:
    with lab.client("mobile", scenario, programs=False) as home:
        return await check(
            services, home.network, home.trust, home.clock, vantages(home.environment()), seconds=3600.0,
            one_at_a_time=one_at_a_time, at_once=1 if one_at_a_time else AT_ONCE,
        )  # fmt: skip


async def one_after_another(lab: Lab, scenario: Scenario, services: Sequence[Service]) -> None:
    """Dial each page once, the next when it has ended."""
    with lab.client("mobile", scenario, programs=False) as home:
        await _dial_each(home, services)


async def _dial_each(home: LabClient, services: Sequence[Service]) -> None:
    dials = Dials(home.network, home.trust, Pace(), OONI)
    for service in services:
        await dials.plain(service.endpoint[0])


def differing(fast: Sequence[ServiceResult], slow: Sequence[ServiceResult]) -> list[str]:
    """Pages of which something else is said when they are checked one at a time, one line each."""
    return [
        f"{one.service.id}: {one.verdict.mechanism} at once, {other.verdict.mechanism} one at a time"
        for one, other in zip(fast, slow, strict=False)
        if (one.verdict.verdict, one.verdict.mechanism) != (other.verdict.verdict, other.verdict.mechanism)
    ]


def compare() -> int:
    """All pages 64 at once and one at a time; the verdicts must be the same."""
    scenario, names = world()
    services = choose([f"https://{name}/" for name in names])
    with Lab(world=world_for([scenario])) as lab:
        fast = anyio.run(partial(checked, lab, scenario, services))
        began = time.perf_counter()
        slow = anyio.run(partial(checked, lab, scenario, services, one_at_a_time=True))
        seconds = time.perf_counter() - began
    differ = differing(fast, slow)
    lines = [*differ, f"{len(differ)} of {len(services)} verdicts differ; one at a time took {seconds:.0f} s"]
    sys.stdout.write("\n".join(lines) + "\n")
    return bool(differ)


if __name__ == "__main__":
    sys.exit(compare())
