"""The annotations that scenario structs use: a stored type, and the kind of value a person writes for it."""

from typing import Annotated, Literal

from msgspec import Meta

from rozaneh.lab.scenario import names

Ranges = tuple[tuple[float, float], ...]

Seconds = Annotated[float, Meta(extra={"kind": "seconds"})]
Span = Annotated[tuple[float, float], Meta(extra={"kind": "span"})]
Rate = Annotated[float, Meta(extra={"kind": "rate"})]
Bytes = Annotated[int, Meta(extra={"kind": "size"})]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]

Counts = Annotated[Ranges, Meta(extra={"kind": "numbers", "unit": "count"})]
Sizes = Annotated[Ranges, Meta(extra={"kind": "numbers", "unit": "bytes"})]
Ages = Annotated[Ranges, Meta(extra={"kind": "numbers", "unit": "seconds", "whole": False})]
Ports = Annotated[Ranges, Meta(extra={"kind": "numbers", "unit": "port", "high": 65535})]
Octet = Annotated[Ranges, Meta(extra={"kind": "numbers", "unit": "number", "high": 255})]
Short = Annotated[Ranges, Meta(extra={"kind": "numbers", "unit": "number", "high": 65535})]
Codes = Annotated[Ranges, Meta(extra={"kind": "numbers", "unit": "code", "high": 65535})]
Bits = Annotated[Ranges, Meta(extra={"kind": "numbers", "unit": "bits set per byte", "high": 8, "whole": False})]
Shares = Annotated[Ranges, Meta(extra={"kind": "numbers", "unit": "share", "high": 1, "whole": False})]
Extension = Annotated[
    Ranges, Meta(extra={"kind": "numbers", "unit": "TLS extension", "high": 65535, "names": names.EXTENSIONS})
]
RecordType = Annotated[
    Ranges, Meta(extra={"kind": "numbers", "unit": "TLS record type", "high": 255, "names": names.RECORD_TYPES})
]
QueryType = Annotated[
    Ranges, Meta(extra={"kind": "numbers", "unit": "DNS record type", "high": 65535, "names": names.QTYPES})
]
QuicVersion = Annotated[
    Ranges, Meta(extra={"kind": "numbers", "unit": "QUIC version", "high": 2**32 - 1, "names": names.QUIC_VERSIONS})
]

Label = Annotated[str, Meta(extra={"kind": "label"})]
HostName = Annotated[str, Meta(extra={"kind": "host_name"})]
Address = Annotated[str, Meta(extra={"kind": "address"})]
Member = Annotated[str, Meta(extra={"kind": "member"})]
IpAddress = Annotated[str, Meta(extra={"kind": "ip_address"})]
Asn = Annotated[int, Meta(extra={"kind": "asn"})]
Protocols = Annotated[tuple[int, ...], Meta(extra={"kind": "protocol"})]
Octets = Annotated[bytes, Meta(extra={"kind": "octets"})]
Body = Annotated[bytes, Meta(extra={"kind": "octets", "empty": True})]
ClockTime = Annotated[float, Meta(extra={"kind": "clock_time"})]
Day = Annotated[str, Meta(extra={"kind": "day"})]
LooseDate = Annotated[str, Meta(extra={"kind": "loose_date"})]
Moment = Annotated[str, Meta(extra={"kind": "moment"})]
TimeOrMoment = Annotated[str, Meta(extra={"kind": "time_or_moment"})]
Outcome = Annotated[str, Meta(extra={"kind": "outcome"})]
SourceMark = Annotated[str, Meta(extra={"kind": "source_mark"})]
Weekday = Annotated[str, Meta(extra={"kind": "weekday"})]
Text = Annotated[str, Meta(min_length=1, max_length=4096)]

Direction = Literal["out", "in", "both"]
Scope = Literal["packet", "flow", "3-tuple", "source", "destination", "pair"]
Holder = Literal["flow", "3-tuple", "source", "destination", "pair"]
"""What a mark, a count or a penalty is kept for; ``Scope`` without the single packet."""
End = Literal["client", "server"]
