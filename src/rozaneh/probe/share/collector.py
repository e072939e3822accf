"""Sending what waits to a collector, in OONI's protocol (ooni/spec, ``backends/bk-003-collector.md``).

Open a report, send measurements into it, close it; a collector that knows only the newer form is sent each measurement
by itself. It may end at any moment: the report's identifier is kept until it is closed, a measurement leaves the folder
only after the collector has taken it, and one that is sent twice carries the same signature, by which the collector can
tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import msgspec

from rozaneh.core import Failure, LocalFault, Op, Target, TargetError
from rozaneh.core.ordinary import read_ordinary
from rozaneh.net import ByteStream, Deadlines, Dialer, Trace, measure
from rozaneh.net.tls import start_tls
from rozaneh.net.trust import Trust
from rozaneh.probe.posting import post
from rozaneh.probe.share.private import Private
from rozaneh.probe.share.scrub import vouch
from rozaneh.probe.share.waiting import Waiting
from rozaneh.words import later, mark

_LONGEST_ANSWER = 1 << 16
_OPENING = ("data_format_version", "probe_asn", "probe_cc", "software_name", "software_version", "test_name",
            "test_start_time", "test_version")  # fmt: skip
_ABSENT = (404, 405, 410)
DEADLINES = Deadlines(first_byte=15.0, request=15.0)


class _Opened(msgspec.Struct, frozen=True):
    report_id: str


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of sending.

    Attributes:
        sent: digests that the collector has taken.
        left: how many still wait.
        failure: how the last attempt failed, if that is why they wait.
        way: by which way the collector was reached; empty where it was not.
        withheld: lines about those that stay here: a file that could not be read, or one that may not leave.
    """

    sent: tuple[str, ...] = ()
    left: int = 0
    failure: Failure | None = None
    way: str = ""
    withheld: tuple[str, ...] = ()


class _Refused(Exception):
    """The collector could not be reached, or did not take it."""

    def __init__(self, failure: Failure, status: int) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.status = status


