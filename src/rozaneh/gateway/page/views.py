"""From the gateway's state to a page. Pure: what is shown is passed in, the moment too."""

import datetime as dt

import segno
from markupsafe import Markup

from rozaneh.gateway.desk import Look
from rozaneh.gateway.page.guard import TOKEN, Session
from rozaneh.gateway.telling import blocked, coming, headline, used
from rozaneh.words import LANGUAGES, Words
from rozaneh.words.dates import Dates
from rozaneh.words.pages import style, templates

__all__ = ["PAGES", "message", "policy", "render"]

PAGES = ("status", "add", "share", "wipe")
"""The pages that can be asked for, each in every language."""

_HERE = "rozaneh.gateway.page"
_REFRESH = 30


def policy() -> str:
    """The content policy of every page."""
    # The empty icon is what keeps a browser from asking for one.
    return f"{style(_HERE)[1]}; img-src data:; frame-ancestors 'none'"


def render(page: str, look: Look, words: Words, base: str, session: Session, *, shared: str = "") -> bytes:
    """A page as bytes.

    Args:
        page: one of :data:`PAGES`.
        look: what there is to see.
        words: the language.
        base: the path below which everything is.
        session: whose page it is; what it is to be told is told.
        shared: the link for others on the home network; empty where it is shared with nobody.
    """
    said, session.said = session.said, ()
    dates = Dates(words, look.state.now.tzinfo or dt.UTC)
    tone, sentence = headline(look, words)
    context = {
        "page": page, "look": look, "token": session.token, "said": said, "tone": tone, "headline": sentence,
        "refresh": _REFRESH if page == "status" else 0, "ways": used(look.state.ways, words, dates),
        "blocked": blocked(look.state, words, dates), "next": coming(look, words, dates),
        "started": dates.moment(look.state.started), "shared": shared,
        "code": _code(shared) if page == "share" and shared else "",
    }  # fmt: skip
    return _filled(f"{page}.html", words, base, context)


def _code(text: str) -> Markup:
    """A QR code to be looked at: as wide as the page, dark on light whatever the colours are."""
    drawn = segno.make(text, error="l", boost_error=True, micro=False)
    return Markup(drawn.svg_inline(border=4, omitsize=True, light="#fff", svgclass=None, lineclass=None))  # noqa: S704 - made of squares alone


def message(text: str, words: Words, base: str) -> bytes:
    """A page with one sentence and a way on to the status page, which is also gone by itself."""
    return _filled("message.html", words, base, {"page": "status", "refresh": 0, "text": text})


def _filled(template: str, words: Words, base: str, context: dict[str, object]) -> bytes:
    other = LANGUAGES[1 - LANGUAGES.index(words.language)]
    text = templates(_HERE).get_template(template).render(
        words=words, say=words.say, say_n=words.say_n, here=f"{base}{words.language}/", other=f"{base}{other}/",
        style=style(_HERE)[0], field=TOKEN, **context,
    )  # fmt: skip
    return text.encode()
