"""``rozaneh explain``: what a verdict, a mechanism or a rule means, and what to do."""

from typing import Annotated

import typer

from rozaneh.cli.options import Json, Lang, console, print_json, words
from rozaneh.diagnosis import Mechanism, Outcome, layer_rules, rules, sureness
from rozaneh.diagnosis.explain import Explanation, explain, names
from rozaneh.diagnosis.sentences import BY, HOW, LEVEL, STATE, SURE
from rozaneh.words import Words, mark

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(
    help=mark("What a verdict means, and what to do."),
    epilog=mark("Example: rozaneh explain tls_name_reset"),
)
def explain_(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[VERDICT|MECHANISM|RULE]", help=mark("The word; without one, all that there are.")),
    ] = None,
    *,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Look it up, print."""
    tongue = words(lang)
    if name is None:
        _list(tongue, as_json=as_json)
        return
    found = explain(name)
    if as_json:
        print_json([_table(each, tongue) for each in found])
        return
    screen = console()
    for each in found:
        for line in _lines(each, tongue):
            screen.print(line)


def _lines(each: Explanation, tongue: Words) -> list[str]:
    lines: list[str] = [
        tongue.say("{name}: {title}", name=each.name, title=tongue.say(each.title)),
        tongue.say(each.means),
        tongue.say("What to do: {todo}", todo=tongue.say(each.todo)),
    ]
    if each.rule is not None:
        rule = each.rule
        lines[2:2] = [
            tongue.say(
                "It concludes: {verdict}, by {who}; {sure}, {confidence}%. It rests on: {level}.",
                verdict=tongue.say(STATE[rule.verdict]),
                who=tongue.say(BY[rule.who]),
                sure=tongue.say(SURE[sureness(rule.confidence)]),
                confidence=round(rule.confidence * 100),
                level=tongue.say(LEVEL[rule.level]),
            ),
            tongue.say("Source: {source}", source=rule.source),
        ]
    return lines


def _table(each: Explanation, tongue: Words) -> dict[str, object]:
    made: dict[str, object] = {
        "name": each.name,
        "kind": each.kind,
        "title": tongue.say(each.title),
        "means": tongue.say(each.means),
        "todo": tongue.say(each.todo),
    }
    if each.rule is not None:
        made["rule"] = each.rule
    return made


def _list(tongue: Words, *, as_json: bool) -> None:
    if as_json:
        print_json([_table(each, tongue) for name in names() for each in explain(name)])
        return
    screen = console()
    screen.print(tongue.say("Verdicts: {names}", names=", ".join(each.value for each in Outcome)))
    for outcome in Outcome:
        screen.print(tongue.say("{name}: {title}", name=outcome.value, title=tongue.say(STATE[outcome])))
    screen.print(tongue.say("Mechanisms: {names}", names=", ".join(each.value for each in Mechanism)))
    for mechanism in Mechanism:
        screen.print(tongue.say("{name}: {title}", name=mechanism.value, title=tongue.say(HOW[mechanism])))
    screen.print(tongue.say("Rules: {names}", names=", ".join(rule.id for rule in (*rules(), *layer_rules()))))
