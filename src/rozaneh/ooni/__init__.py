"""OONI's data format 0.2.0: read anyone's measurements, write our own, and judge both by two sets of rules.

Theory of operation. A file holds one measurement per line. :func:`decode` turns one line into a :class:`Measurement`:
the envelope typed, the part that differs between tests still raw. :func:`web_keys` types the raw records of a test that
fetches something (lookups, TCP connections, handshakes, requests, the control); :func:`keys_of` types any other test.
Parts that are large and rarely wanted (bodies, headers, certificates, network events) stay raw inside those records and
are decoded by the function that wants them. Everything is bounded; a line that is no measurement is a
:class:`BadMeasurement` whose one-line text names the place.

Two readings follow from the same raw records, and neither overwrites the other:

- the classic one, OONI's own rules of Web Connectivity 0.5, under OONI's names (``blocking``, ``accessible`` ...);
- ours: the records become :class:`rozaneh.diagnosis.Evidence`, and :func:`rozaneh.diagnosis.judge` says what blocks,
  who, and how sure that is.

Nothing here waits, reads a clock or opens a file or a socket.

Sources of the format: ooni/spec, ``data-formats/`` (df-000 to df-008); ooni/probe-cli, ``internal/model``.
"""

from rozaneh.ooni.classic import Classic, classic
from rozaneh.ooni.decode import BadMeasurement, decode, keys_of, web_keys
from rozaneh.ooni.lines import BadLine, Line, Lines
from rozaneh.ooni.observations import Flat, Seen, flatten
from rozaneh.ooni.own import Own, own
from rozaneh.ooni.records import Measurement
from rozaneh.ooni.webkeys import WebKeys
from rozaneh.ooni.write import Made, Place, encode

__all__ = [
    "BadLine",
    "BadMeasurement",
    "Classic",
    "Flat",
    "Line",
    "Lines",
    "Made",
    "Measurement",
    "Own",
    "Place",
    "Seen",
    "WebKeys",
    "classic",
    "decode",
    "encode",
    "flatten",
    "keys_of",
    "own",
    "web_keys",
]
"""What the other rooms use; the records themselves are in ``records`` and ``webkeys``."""
