"""Is the target slow because of what it is, or is the line slow? Interleaved transfers of equal size answer that."""

from collections.abc import Iterator
from statistics import fmean

from rozaneh.diagnosis.evidence import Slowness

SPEED_FACTS = ("speed.compared", "speed.slower", "speed.much_slower", "speed.alike")

_SLOWER = 0.5
_MUCH_SLOWER = 0.2
_LEAST = 2
_AGREEING = 1.05


def speed_facts(slowness: Slowness | None) -> Iterator[str]:
    """Facts about rates.

    ``slower`` asks for two things at once: the mean is less than half of the neutral one, and *every* transfer of the
    target was slower than *every* neutral one. Of n + n interleaved transfers that happens by chance once in
    C(2n, n): once in 6 for two, once in 20 for three, once in 70 for four; together with the ratio, less. Two on each
    side are too few by themselves: a packet lost in each of the target's makes them slower. Then the rates of each name
    must agree, which lost packets do not bring about, or the target must be much slower.
    """
    if slowness is None or min(len(slowness.target), len(slowness.neutral)) < _LEAST:
        return
    yield "speed.compared"
    ratio = fmean(slowness.target) / max(fmean(slowness.neutral), 1.0)
    slower = max(slowness.target) < min(slowness.neutral) and ratio < _SLOWER
    if min(len(slowness.target), len(slowness.neutral)) == _LEAST:
        slower = slower and (ratio < _MUCH_SLOWER or (_agree(slowness.target) and _agree(slowness.neutral)))
    if slower and min(slowness.target) < slowness.expected:
        yield "speed.slower"
        if ratio < _MUCH_SLOWER:
            yield "speed.much_slower"
    else:
        yield "speed.alike"


def _agree(rates: tuple[float, ...]) -> bool:
    return max(rates) <= _AGREEING * min(rates)
