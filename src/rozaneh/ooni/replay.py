"""One measurement, judged twice from its raw records: by OONI's rules and by ours.

Neither verdict looks at what the measurement itself claims, and neither overwrites the other. They differ by design
where OONI has no word for what happened: a refusal by the service is ``accessible`` there, a throttle an
``http-failure``.
"""

from collections.abc import Iterator, Sequence

import msgspec

from rozaneh.diagnosis import Evidence, Outcome, Verdict, judge
from rozaneh.ooni.classic import Classic, classic
from rozaneh.ooni.decode import LONGEST_LINE, decode, web_keys
from rozaneh.ooni.evidence import WEB, evidence_of
from rozaneh.ooni.lines import BadLine, Line
from rozaneh.ooni.observations import flatten
from rozaneh.ooni.scores import Score, score

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


def documents(lines: Iterator[Line | BadLine]) -> Iterator[Line | BadLine]:
    """The measurements of a file: one on each line, or one document over many lines, or a list of them.

    Args:
        lines: of the file, in order.
    """
    first = next(lines, None)
    if isinstance(first, Line) and first.data.strip() in (b"{", b"["):
        yield from _spread(first, lines)
        return
    if first is not None:
        yield from _listed(first) if isinstance(first, Line) and first.data.startswith(b"[") else (first,)
    yield from lines


def _spread(first: Line, lines: Iterator[Line | BadLine]) -> Iterator[Line | BadLine]:
    """A document over many lines; where it is none, the lines by themselves: one bad line costs no other."""
    held: list[Line | BadLine] = [first]
    size = len(first.data)
    for line in lines:
        held.append(line)
        size += 0 if isinstance(line, BadLine) else len(line.data) + 1
        if size > LONGEST_LINE:
            yield BadLine(first.number, f"longer than {LONGEST_LINE} bytes")
            return
    parts = [line.data for line in held if isinstance(line, Line)]
    whole = Line(first.number, b"\n".join(parts))
    if len(parts) < len(held) or (not _is_json(whole.data) and any(map(_is_object, parts))):
        yield from held
    else:
        yield from _listed(whole) if whole.data.lstrip().startswith(b"[") else (whole,)


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _is_object(data: bytes) -> bool:
    """Whether a line is a measurement by itself, and no part of a larger one such as ``}`` or ``{},``."""
    return data.startswith(b"{") and len(data) > len(b"{}") and _is_json(data)


_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def _listed(whole: Line) -> Iterator[Line | BadLine]:
    try:
        for one in _LIST.decode(whole.data):
            yield Line(whole.number, bytes(one))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        yield BadLine(whole.number, f"not a list of measurements: {error}"[:300])
