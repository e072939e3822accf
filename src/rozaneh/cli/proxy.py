"""``rozaneh proxy``: the desktop's own setting, so that programs need not be told one by one."""

import sys

import typer

from rozaneh.cli.asking import State, asked
from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.core import LocalFault
from rozaneh.gateway.control import Question
from rozaneh.gateway.desktop import desktop, environment, turn_off, turn_on
from rozaneh.gateway.given import state_folder
from rozaneh.words import mark

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help=mark("Set the desktop's proxy to the gateway, and back as it was."),
)


@app.command(help=mark("Set it; what was there is written down first."), epilog=mark("Example: rozaneh proxy on"))
def on(*, state: State = None, as_json: Json = False, lang: Lang = None) -> None:
    """Ask the gateway where it listens, set, print."""
    tongue, folder = words(lang), state or state_folder()
    look = asked(state, Question(ask="look"), tongue).look
    if look is None:
        raise LocalFault(tongue.say("No gateway runs here. Start it by: {command}", command="rozaneh up"))
    address, _, port = look.proxy.rpartition(":")
    found = desktop()
    changed = turn_on(found, folder, address, int(port)) if found is not None else ()
    if as_json:
        print_json({"desktop": found.name if found is not None else "", "proxy": look.proxy, "changed": changed})
    elif found is not None:
        for each in changed:
            setting, before = f"{each.place} {each.key}", each.before or "-"
            console().print(
                tongue.say("{setting}: {now} (was {before})", setting=setting, now=each.ours, before=before)
            )
        console().print(
            tongue.say("Programs of this desktop use the gateway now. Back by: {command}", command="rozaneh proxy off")
        )
    else:
        console(errors=True).print(tongue.say("No desktop that is known here. Paste this into a shell instead:"))
        sys.stdout.write(environment(address, int(port)))


@app.command(help=mark("Put back what was there, also after a crash."), epilog=mark("Example: rozaneh proxy off"))
def off(*, state: State = None, as_json: Json = False, lang: Lang = None) -> None:
    """Put back, print. The gateway need not run."""
    tongue, notes = words(lang), console(errors=True)
    found = desktop()

    def warn(text: str) -> None:
        notes.print(tongue.say("Note: {text}", text=text))

    changed = turn_off(found, state or state_folder(), warn) if found is not None else False
    if as_json:
        print_json({"restored": changed})
    elif changed:
        console().print(tongue.say("The desktop's proxy is as it was before."))
    elif found is None:
        console().print(
            tongue.say(
                "No desktop that is known here. In a shell: {command}",
                command="unset http_proxy https_proxy all_proxy no_proxy",
            )
        )
    else:
        console().print(tongue.say("Nothing had been changed."))
