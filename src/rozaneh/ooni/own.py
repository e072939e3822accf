"""What a measurement of our own carries beside OONI's records: the whole evidence, and the verdict at the time."""

import msgspec
from msgspec import Raw

from rozaneh.diagnosis import Evidence, Verdict
from rozaneh.ooni.decode import decode_part, keys_of
from rozaneh.ooni.records import NOTHING, Measurement


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """The key ``x_rozaneh``.

    Attributes:
        evidence: what was seen, in all roles, with control and canaries.
        verdict: what was concluded when it was written; by today's rules it may be another.
        service: id in the catalogue, or nothing.
        endpoint: id within the service, or nothing.
    """

    evidence: Evidence = Evidence()
    verdict: Verdict | None = None
    service: str = ""
    endpoint: str = ""


_KEY = b'"x_rozaneh"'


class _Keys(msgspec.Struct, frozen=True, gc=False):
    x_rozaneh: Raw = NOTHING


def own(measurement: Measurement) -> Own | None:
    """What we wrote into a measurement; none where it is somebody else's.

    Anybody can write this key. It is read with the same bounds as everything else, and what stands there is worth no
    more than the rest of the file.

    Raises:
        BadMeasurement: it is there, and not what we write.
    """
    if _KEY not in bytes(measurement.test_keys):  # looking is cheaper than decoding
        return None
    raw = keys_of(measurement, _Keys).x_rozaneh
    return None if bytes(raw) == b"null" else decode_part(raw, Own, "$.test_keys.x_rozaneh")
