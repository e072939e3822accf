"""Tor: directory authorities and bridges, and a real start where ``tor`` is installed.

Keys after ooni/spec ts-023 (tor) and ts-016 (vanilla_tor).
"""

import contextlib
import re
import subprocess
import tempfile

import anyio
import msgspec

from rozaneh.core import SpecError
from rozaneh.diagnosis import Evidence, Outcome, judge
from rozaneh.dialers.helper import found as installed
from rozaneh.dialers.helper import is_own
from rozaneh.probe.experiment import Experiment, Tools
from rozaneh.probe.experiments.finding import Finding, Line
from rozaneh.probe.services import Endpoint, catalogue
from rozaneh.words import mark

NAME = "tor"
_SERVICES = ("tor", "tor-bridges")
_BOOTSTRAP_SECONDS = 40.0
_PROGRESS = re.compile(r"Bootstrapped (\d{1,3})%(?: \(([a-z_]{1,40})\))?: (.{0,80})")
_LONGEST_LOG = 80_000
_WHOLE = 100


class TorTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One place: an authority's OR port, or a bridge."""

    target_address: str
    target_name: str
    target_protocol: str
    failure: str | None
    verdict: str


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """What a real ``tor`` did; keys of vanilla_tor.

    Attributes:
        success: whether it got to 100 %.
        tor_progress: per cent.
        tor_progress_tag: its name for how far it got.
        tor_progress_summary: in words.
        bootstrap_time: seconds, where it got to the end.
        error: ``timeout-reached``, ``unknown-error`` or none.
        timeout: seconds that it was given.
        tor_version: as it prints.
    """

    success: bool = False
    tor_progress: int = 0
    tor_progress_tag: str = ""
    tor_progress_summary: str = ""
    bootstrap_time: float = 0.0
    error: str | None = None
    timeout: float = _BOOTSTRAP_SECONDS
    tor_version: str = ""


class Tor(msgspec.Struct, frozen=True, kw_only=True):
    """The result."""

    or_port_dirauth_total: int
    or_port_dirauth_accessible: int
    obfs4_total: int
    obfs4_accessible: int
    targets: dict[str, TorTarget]
    bootstrap: Bootstrap | None = None


