"""Asking the gateway that runs, as several commands do."""

from pathlib import Path
from typing import Annotated

import typer

from rozaneh.core import LocalFault
from rozaneh.gateway.control import Answer, Question, ask
from rozaneh.gateway.given import state_folder
from rozaneh.words import Words, mark

__all__ = ["State", "asked"]

State = Annotated[Path | None, typer.Option("--state", help=mark("The gateway's folder."))]
"""``state: State = None``"""


def asked(state: Path | None, question: Question, tongue: Words) -> Answer:
    """The running gateway's answer.

    Raises:
        LocalFault: no gateway runs, or it does not answer.
    """
    answer = ask(state or state_folder(), question)
    if answer is None:
        raise LocalFault(tongue.say("No gateway runs here. Start it by: {command}", command="rozaneh up"))
    if answer.error:
        raise LocalFault(answer.error)
    return answer
