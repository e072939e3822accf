"""``rozaneh demo``: one evening in the lab."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer
from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.demo import Checked, Comparison, Doing, Ended, Event, Fetch, Setting, evening
from rozaneh.diagnosis import Mechanism, Outcome, sureness
from rozaneh.diagnosis.sentences import HOW, SURE, sentence
from rozaneh.probe import ServiceResult
from rozaneh.words import Said, Words, mark

if TYPE_CHECKING:
    from rich.status import Status

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_TIER = typer.Option("--tier", metavar="auto|T1|T2", help=mark("What the lab runs on; see: rozaneh lab tiers"))


@app.command(
    help=mark("The evening of 21 September 2022 in the lab: what is blocked, and the way through."),
    epilog=mark("Ends with status 0 only if all of it happened. Needs no root and sends nothing off this machine."),
)
def demo(*, tier: Annotated[str, _TIER] = "auto", as_json: Json = False, lang: Lang = None) -> None:
    """Play the evening and show it."""
    show = _Collected() if as_json else _Shown(console(), words(lang))
    ended = anyio.run(_play, tier, show, backend_options={"use_uvloop": True})
    if isinstance(show, _Collected):
        print_json(show.scenes)
    raise typer.Exit(0 if ended is not None and ended.ok else 1)


async def _play(tier: str, show: "_Shown | _Collected") -> Ended | None:
    last: Event | None = None
    async for last in evening(tier):
        show.tell(last)
    show.finish()
    return last if isinstance(last, Ended) else None


class _Collected:
    """The scenes as plain data, for another program."""

    def __init__(self) -> None:
        self.scenes: list[dict[str, Any]] = []

    def tell(self, event: Event) -> None:
        match event:
            case Setting():
                self._add("setting", tier=event.tier, hosts=event.hosts, scenario=event.scenario, program=event.program)
            case Checked():
                results = [result.as_json() for result in event.results]
                self._add("checked", network=event.network, at=event.at.isoformat(), results=results)
            case Comparison():
                self._add(
                    "fetched",
                    network=event.network,
                    at=event.at.isoformat(),
                    service=event.service.id,
                    url=event.url,
                    mechanism=event.mechanism.value,
                    direct=event.direct,
                    through=event.through,
                    way=event.way,
                    tried=event.tried,
                )
            case Ended():
                self._add("ended", ok=event.ok, claims=list(event.claims), seconds=event.seconds)

    def finish(self) -> None:
        """Nothing is open."""

    def _add(self, scene: str, **facts: Any) -> None:
        self.scenes.append({"scene": scene, **facts})


class _Shown:
    """The scenes for a person: every figure and every word of a program is of this run."""

    def __init__(self, screen: Console, tongue: Words) -> None:
        self._screen = screen
        self._words = tongue
        self._status: Status | None = None

    def tell(self, event: Event) -> None:
        """Show one scene."""
        if isinstance(event, Doing):
            self._wait(event)
            return
        self.finish()
        match event:
            case Setting():
                self._setting(event)
            case Checked():
                self._checked(event)
            case Comparison():
                self._comparison(event)
            case Ended():
                self._ended(event)

    def finish(self) -> None:
        """Stop the sign that something is under way."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _wait(self, doing: Doing) -> None:
        say = self._words.say
        text = {
            "start": say("setting up a country in this machine …"),
            "check": say("checking services …"),
            "fetch": say("fetching {names}, directly and through the gateway …", names=", ".join(doing.names)),
        }[doing.what]
        if self._status is None and self._screen.is_terminal:
            self._status = self._screen.status(text)
            self._status.start()
        elif self._status is not None:
            self._status.update(text)

    def _heading(self, text: Said) -> None:
        self._screen.print()
        if self._screen.is_terminal:
            self._screen.print(Rule(Text(text, style="bold"), align="left"))
        else:
            self._screen.print(f"== {text}")

    def _setting(self, event: Setting) -> None:
        say = self._words.say
        self._screen.print(
            say(
                "A country in this machine: {hosts} hosts in {seconds:.1f} s, tier {tier} ({reason}).",
                hosts=event.hosts,
                seconds=event.seconds,
                tier=event.tier,
                reason=event.reason,
            )
        )
        self._screen.print(
            say("Its censors: scenario {scenario}. No packet leaves this machine.", scenario=event.scenario)
        )
        if event.program != "curl":
            self._screen.print(say("curl is not installed; pages are fetched with {program}.", program=event.program))

    def _checked(self, event: Checked) -> None:
        say = self._words.say
        self._heading(say("{line}, {time}: rozaneh check", line=self._line(event.network), time=f"{event.at:%H:%M}"))
        cut = [result for result in event.results if result.verdict.verdict is Outcome.DOMESTIC_ONLY]
        for result in event.results:
            if result not in cut:
                self._screen.print(self._verdict(result))
        if cut:
            # One sentence for the whole network: the same one for each service would bury what still works.
            names = self._listed([self._name(result) for result in cut])
            line = say("Only the domestic network is left. Cut off with everything abroad: {names}.", names=names)
            self._screen.print(Text("  - ", style="red").append(line, style="default"))
        works = [self._name(result) for result in event.results if result.verdict.verdict is Outcome.OK]
        self._screen.print(
            say(
                "What works: {names}. Checked {count} services in {seconds:.1f} s.",
                names=self._listed(works),
                count=len(event.results),
                seconds=event.seconds,
            )
        )

    def _verdict(self, result: ServiceResult) -> Text:
        say, verdict = self._words.say, result.verdict
        works = verdict.verdict is Outcome.OK
        line = Text("  + " if works else "  - ", style="green" if works else "red")
        line.append(say(sentence(verdict), service=self._name(result)), style="default")
        sure = say(SURE[sureness(verdict.confidence)])
        line.append(say(" ({sure}, {percent}%)", sure=sure, percent=round(verdict.confidence * 100)), style="dim")
        return line

    def _comparison(self, event: Comparison) -> None:
        say = self._words.say
        name = event.service.name.in_language(self._words.language)
        how = say(HOW[event.mechanism])
        self._heading(
            say(
                "{line}, {time}: {service} ({how})",
                line=self._line(event.network),
                time=f"{event.at:%H:%M}",
                service=name,
                how=how,
            )
        )
        self._screen.print(Text(f"$ {' '.join(event.command)}", style="dim"))
        self._screen.print(say("  directly:            {outcome}", outcome=self._outcome(event.direct)))
        self._screen.print(say("  through the gateway: {outcome}", outcome=self._outcome(event.through)))
        if event.refused:
            reason = say(HOW.get(Mechanism(event.refused), HOW[Mechanism.UNKNOWN]))
            self._screen.print(say("  the gateway says:    {reason} (tried {tried})", reason=reason, tried=event.tried))
        if event.way:
            self._screen.print(say("  the way it found:    {way} (tried {tried})", way=event.way, tried=event.tried))

    def _outcome(self, fetch: Fetch) -> Said:
        say = self._words.say
        if fetch.ok:
            return say("the page, {size} bytes in {seconds:.2f} s", size=fetch.size, seconds=fetch.seconds)
        if fetch.says:
            return say("{says} (after {seconds:.2f} s)", says=fetch.says, seconds=fetch.seconds)
        return say("not the page: HTTP {status}, {size} bytes", status=fetch.status, size=fetch.size)

    def _ended(self, event: Ended) -> None:
        say = self._words.say
        self._heading(say("What had to happen"))
        for claim in event.claims:
            obstacle = say(HOW[claim.obstacle]) if claim.obstacle else ""
            done = Text(say("yes"), style="green") if claim.holds else Text(say("NO"), style="bold red")
            self._screen.print(Text("  ").append(done).append(f"  {say(claim.says, obstacle=obstacle)}"))
        self._screen.print(
            say("All of it happened, in {seconds:.0f} s.", seconds=event.seconds)
            if event.ok
            else say("Not all of it happened: something here is broken on this machine.")
        )

    def _line(self, network: str) -> Said:
        return {"mobile": self._words.say("Mobile operator"), "fixed": self._words.say("Fixed line")}[network]

    def _name(self, result: ServiceResult) -> str:
        return result.service.name.in_language(self._words.language)

    def _listed(self, names: Iterable[str]) -> str:
        return self._words.say(", ").join(names) or self._words.say("nothing")