async def run(tools: Tools, endpoint: Endpoint) -> Finding:
    """Dial all of them side by side; then let ``tor`` itself try."""
    experiments: dict[str, Experiment] = {}
    for service in catalogue():
        if service.id in _SERVICES:
            for each in service.endpoint:
                experiments[each.id] = Experiment(each, tools)
    async with anyio.create_task_group() as group:
        for experiment in experiments.values():
            group.start_soon(experiment.run)
    evidence = {name: experiment.evidence for name, experiment in experiments.items()}
    verdicts = {name: judge(each) for name, each in evidence.items()}
    targets = {
        name: TorTarget(
            target_address=experiment.endpoint.target.authority,
            target_name=name,
            target_protocol=_protocol(experiment.endpoint),
            failure=_failure(evidence[name]),
            verdict=verdicts[name].verdict.value,
        )
        for name, experiment in experiments.items()
    }
    # A program dials by itself: it is started only where its network is the one that is measured.
    own = is_own(tools.dials.network)
    bootstrap = await bootstrapped(_program()) if own else None
    kinds = {kind: [t for t in targets.values() if t.target_protocol == kind] for kind in ("or_port_dirauth", "obfs4")}
    up = {kind: sum(t.failure is None for t in group_) for kind, group_ in kinds.items()}
    keys = Tor(
        or_port_dirauth_total=len(kinds["or_port_dirauth"]),
        or_port_dirauth_accessible=up["or_port_dirauth"],
        obfs4_total=len(kinds["obfs4"]),
        obfs4_accessible=up["obfs4"],
        targets=targets,
        bootstrap=bootstrap,
    )
    # Half of the authorities are enough for tor to start; so the verdict is that of the middle one.
    order = sorted(verdicts, key=lambda name: (verdicts[name].verdict is not Outcome.OK, name))
    middle = order[len(order) // 2] if order else ""
    return Finding(
        experiment=NAME, target=endpoint.url, verdict=verdicts[middle], evidence=evidence[middle], keys=keys,
        said=_said(keys, own=own),
    )  # fmt: skip


def _program() -> str | None:
    """Where ``tor`` is, if anywhere."""
    try:
        return installed("tor")
    except SpecError:
        return None


def _protocol(endpoint: Endpoint) -> str:
    if endpoint.id.startswith("authority"):
        return "or_port_dirauth"
    return "obfs4" if endpoint.id.startswith("obfs4") else endpoint.shape


def _failure(evidence: Evidence) -> str | None:
    attempts = [tried.attempt for tried in evidence.tried]
    if not attempts:
        return "interrupted"
    if any(attempt.ok for attempt in attempts):
        return None
    return str(attempts[0].failure)


async def bootstrapped(program: str | None, seconds: float = _BOOTSTRAP_SECONDS) -> Bootstrap | None:
    """Run ``tor`` with a folder of its own that goes afterwards, and read how far it gets; none where it is absent."""
    if program is None:
        return None
    with tempfile.TemporaryDirectory(prefix="rozaneh-tor-") as folder:
        command = [
            program, "-f", "/dev/null", "--DataDirectory", folder, "--SocksPort", "0", "--Log", "notice stdout",
            "--ignore-missing-torrc",
        ]  # fmt: skip
        began = anyio.current_time()
        log = bytearray()
        try:
            process = await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        except OSError:
            return None
        async with process:
            with anyio.move_on_after(seconds) as limit:
                await _read(process, log)
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with anyio.CancelScope(shield=True), anyio.move_on_after(3):
                await process.wait()
        progress = read_log(log.decode("utf-8", "replace"), Bootstrap(timeout=seconds))
        if progress.success:
            took = round(anyio.current_time() - began, 2)
            return msgspec.structs.replace(progress, bootstrap_time=took)
        error = "timeout-reached" if limit.cancelled_caught else "unknown-error"
        return msgspec.structs.replace(progress, error=error)


async def _read(process: "anyio.abc.Process", log: bytearray) -> None:
    """Read what is printed, up to a bound, until the end of the start or of the program."""
    if process.stdout is None:
        return
    async for data in process.stdout:
        log += data
        if len(log) > _LONGEST_LOG or read_log(log.decode("utf-8", "replace"), Bootstrap()).success:
            return


def read_log(text: str, progress: Bootstrap) -> Bootstrap:
    """How far ``tor`` has got by what it prints."""
    version = re.search(r"Tor (\d[\w.-]{1,30})", text)
    if version:
        progress = msgspec.structs.replace(progress, tor_version=version[1].rstrip("."))
    for found in _PROGRESS.finditer(text):
        percent = int(found[1])
        if percent >= progress.tor_progress:
            progress = msgspec.structs.replace(
                progress, tor_progress=percent, tor_progress_tag=found[2] or "", tor_progress_summary=found[3].strip(),
                success=percent >= _WHOLE,
            )  # fmt: skip
    return progress


def _said(keys: Tor, *, own: bool) -> tuple[Line, ...]:
    lines = [
        Line(
            mark("Directory authorities that answer: {up} of {all}; bridges: {bridges} of {all_bridges}."),
            {
                "up": keys.or_port_dirauth_accessible, "all": keys.or_port_dirauth_total,
                "bridges": keys.obfs4_accessible, "all_bridges": keys.obfs4_total,
            },
        )
    ]  # fmt: skip
    if not own:
        lines.append(Line(mark("Not measured: whether Tor itself starts. It would use another network.")))
    elif keys.bootstrap is None:
        lines.append(Line(mark("Not measured: whether Tor itself starts. The program tor is not installed here.")))
    elif keys.bootstrap.success:
        lines.append(
            Line(mark("Tor itself started in {seconds} s."), {"seconds": round(keys.bootstrap.bootstrap_time)})
        )
    else:
        lines.append(
            Line(mark("Tor itself got to {percent}% and no further."), {"percent": keys.bootstrap.tor_progress})
        )
    return tuple(lines)
