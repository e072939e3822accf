"""What pages in two languages share: templates that escape, and a style that the page itself holds.

Only what serves pages imports this: it loads the template engine.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["style", "templates"]


@cache
def templates(package: str) -> Environment:
    """The templates in a package's folder ``templates``."""
    return Environment(
        loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@cache
def style(package: str) -> tuple[Markup, str]:
    """The style of these pages, and the content policy that allows it, their own forms, and nothing else."""
    text = (files(package) / "templates" / "style.css").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'"
    return Markup(text), policy  # noqa: S704 - our own file
