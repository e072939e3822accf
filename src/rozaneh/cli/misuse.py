"""What is wrong with a command line, in the language of whoever typed it.

Typer says it in English alone. What it says is read here by its sentences, of which there are few; one that is not
known is said as it is, with the rest in the reader's language.
"""

import re
from typing import Final

from typer.exceptions import TyperException

from rozaneh.words import Said, Words, mark

_NO_SUCH_OPTION: Final = mark("There is no option {what}; did you mean {near}?")
_NO_SUCH_COMMAND: Final = mark("There is no command {what}; did you mean {near}?")
_WILL_NOT_DO: Final = mark("What was given for {what} will not do: {why}")
_LONGEST: Final = 1000
"""Characters that are looked at: what somebody pasted may have a hundred thousand."""
_SENTENCES: Final = tuple(
    (re.compile(pattern, re.DOTALL), message)
    for pattern, message in (
        (r"Missing option (?P<what>.+?)\.", mark("The option {what} is missing.")),
        (r"Missing argument (?P<what>.+?)\.", mark("{what} is missing.")),
        (r"No such option: (?P<what>\S+)", mark("There is no option {what}.")),
        (r"No such option: (?P<what>\S+) Did you mean (?P<near>.+)\?", _NO_SUCH_OPTION),
        (r"No such option: (?P<what>\S+) \(Possible options: (?P<near>.+)\)", _NO_SUCH_OPTION),
        (r"No such command (?P<what>.+?)\.", mark("There is no command {what}.")),
        (r"No such command (?P<what>.+?)\. Did you mean (?P<near>.+)\?", _NO_SUCH_COMMAND),
        (r"Option (?P<what>.+) requires an argument\.", mark("Something has to follow the option {what}.")),
        (r"Option (?P<what>.+) does not take a value\.", mark("Nothing may follow the option {what}.")),
        (r"Got unexpected extra argument\(?s?\)? \((?P<what>.+)\)", mark("Too much was given: {what}.")),
        (r"Invalid value for (?P<what>.+?): .*valid integer.*", mark("What was given for {what} is no whole number.")),
        (r"Invalid value for (?P<what>.+?): .*valid number.*", mark("What was given for {what} is no number.")),
        (
            r"Invalid value for (?P<what>.+?): .*greater than or equal to (?P<least>\S+)",
            mark("{what} is at least {least}."),
        ),
        (r"Invalid value for (?P<what>.+?): .*less than or equal to (?P<most>\S+)", mark("{what} is at most {most}.")),
        (r"Invalid value for (?P<what>.+?): (?P<why>.+)", _WILL_NOT_DO),
        (r"Missing command\.", mark("Which command is missing.")),
    )
)


def told(error: TyperException, words: Words) -> Said:
    """The line for a person, and where help is."""
    text = error.format_message()[:_LONGEST]
    line = words.again(text)
    for pattern, message in _SENTENCES:
        if found := pattern.fullmatch(text):
            line = words.say(message, **found.groupdict())
            break
    context = getattr(error, "ctx", None)
    if context is None:
        return line
    help_ = words.say("Help: {command}", command=f"{context.command_path} --help")
    return Said(f"{line} {help_}")
