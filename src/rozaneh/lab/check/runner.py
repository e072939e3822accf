"""Run the clients of expectations, each in a home of its own, first without the scenario and then with it."""

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import anyio
import anyio.to_thread
import msgspec

from rozaneh.core import LocalFault, Target
from rozaneh.lab.check.clients import PATIENT_SECONDS, Call, prepare, prepare_before
from rozaneh.lab.check.reading import TIMED_OUT, Seen, outcome_of, seen
from rozaneh.lab.hosts import LabClient
from rozaneh.lab.lab import Lab
from rozaneh.lab.matrix.outcome import is_expected
from rozaneh.lab.matrix.plan import DEFAULT_NETWORK, applies, is_lossy, seed_of
from rozaneh.lab.matrix.together import together
from rozaneh.lab.scenario import Expect, Scenario, Variant, variants

AT_ONCE = 8
_LONGEST_OUTPUT = 2000


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to check: one client of one expectation.

    Attributes:
        scenario: the scenario's id.
        vary: the choice of its varied values, as text.
        network: the home network.
        call: the client.
        before: what is run first, from the same home.
        expect: the expectation.
        rules: the scenario with its values in place.
    """

    scenario: str
    vary: str
    network: str
    call: Call
    before: tuple[Call, ...]
    expect: Expect
    rules: Scenario


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """An item with its answer, as ``check --json`` writes it.

    Attributes:
        scenario: the scenario's id.
        vary: the choice of its varied values; empty where nothing varies.
        network: the home network.
        at: the time it was run at; none for the scenario's own.
        client: the client and its arguments.
        target: what it was pointed at.
        expected: the outcome that the scenario expects, several joined by ``or``.
        observed: the outcome; empty where it was skipped.
        shows: texts that its output must contain.
        ok: whether all is as expected; false also for what was skipped.
        skipped: whether it could not be run here.
        seconds: how long it took.
        reason: why it is not ok.
        output: what it printed, shortened.
    """

    scenario: str
    vary: str
    network: str
    at: str | None
    client: str
    target: str
    expected: str
    observed: str
    shows: tuple[str, ...]
    ok: bool
    skipped: bool
    seconds: float
    reason: str = ""
    output: str = ""


def items(scenarios: Iterable[Scenario]) -> tuple[Item, ...]:
    """Everything that there is to check.

    Raises:
        LocalFault: an expectation names a client that does not exist, or no target.
    """
    return tuple(
        item
        for scenario in scenarios
        for variant in variants(scenario)
        for index, expect in enumerate(variant.scenario.expect, 1)
        if expect.client and applies(expect, variant)
        for item in _items(scenario.id, variant, expect, f"{scenario.id}: expect[{index}]")
    )


def _items(name: str, variant: Variant, expect: Expect, place: str) -> Iterable[Item]:
    patient = is_lossy(variant.scenario)
    try:
        for network in expect.network or (DEFAULT_NETWORK,):
            for text in expect.client:
                yield Item(
                    scenario=name,
                    vary=variant.label,
                    network=network,
                    call=prepare(text, Target.parse(expect.target), patient=patient),
                    before=tuple(prepare_before(before, text, patient=patient) for before in expect.after),
                    expect=expect,
                    rules=variant.scenario,
                )
    except LocalFault as fault:
        raise LocalFault(f"{place}: {fault}") from None


Report = Callable[[Checked], None]
_ControlKey = tuple[str, tuple[str, ...]]


async def run(
    wanted: Sequence[Item], lab: Lab, *, at_once: int = AT_ONCE, report: Report | None = None
) -> tuple[Checked, ...]:
    """Check all items.

    Args:
        wanted: what to check.
        lab: a running lab whose world holds everything that the scenarios add to it.
        at_once: how many programs run at the same time.
        report: told about every item that ends.
    """
    checker = _Checker(lab, anyio.CapacityLimiter(at_once), report)
    present = [item for item in wanted if not checker.why_not(item)]
    await checker.controls({_key(item): item for item in present if item.rules.rules}.values())
    found: dict[int, Checked] = {}

    async def one(index: int, item: Item) -> None:
        found[index] = await checker.check(item)

    await together(partial(one, index, item) for index, item in enumerate(wanted))
    return tuple(found[index] for index in range(len(wanted)))


def _key(item: Item) -> _ControlKey:
    return item.network, item.call.argv


class _Checker:
    """One run: the limit on what happens at once, and what the controls saw."""

    def __init__(self, lab: Lab, limit: anyio.CapacityLimiter, report: Report | None) -> None:
        self._lab = lab
        self._truth: Mapping[str, Sequence[str]] = lab.world.addresses_of
        self._limit = limit
        self._report = report
        self._seen: dict[_ControlKey, Seen] = {}

    async def controls(self, wanted: Iterable[Item]) -> None:
        """Run every client once where nobody censors."""

        async def one(item: Item) -> None:
            # Where a program turns out to be impossible in this tier, its check says so.
            with suppress(*(() if self._lab.tier.packets else (LocalFault,))):
                self._seen[_key(item)] = await anyio.to_thread.run_sync(self._control, item, limiter=self._limit)

        await together(partial(one, item) for item in wanted)

    def why_not(self, item: Item) -> str:
        """Why an item cannot be checked here; empty if it can."""
        client, tier = item.call.client, self._lab.tier
        if not item.call.is_installed:
            return f"{client.program} is not installed (Debian: {client.package})"
        if tier.packets or (client.name == "curl" and item.rules.tier == "streams"):
            return ""
        return f"it needs real packets: tier T1 or T2, not {tier.name}"

    async def check(self, item: Item) -> Checked:
        """Run one client in its scenario."""
        if why := self.why_not(item):
            result = self._skipped(item, why)
        else:
            try:
                result = await anyio.to_thread.run_sync(self._run, item, limiter=self._limit)
            except LocalFault as fault:
                if self._lab.tier.packets:
                    raise
                result = self._skipped(item, str(fault))
        if self._report is not None:
            self._report(result)
        return result

    def _control(self, item: Item) -> Seen:
        client = self._lab.client(network=item.network, scenario=None)
        try:
            return _execute(client, item.call)
        finally:
            client.close()

    def _run(self, item: Item) -> Checked:
        seed = seed_of(item.scenario, item.vary, item.network, item.call.text, str(item.call.target))
        began = time.monotonic()
        client = self._lab.client(network=item.network, scenario=item.rules, at=item.expect.at, seed=seed)
        try:
            for before in item.before:
                _execute(client, before)
            if item.expect.wait[1]:
                time.sleep(item.expect.wait[1])
            result = _execute(client, item.call)
        finally:
            client.close()
        return self._judge(item, result, round(time.monotonic() - began, 3))

    def _judge(self, item: Item, result: Seen, seconds: float) -> Checked:
        control = self._seen.get(_key(item))
        observed = outcome_of(item.call, result, self._truth, control.rate if control else None)
        missing = [text for text in item.expect.shows if text not in result.text]
        reason = ""
        if control is not None and (usual := outcome_of(item.call, control, self._truth, None)) != "ok":
            reason = f"the control failed: without the scenario this client gets {usual}"
        elif not is_expected(item.expect.outcome, observed):
            reason = f"expected {' or '.join(item.expect.outcome)}"
        elif missing:
            reason = f"its output does not show {' and '.join(missing)}"
        return self._result(item, observed=observed, seconds=seconds, reason=reason, output=result.text)

    def _skipped(self, item: Item, reason: str) -> Checked:
        return self._result(item, observed="", seconds=0.0, reason=reason, output="", skipped=True)

    def _result(
        self, item: Item, *, observed: str, seconds: float, reason: str, output: str, skipped: bool = False
    ) -> Checked:
        return Checked(
            scenario=item.scenario,
            vary=item.vary,
            network=item.network,
            at=item.expect.at,
            client=item.call.text,
            target=str(item.call.target),
            expected=" or ".join(item.expect.outcome),
            observed=observed,
            shows=item.expect.shows,
            ok=not reason,
            skipped=skipped,
            seconds=seconds,
            reason=reason,
            output=output.strip()[-_LONGEST_OUTPUT:],
        )


def _execute(client: LabClient, call: Call) -> Seen:
    """Run a program and take what it prints; one that has no deadline of its own is ended."""
    patience = call.seconds if call.client.name == "openssl" else PATIENT_SECONDS + call.seconds
    try:
        done = client.run(call.argv, timeout=patience)
    except subprocess.TimeoutExpired as expired:
        return seen(TIMED_OUT, _text(expired.stdout) + _text(expired.stderr))
    return seen(done.returncode, done.stdout + done.stderr)


def _text(printed: bytes | str | None) -> str:
    return printed.decode(errors="replace") if isinstance(printed, bytes) else printed or ""