@dataclass
class Collector:
    """One collector, and the ways to it.

    Attributes:
        url: where it is; ``http`` is refused outside of a loopback address.
        trust: whom to believe.
        ways: dialers, tried in order; the one that worked last is tried first.
    """

    url: str
    trust: Trust
    ways: Sequence[Dialer]
    _way: int = field(default=0, init=False)
    _new_form: bool = field(default=False, init=False)

    async def send_all(
        self, waiting: Waiting, private: Private, *, tell: Callable[[str], None] = lambda _: None
    ) -> Sent:
        """Send everything that waits; stop at the first that cannot be sent.

        One that may not leave stays, and the others go: somebody else's measurement, taken in to be carried on, must
        not be able to hold up the rest.

        Args:
            waiting: the folder.
            private: looked for once more in the very bytes.
            tell: told the digest of each that was taken.

        Raises:
            LocalFault: the URL is none, or another program is sending.
        """
        base = parse_url(self.url)
        sent: list[str] = []
        withheld: list[str] = []
        failure = None
        with waiting.alone():
            reports = _Reports(waiting.folder / "reports.json", self.url)
            for digest in list(waiting):
                try:
                    measurement = waiting.read(digest)
                    vouch(msgspec.json.encode(measurement), private)
                except LocalFault as fault:
                    withheld.append(f"{digest}: {fault}")
                    continue
                try:
                    await self._send(base, measurement, reports)
                except _Refused as refused:
                    failure = refused.failure
                    break
                waiting.done(digest)
                sent.append(digest)
                tell(digest)
            if failure is None:
                await self._close(base, reports)
        way = self.ways[self._way].spec.redacted() if sent else ""
        return Sent(sent=tuple(sent), left=len(list(waiting)), failure=failure, way=way, withheld=tuple(withheld))

    async def _send(self, base: Target, measurement: dict[str, Any], reports: "_Reports") -> None:
        if not self._new_form:
            try:
                await self._into_report(base, measurement, reports)
            except _Refused as refused:
                if refused.status not in _ABSENT:
                    raise
                self._new_form = True
            else:
                return
        content = msgspec.json.encode(measurement).decode()
        await self._ask(base, "/api/v1/submit_measurement", {"format": "json", "content": content})

    async def _into_report(self, base: Target, measurement: dict[str, Any], reports: "_Reports") -> None:
        kind = "|".join(str(measurement.get(name, "")) for name in _OPENING if name != "test_start_time")
        report = reports.known.get(kind)
        if report is not None:
            try:
                await self._post_into(base, report, measurement)
            except _Refused as refused:
                if refused.status not in _ABSENT:
                    raise
                reports.forget(kind)  # the collector has closed it; a new one is opened
            else:
                return
        question = {"format": "json", **{name: measurement.get(name, "") for name in _OPENING}}
        answer = await self._ask(base, "/report", question)
        try:
            report = msgspec.json.decode(answer, type=_Opened).report_id
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise _Refused(Failure.JSON_PARSE_ERROR, 200) from error
        if not report.isascii() or not report.replace("_", "").replace("-", "").isalnum() or len(report) > 200:
            raise _Refused(Failure.JSON_PARSE_ERROR, 200)
        reports.keep(kind, report)
        await self._post_into(base, report, measurement)

    async def _post_into(self, base: Target, report: str, measurement: dict[str, Any]) -> None:
        content = {**measurement, "report_id": report}
        await self._ask(base, f"/report/{report}", {"format": "json", "content": content})

    async def _close(self, base: Target, reports: "_Reports") -> None:
        for kind, report in list(reports.known.items()):
            try:
                await self._ask(base, f"/report/{report}/close", {})
            except _Refused:
                continue  # the collector closes it by itself after a while
            finally:
                reports.forget(kind)

    async def _ask(self, base: Target, path: str, question: dict[str, Any]) -> bytes:
        target = msgspec.structs.replace(base, path=urljoin(base.path, path))
        body = msgspec.json.encode(question)
        refused = _Refused(Failure.UNKNOWN_FAILURE, 0)
        for number in range(len(self.ways)):
            index = (self._way + number) % len(self.ways)
            heard = bytearray()

            async def exchange(stream: ByteStream, trace: Trace, heard: bytearray = heard) -> None:
                below = stream
                if target.speaks == "https":
                    below = await start_tls(stream, trace, self.trust, target.host, alpn=("http/1.1",))
                await post(below, trace, target, body, heard, longest=_LONGEST_ANSWER)

            dialer = self.ways[index]
            async with await measure(dialer, target, exchange=exchange, deadlines=DEADLINES) as measured:
                attempt = measured.attempt
            if attempt.ok:
                self._way = index
                return bytes(heard)
            status = next((step.tag("status", 0) for step in attempt.steps(Op.FIRST_BYTE)), 0)
            refused = _Refused(
                attempt.failure or Failure.UNKNOWN_FAILURE, int(status) if isinstance(status, int) else 0
            )
            if refused.status:
                break  # it was reached, and said no
        raise refused


class _Reports:
    """The reports that are open at a collector, kept in a file, so that an end at any moment does not lose them."""

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._url = url
        try:
            kept = msgspec.json.decode(read_ordinary(path, 1 << 20), type=dict[str, dict[str, str]])
        except (OSError, msgspec.MsgspecError):
            kept = {}
        self.known = dict(kept.get(url, {}))

    def keep(self, kind: str, report: str) -> None:
        self.known[kind] = report
        self._write()

    def forget(self, kind: str) -> None:
        self.known.pop(kind, None)
        self._write()

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        try:
            fresh.touch(mode=0o600)
            fresh.write_bytes(msgspec.json.encode({self._url: self.known}))
            fresh.replace(self._path)
        except OSError as error:
            raise LocalFault(later("cannot keep {path}: {why}", path=self._path, why=error.strerror)) from error


def parse_url(url: str, kind: str = mark("a collector")) -> Target:
    """Where a collector is, or another server that is only believed over TLS.

    Args:
        url: what the user said.
        kind: what it is, for the line that refuses.

    Raises:
        LocalFault: it is no URL, or would send in the clear to another machine.
    """
    try:
        target = Target.parse(url)
    except TargetError as error:
        raise LocalFault(later("not {kind}: {error}", kind=later(kind), error=error)) from error
    if target.speaks != "https" and not (target.speaks == "http" and target.host in ("127.0.0.1", "::1")):
        raise LocalFault(later("not {kind}: {url!r}; expected https://", kind=later(kind), url=url[:60]))
    return target
