"""Keeping what a check measured, for those who agreed to share it: used by ``check`` and ``share``."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from rozaneh.cli.place import Placed, lines
from rozaneh.core import LocalFault
from rozaneh.gateway.given import state_folder
from rozaneh.probe import ServiceResult
from rozaneh.probe import consent as agreement
from rozaneh.probe.share.private import this_machine
from rozaneh.probe.share.waiting import Waiting
from rozaneh.words import Words, mark, text_of

MyAddress = Annotated[
    list[str] | None,
    typer.Option("--my-address", metavar="IP", help=mark("An address under which others see you; it is removed.")),
]


def waiting() -> Waiting:
    """The folder of this user."""
    return Waiting(state_folder() / "share")


@dataclass
class Keeping:
    """Keeps measurements, and says how many, or why none."""

    _kept: int = 0
    _wrong: list[str] = field(default_factory=list)

    @classmethod
    def agreed(cls) -> "Keeping | None":
        """One for a user who agreed to sharing; none for anybody else."""
        return cls() if agreement.load(agreement.place()).sharing else None

    def all(self, results: Sequence[ServiceResult], seen: Sequence[str], placed: Placed) -> None:
        """Keep a measurement for each endpoint. What cannot be made fit to share is not kept, and why is remembered.

        Args:
            results: of a check.
            seen: the addresses under which others see this machine.
            placed: network and country, where the user agreed to that.
        """
        now = dt.datetime.now(dt.UTC)
        try:
            private = this_machine(seen)
        except LocalFault as fault:
            self._wrong.append(text_of(fault))
            return
        held = waiting()
        for line in lines(results, placed):
            try:
                held.keep(msgspec.json.decode(line), private, now)
            except LocalFault as fault:
                self._wrong.append(text_of(fault))
            else:
                self._kept += 1

    def tell(self, screen: Console, tongue: Words) -> None:
        """Say what was kept."""
        for text in dict.fromkeys(self._wrong):
            screen.print(tongue.say("Note: {text}", text=text))
        screen.print(
            tongue.say_n(
                "{n} measurement was kept, without your address. To see and send it: rozaneh share",
                "{n} measurements were kept, without your address. To see and send them: rozaneh share",
                self._kept,
            )
        )
