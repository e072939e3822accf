"""From the gateway's state to a page. Pure: what is shown is passed in, the moment too."""

import base64
import datetime as dt
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rozaneh.gateway.desk import Look
from rozaneh.gateway.page.guard import TOKEN, Session
from rozaneh.gateway.telling import blocked, coming, headline, used
from rozaneh.words import LANGUAGES, Words
from rozaneh.words.dates import Dates

__all__ = ["PAGES", "message", "policy", "render"]

PAGES = ("status", "add", "wipe")
"""The pages that can be asked for, each in every language."""

_REFRESH = 30


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("rozaneh.gateway.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> tuple[Markup, str]:
    """The style, and the content policy that allows it and nothing else."""
    text = (files("rozaneh.gateway.page") / "templates" / "style.css").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    # The empty icon is what keeps a browser from asking for one.
    own = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'"
    return Markup(text), f"{own}; frame-ancestors 'none'"  # noqa: S704 - our own file


def policy() -> str:
    """The content policy of every page."""
    return _style()[1]


def render(page: str, look: Look, words: Words, base: str, session: Session) -> bytes:
    """A page as bytes.

    Args:
        page: one of :data:`PAGES`.
        look: what there is to see.
        words: the language.
        base: the path below which everything is.
        session: whose page it is; what it is to be told is told.
    """
    said, session.said = session.said, ()
    dates = Dates(words, look.state.now.tzinfo or dt.UTC)
    tone, sentence = headline(look, words)
    context = {
        "page": page, "look": look, "token": session.token, "said": said, "tone": tone, "headline": sentence,
        "refresh": _REFRESH if page == "status" else 0, "ways": used(look.state.ways, words, dates),
        "blocked": blocked(look.state, words, dates), "next": coming(look, words, dates),
        "started": dates.moment(look.state.started),
    }  # fmt: skip
    return _filled(f"{page}.html", words, base, context)


def message(text: str, words: Words, base: str) -> bytes:
    """A page with one sentence and a way on to the status page, which is also gone by itself."""
    return _filled("message.html", words, base, {"page": "status", "refresh": 0, "text": text})


def _filled(template: str, words: Words, base: str, context: dict[str, object]) -> bytes:
    other = LANGUAGES[1 - LANGUAGES.index(words.language)]
    text = _templates().get_template(template).render(
        words=words, say=words.say, say_n=words.say_n, here=f"{base}{words.language}/", other=f"{base}{other}/",
        style=_style()[0], field=TOKEN, **context,
    )  # fmt: skip
    return text.encode()
