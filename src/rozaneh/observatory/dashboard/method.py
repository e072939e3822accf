"""The page that says how it is done, and what the words of the other pages mean."""

from typing import Final

from rozaneh.diagnosis.sentences import HOW, SENTENCES
from rozaneh.diagnosis.verdict import Mechanism, Outcome
from rozaneh.observatory.dashboard.withhold import LEAST_MEASUREMENTS, LEAST_SOURCES
from rozaneh.observatory.events.rules import event_rules
from rozaneh.observatory.events.sentences import RULES
from rozaneh.words import Words, mark

_SAID: Final = {how: means for (outcome, how), means in reversed([*SENTENCES.items()]) if outcome is not Outcome.OK}
_OBSTACLES: Final = {how: _SAID[how] for how in HOW if how in _SAID and how is not Mechanism.UNKNOWN}
"""What each obstacle does; where a verdict has two sentences the first, which is about a single service."""

_WORDS: Final = {
    mark("Measurement"): mark("One attempt to reach one service, from one device, and what came of it."),
    mark("Failed"): mark(
        "The attempt did not get through, for a reason that lies between the person and the service. A service that is "
        "down for everybody, or turns visitors away itself, is not counted here."
    ),
    mark("Independent source"): mark(
        "All that comes from one network, with one app and its version, on one kind of device and from one sender, is "
        "one source, however much it is."
    ),
    mark("not enough to say"): mark(
        "There are fewer than {least} measurements, or they come from fewer than {sources} independent sources. What "
        "happened then is not known."
    ),
    mark("How sure"): mark(
        "How far the rule that found an event can be believed here, up to 100%. It is no share of people and none of "
        "time."
    ),
    mark("A second method"): mark("Curfews are looked for in two ways. This says what the second one found."),
    mark("It goes on."): mark("It had not ended when the newest measurement was made. It may have ended since."),
    mark("TLS handshake"): mark(
        "What a browser and a site say first when they begin an encrypted connection. The name of the site can be read "
        "in it by whoever carries it."
    ),
}
"""Words at which a reader would stop."""


def method(words: Words) -> dict[str, object]:
    """What the page is given."""
    say, service = words.say, words.say("The service")
    least = {"least": LEAST_MEASUREMENTS, "sources": LEAST_SOURCES}
    return {
        "title": say("Method"),
        "meanings": [(say(word), say(means, **least)) for word, means in _WORDS.items()],
        "obstacles": [(say(HOW[how]), say(means, service=service)) for how, means in _OBSTACLES.items()],
        "rules": [
            {"id": rule.id, "because": say(RULES[rule.id]), "source": rule.source} for rule in event_rules().values()
        ],
    }  # fmt: skip
