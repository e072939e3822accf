"""How a check looks while it runs: a live table on a terminal, plain lines anywhere else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rozaneh.diagnosis import Layer, Mechanism, Outcome, Verdict, sureness
from rozaneh.diagnosis.judge import AGREEMENT
from rozaneh.diagnosis.sentences import BY, HOW, STATE, SURE, sentence
from rozaneh.probe import Service, ServiceResult
from rozaneh.probe.results import control_age
from rozaneh.words import Said, Words

_COLOUR = {
    Outcome.OK: "green",
    Outcome.BLOCKED: "red",
    Outcome.THROTTLED: "magenta",
    Outcome.REFUSED: "yellow",
    Outcome.DOWN: "yellow",
    Outcome.CANNOT_TELL: "cyan",
}
_NO_CONTROL = "control.asked"


@dataclass
class View:
    """Shows services as they begin and end."""

    screen: Console
    words: Words
    silent: bool = False
    _results: dict[str, ServiceResult | None] = field(default_factory=dict)
    _services: Sequence[Service] = ()
    _live: Live | None = None

    @contextmanager
    def running(self, services: Sequence[Service]) -> Iterator[None]:
        """Show while the body measures."""
        self._services = services
        if self.silent or not self.screen.is_terminal:
            yield
        else:
            with Live(self._table(), console=self.screen, refresh_per_second=8) as live:
                self._live = live
                yield
                live.update(self._table())
            self._live = None
        if not self.silent:
            self._sum_up()

    def progress(self, service: Service, result: ServiceResult | None) -> None:
        """Take note that a service began or ended."""
        self._results[service.id] = result
        if self._live is not None:
            self._live.update(self._table())
        elif result is not None and not self.silent:
            self.screen.print(self._line(result))

    def sentence(self, result: ServiceResult) -> Said:
        """What a person is told about a service."""
        name = result.service.name.in_language(self.words.language)
        return self.words.say(sentence(result.verdict), service=name)

    def _line(self, result: ServiceResult) -> str:
        verdict = result.verdict
        if verdict.verdict is Outcome.OK and not _tells(verdict):
            return self.sentence(result)
        return f"{self.sentence(result)} {self._details(verdict, control_age(result.deciding.evidence))}"

    def _details(self, verdict: Verdict, age: int | None) -> Said:
        values = {
            "mechanism": self.words.say(HOW[verdict.mechanism]),
            "layer": "-" if verdict.where is Layer.NOWHERE else verdict.where.value,
            "who": self.words.say(BY[verdict.who]),
            "sure": self.words.say(SURE[sureness(verdict.confidence)]),
            "confidence": round(verdict.confidence * 100),
        }
        if age is not None:
            return self.words.say_n(
                "[how: {mechanism}; step: {layer}; by: {who}; {sure}, {confidence}%; no control elsewhere answered now:"
                " what it said {n} minute ago stands in for it]",
                "[how: {mechanism}; step: {layer}; by: {who}; {sure}, {confidence}%; no control elsewhere answered now:"
                " what it said {n} minutes ago stands in for it]",
                max(round(age / 60), 1),
                **values,
            )
        if _NO_CONTROL in verdict.missing:
            return self.words.say(
                "[how: {mechanism}; step: {layer}; by: {who}; {sure}, {confidence}%; no control elsewhere answered]",
                **values,
            )
        if AGREEMENT in verdict.missing:
            return self.words.say(
                "[how: {mechanism}; step: {layer}; by: {who}; {sure}, {confidence}%; the controls elsewhere disagree]",
                **values,
            )
        return self.words.say("[how: {mechanism}; step: {layer}; by: {who}; {sure}, {confidence}%]", **values)

    def _table(self) -> Table:
        say = self.words.say
        table = Table(expand=True)
        table.add_column(say("Service"), no_wrap=True)
        table.add_column(say("State"), no_wrap=True)
        table.add_column(say("How"))
        table.add_column(say("By"))
        table.add_column(say("Sure"), justify="right", no_wrap=True)
        for service in self._services:
            name = Text(service.name.in_language(self.words.language))
            result = self._results.get(service.id)
            if result is None:
                begun = service.id in self._results
                table.add_row(name, Text(say("measuring") if begun else "", style="dim"), "", "", "")
                continue
            verdict = result.verdict
            style = _COLOUR.get(verdict.verdict, "red")
            works = verdict.verdict is Outcome.OK and not _tells(verdict)
            table.add_row(
                name,
                Text(say(STATE[verdict.verdict]), style=style),
                "" if works else Text(say(HOW[verdict.mechanism])),
                "" if works else Text(say(BY[verdict.who])),
                Text(say("{percent}%", percent=round(verdict.confidence * 100))),
            )
        return table

    def _sum_up(self) -> None:
        """Below a table, the sentences of what does not work; then one line for all."""
        ended = [result for result in self._results.values() if result is not None]
        if self.screen.is_terminal:
            for result in ended:
                if result.verdict.verdict is not Outcome.OK or _tells(result.verdict):
                    self.screen.print(self._line(result))
        works = sum(result.verdict.verdict is Outcome.OK for result in ended)
        self.screen.print(self.words.say("{works} of {all} work here.", works=works, all=len(ended)))


def _tells(verdict: Verdict) -> bool:
    """Whether there is something to tell about what works."""
    return verdict.mechanism is not Mechanism.NONE
