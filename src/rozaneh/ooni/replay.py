"""One measurement, judged twice from its raw records: by OONI's rules and by ours.

Neither verdict looks at what the measurement itself claims, and neither overwrites the other. They differ by design
where OONI has no word for what happened: a refusal by the service is ``accessible`` there, a throttle an
``http-failure``.
"""

from collections.abc import Sequence

import msgspec

from rozaneh.diagnosis import Evidence, Outcome, Verdict, judge
from rozaneh.ooni.classic import Classic, classic
from rozaneh.ooni.decode import decode, web_keys
from rozaneh.ooni.evidence import evidence_of
from rozaneh.ooni.observations import flatten
from rozaneh.ooni.scores import Score, score
from rozaneh.ooni.sights import WEB

_WEIGHT = {
    Outcome.BLOCKED: 0, Outcome.REFUSED: 1, Outcome.DOWN: 2, Outcome.THROTTLED: 3, Outcome.CANNOT_TELL: 5,
    Outcome.OK: 4,
}  # fmt: skip
"""Which of several targets speaks for a measurement: the lower, the more it explains."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a measurement says.

    Attributes:
        test_name: of the test.
        input: what was measured, or nothing.
        classic: OONI's verdict; none for a test that has no such.
        score: how much OONI's backend would call blocked, for messengers and Tor; none for other tests.
        verdict: ours; of several targets the one that explains most.
    """

    test_name: str
    input: str
    classic: Classic | None
    score: Score | None
    verdict: Verdict


def replay(line: bytes) -> Replayed:
    """Judge one measurement.

    Raises:
        BadMeasurement: it is none.
    """
    measurement = decode(line)
    keys = web_keys(measurement) if measurement.test_name == WEB else None
    found = None if keys is None else classic(flatten(keys, measurement.address))
    verdicts = [judge(evidence) for evidence in evidence_of(measurement, keys)]
    return Replayed(
        test_name=measurement.test_name,
        input=measurement.address,
        classic=found,
        score=score(measurement),
        verdict=_speaking(verdicts),
    )


def _speaking(verdicts: Sequence[Verdict]) -> Verdict:
    if not verdicts:
        return judge(Evidence())
    return min(verdicts, key=lambda verdict: (_WEIGHT.get(verdict.verdict, 0), -verdict.confidence))
