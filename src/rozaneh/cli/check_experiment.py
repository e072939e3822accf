"""``rozaneh check --experiment``: one experiment instead of a check."""

from collections.abc import Sequence

import anyio

from rozaneh.cli.options import console, print_json
from rozaneh.diagnosis import Outcome, sureness
from rozaneh.diagnosis.sentences import SURE, sentence
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.probe import vantages
from rozaneh.probe.experiments import EXPERIMENTS, Description, Finding, run
from rozaneh.probe.experiments.finding import Line
from rozaneh.probe.services import Service
from rozaneh.words import Words


def list_experiments(tongue: Words, *, as_json: bool) -> None:
    """Say what experiments there are."""
    if as_json:
        print_json([{"experiment": each.name, "summary": tongue.say(each.summary)} for each in EXPERIMENTS])
        return
    screen = console()
    for each in EXPERIMENTS:
        screen.print(tongue.say("{name}: {title}", name=each.name, title=tongue.say(each.summary)))


def run_experiment(
    experiment: Description, services: Sequence[Service], tongue: Words, *, as_json: bool
) -> list[Finding]:
    """Run it on the places of services, and print what it found."""
    endpoints = [
        endpoint for service in services for endpoint in service.endpoint if endpoint.kind in ("https", "http")
    ]
    findings = anyio.run(run, experiment, endpoints, RealNetwork(), Trust.system(), vantages())
    if as_json:
        print_json([finding.as_json(_sentences(finding, tongue)) for finding in findings])
        return findings
    screen = console()
    for finding in findings:
        for said in _sentences(finding, tongue):
            screen.print(said)
    return findings


def _sentences(finding: Finding, tongue: Words) -> list[str]:
    verdict = finding.verdict
    if verdict.verdict is Outcome.CANNOT_TELL:
        said: list[str] = [
            tongue.say(
                "{experiment} at {target}: no verdict; see below.", experiment=finding.experiment, target=finding.target
            )
        ]
    else:
        told = tongue.say(sentence(verdict), service=finding.target)
        said = [tongue.say("{name}: {title}", name=finding.experiment, title=told)]
        if verdict.verdict is not Outcome.OK:
            said.append(tongue.say("How sure that is: {sure}.", sure=tongue.say(SURE[sureness(verdict.confidence)])))
    return said + [_line(line, tongue) for line in finding.said]


def _line(line: Line, tongue: Words) -> str:
    spoken = {name: tongue.say(message) for name, message in line.spoken.items()}
    return tongue.say(line.message, **line.values, **spoken)
