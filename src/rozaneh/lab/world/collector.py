"""A collector of measurements, as OONI's protocol has it: open a report, send into it, close it; or send one alone.

Sources: ooni/spec ``backends/bk-003-collector.md``, and ``bk-006`` for the newer form, of which it takes only what a
client without credentials sends. What is sent twice is taken once, told apart by its signature.
"""

import msgspec

from rozaneh.lab.world.http import Request, Response

_MOST = 1000


class _Opening(msgspec.Struct, frozen=True, kw_only=True):
    software_name: str
    software_version: str
    test_name: str
    probe_asn: str
    probe_cc: str
    format: str = "json"


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    content: dict[str, object]
    format: str = "json"


class _Alone(msgspec.Struct, frozen=True, kw_only=True):
    content: str
    format: str = "json"


class Collector:
    """Keeps in memory what it is sent. ``GET /collected`` shows all of it, one measurement on each line."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}
        self._taken: dict[str, bytes] = {}

    def answer(self, request: Request) -> Response:
        """The HTTP answer to a request."""
        if request.method == "GET" and request.path == "/collected":
            return Response(body=b"".join(line + b"\n" for line in self._taken.values()), content="application/jsonl")
        if request.method != "POST":
            return Response(status=405, body=b"{}", content="application/json")
        try:
            return self._posted([part for part in request.path.split("/") if part], request.body)
        except msgspec.MsgspecError as error:
            return _json(400, {"error": str(error)})

    def _posted(self, parts: list[str], body: bytes) -> Response:
        match parts:
            case ["report"]:
                opening = msgspec.json.decode(body, type=_Opening)
                report = f"20220921T120000Z_{opening.test_name.replace('_', '')}_{opening.probe_cc}_{len(self._open)}"
                self._open[report] = opening.test_name
                return _json(200, {"report_id": report, "backend_version": "lab", "supported_formats": ["json"]})
            case ["report", report, "close"] if report in self._open:
                del self._open[report]
                return _json(200, {})
            case ["report", report] if report in self._open:
                content = msgspec.json.decode(body, type=_Content).content
                if content.get("test_name") != self._open[report] or content.get("report_id") != report:
                    return _json(400, {"error": "the measurement does not belong into this report"})
                return self._take(content)
            case ["api", "v1", "submit_measurement"]:
                return self._take(msgspec.json.decode(msgspec.json.decode(body, type=_Alone).content))
            case _:
                return _json(404, {"error": "no such report"})

    def _take(self, content: dict[str, object]) -> Response:
        notes = content.get("annotations")
        signature = str(notes.get("rozaneh_signature", "")) if isinstance(notes, dict) else ""
        key = signature or str(len(self._taken))
        if key not in self._taken and len(self._taken) >= _MOST:
            return _json(503, {"error": "full"})
        self._taken.setdefault(key, msgspec.json.encode(content))
        return _json(200, {"measurement_uid": f"20220921120000.{list(self._taken).index(key):06}_IR_lab"})


def _json(status: int, value: object) -> Response:
    return Response(status=status, body=msgspec.json.encode(value), content="application/json")
