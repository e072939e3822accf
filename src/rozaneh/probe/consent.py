"""Consent: nothing is measured on a real network before the user has read what that shows to others, and agreed.

The text has a version. A changed text asks again: an agreement to an older version counts as none. Risky categories
have an agreement of their own, off at first, and a few questions before it, because OONI found that people agree to
what they have not read. Keeping measurements to share them is an agreement of its own too. Inside the lab no consent is
needed to measure, because nothing can leave it; keeping and sending are agreed to there as anywhere.
"""

import datetime as dt
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from rozaneh.core import LocalFault
from rozaneh.core.ordinary import read_ordinary
from rozaneh.core.private import private_folder
from rozaneh.probe.services import RISKY, Service
from rozaneh.probe.vantages import IN_LAB
from rozaneh.words import later, mark

VERSION = 2
"""Raised whenever a text below comes to say something else."""

ORDINARY = "services"
"""The agreement that covers every category that is not risky."""

SHARING = "sharing"
"""The agreement to keep measurements on this device, without addresses, until the user sends or carries them."""

PLACE = "network"
"""The agreement that what is kept or written also names the user's network and country."""

CATEGORIES = (ORDINARY, *sorted(RISKY), SHARING, PLACE)

TEXT = (
    mark("Before measuring, please read this."),
    mark(
        "Rozaneh visits the sites and services that you name, or those of its list, from your own connection. Your"
        " provider, and whoever listens there, can see that you visit them, as with a browser."
    ),
    mark("Some of these sites may be forbidden where you are. Running such a program may be punished."),
    mark("It also asks public resolvers for the true addresses of names, and visits some well-known sites to compare."),
    mark(
        "Nothing is sent to us or to anybody else, and no result is kept after the program ends, unless you agree to"
        " that."
    ),
    mark("You may refuse, and you may withdraw your agreement at any time: rozaneh consent --no"),
)
"""What a person reads first, sentence by sentence."""

RISKY_TEXT = mark(
    "Circumvention tools (Tor, VPNs) are measured only if you agree to that as well: visiting them may draw attention."
)

SHARING_TEXT = mark(
    "Sharing is off unless you agree to it: results are then kept on this device, without your address, until you send"
    " or carry them. Whoever finds the device can read which sites were measured."
)


PLACE_TEXT = mark(
    "Kept results do not say which network and country you measure from, unless you agree to that as well: then they"
    " say what the control vantages make of your connection, as a number of the network and two letters."
)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question before a risky category.

    Attributes:
        text: the question.
        answer: the right answer.
        because: what to say to somebody who answered otherwise.
    """

    text: str
    answer: bool
    because: str


QUIZ = (
    Question(
        text=mark("Can your provider see that you visit these sites while measuring? Type yes or no: "),
        answer=True,
        because=mark("Your provider can see it, as it sees any visit."),
    ),
    Question(
        text=mark("Does Rozaneh hide who measures? Type yes or no: "),
        answer=False,
        because=mark("Rozaneh hides nothing of that: whoever listens on your line sees your line."),
    ),
)
"""What must be answered rightly before a risky category can be agreed to."""


def wrong_answers(answers: Iterable[bool]) -> tuple[Question, ...]:
    """The questions that were answered wrongly, or not at all."""
    given = [*answers, *(None,) * len(QUIZ)]
    return tuple(question for question, answer in zip(QUIZ, given, strict=False) if answer is not question.answer)


class Consent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was agreed to.

    Attributes:
        version: of the text that was read.
        categories: ``services``, and risky categories by name.
        date: when.
    """

    version: int = 0
    categories: tuple[str, ...] = ()
    date: dt.date | None = None

    def allows(self, service: Service) -> bool:
        """Whether a service may be measured."""
        needed = service.category if service.risky else ORDINARY
        return self.version == VERSION and needed in self.categories

    @property
    def sharing(self) -> bool:
        """Whether measurements may be kept to be shared."""
        return self.version == VERSION and SHARING in self.categories

    @property
    def place(self) -> bool:
        """Whether measurements may name the network and the country."""
        return self.version == VERSION and PLACE in self.categories


def needed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether consent must be asked for at all: not inside the lab."""
    return not environment.get(IN_LAB)


def place(environment: Mapping[str, str] = os.environ) -> Path:
    """The file in which the agreement stands, after the XDG base directory specification."""
    named = environment.get("XDG_CONFIG_HOME")
    base = Path(named) if named else Path(environment.get("HOME") or Path.home()) / ".config"
    return base / "rozaneh" / "consent.json"


def load(path: Path) -> Consent:
    """What was agreed to; nothing where there is no such file, or it cannot be read as one: then it is asked again."""
    try:
        return msgspec.json.decode(read_ordinary(path, 1 << 20), type=Consent)
    except (OSError, msgspec.MsgspecError):
        return Consent()


def agree(path: Path, categories: Iterable[str], today: dt.date) -> Consent:
    """Add categories to what was agreed to.

    Raises:
        LocalFault: a category does not exist, or the file cannot be written.
    """
    asked = set(categories)
    if unknown := sorted(asked - set(CATEGORIES)):
        raise LocalFault(
            later(
                "no category is called {unknown!r}; there are {categories}",
                unknown=unknown[0][:40],
                categories=", ".join(CATEGORIES),
            )
        )
    before = load(path)
    kept = set(before.categories) if before.version == VERSION else set()
    made = Consent(version=VERSION, categories=tuple(sorted(asked | kept)), date=today)
    try:
        private_folder(path.parent)
        path.write_bytes(msgspec.json.encode(made) + b"\n")
    except OSError as error:
        raise LocalFault(later("cannot keep your answer in {path}: {why}", path=path, why=error.strerror)) from error
    return made


def withdraw(path: Path) -> None:
    """Forget every agreement.

    Raises:
        LocalFault: the file is there and cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise LocalFault(later("cannot remove {path}: {why}", path=path, why=error.strerror)) from error
