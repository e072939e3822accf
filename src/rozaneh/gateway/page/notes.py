"""What a page tells once, about what was just done: a sentence, and beside it what only an expert reads."""

from collections.abc import Iterator

import msgspec

from rozaneh.gateway.desk import Added
from rozaneh.gateway.wiping import Wiped
from rozaneh.links import Kind
from rozaneh.words import Words, mark

__all__ = ["Note", "of_added", "of_wiped"]

_MOST = 20
_WHY = {
    Kind.NO_LINK: mark("This is no link that is known here."),
    Kind.STARTS_PROGRAM: mark("This would start a program, and no link may do that."),
    Kind.NOT_SPOKEN: mark("A link of this kind needs a program of its own."),
    Kind.PAGE: mark("This names a page with links; open it yourself, and paste what is in it."),
    Kind.INCOMPLETE: mark("Of QR codes that belong together some are missing or wrong."),
    Kind.MISTAKEN: mark("Something in this link is wrong."),
}

_NEXT = mark("These are some of several QR codes that belong together. Take a picture of the others too, in any order.")


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One thing.

    Attributes:
        text: in the language of the page.
        detail: a link without its secrets, or the reason; in the direction of its first letter.
    """

    text: str
    detail: str = ""


def of_added(added: Added, words: Words) -> Iterator[Note]:
    """What became of links that were given."""
    say = words.say
    for way in added.ways:
        yield Note(text=say("Added."), detail=way.shown)
    for each in added.unusable:
        yield Note(text=say("Kept, but this machine cannot go it: a program of its own is needed."), detail=each)
    if added.waits:
        yield Note(text=say(_NEXT), detail="; ".join(words.again(each.reason) for each in added.wrong[:_MOST]))
        return
    alone = len(added.ways) + len(added.unusable) + len(added.wrong) == 1
    for wrong in added.wrong[:_MOST]:
        why = say(_WHY[wrong.kind])
        named = not alone and wrong.line
        text = (
            say("Left out, line {n}: {why}", n=wrong.line, why=why) if named else say("Left out: {reason}", reason=why)
        )
        yield Note(text=text, detail=words.again(wrong.reason))
    if not (added.ways or added.unusable or added.wrong):
        yield Note(text=say("There was no link in it."))
    if added.ways and not added.kept:
        yield Note(text=say("It is not kept: it is forgotten when Rozaneh ends."))


def of_wiped(wiped: Wiped, words: Words) -> Iterator[Note]:
    """What was forgotten, and what could not be."""
    yield Note(text=words.say("Forgotten. Nothing more is kept until Rozaneh is started anew."))
    if wiped.removed:
        yield Note(text=words.say_n("{n} file was removed.", "{n} files were removed.", wiped.removed))
    for each in wiped.left:
        yield Note(text=words.say("This could not be removed."), detail=str(each))
