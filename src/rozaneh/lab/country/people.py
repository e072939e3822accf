"""People: who measures, on which network, with which app, and how often."""

import itertools
import math
import random
from dataclasses import dataclass

from rozaneh.lab.country.timeline import Network, Service, Timeline

_APPS = (
    ("ooniprobe-android", "android"),
    ("ooniprobe-ios", "ios"),
    ("ooniprobe-desktop-unattended", "linux"),
    ("ooniprobe-desktop", "windows"),
    ("ooniprobe-desktop", "macos"),
    ("ooniprobe-cli", "linux"),
)
OURS = "rozaneh"
"""What Rozaneh's probe calls itself."""

_VERSIONS = ("3.16.4", "3.16.5", "3.17.0")
_BUSIEST = 15  # the hour around which the evening's rise begins
_MANY = 30.0


@dataclass(frozen=True)
class Person:
    """One person: network, app, its version and platform."""

    network: Network
    name: str
    version: str
    platform: str


class People:
    """Everybody, ready to be drawn: some measure far more than others."""

    def __init__(self, timeline: Timeline, number: int, rng: random.Random) -> None:
        shares = list(itertools.accumulate(network.share for network in timeline.network))
        self._all = []
        for _ in range(number):
            name, platform = _APPS[rng.randrange(len(_APPS))]
            name = OURS if rng.random() < timeline.ours else name
            network = rng.choices(timeline.network, cum_weights=shares)[0]
            self._all.append(Person(network, name, rng.choice(_VERSIONS), platform))
        self._weights = list(itertools.accumulate(min(rng.paretovariate(1.3), 50.0) for _ in range(number)))
        self._services = timeline.service
        self._service_weights = list(itertools.accumulate(service.share for service in timeline.service))

    def draw(self, number: int, rng: random.Random) -> list[tuple[Person, Service]]:
        """So many measurements: who makes each, and of what."""
        people = rng.choices(self._all, cum_weights=self._weights, k=number)
        return list(zip(people, rng.choices(self._services, cum_weights=self._service_weights, k=number), strict=True))


def volume(timeline: Timeline, per_hour: float, hour: int, day: float, rng: random.Random) -> int:
    """How many measurements are made in an hour of the local day.

    Args:
        timeline: says how busy the evening is.
        per_hour: in an usual hour.
        hour: 0 to 23.
        day: how busy this day is, 1 for usual.
        rng: decides.
    """
    busy = 1 + timeline.evening * math.sin(2 * math.pi * (hour - _BUSIEST) / 24)
    return poisson(per_hour * busy * day, rng)


def poisson(mean: float, rng: random.Random) -> int:
    """A draw of Poisson's distribution; of the normal one where there are many."""
    if mean > _MANY:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, number, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        number += 1
        product *= rng.random()
    return number
