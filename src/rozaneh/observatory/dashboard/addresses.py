"""Where pages stand, and how one leads to another."""

import posixpath
import re
from typing import Final

_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)")
"""Windows takes files of such names for devices, whatever follows the first dot, and refuses to write them."""


def to(here: str, there: str) -> str:
    """A relative link, so that pages work wherever they are put, also as files."""
    return posixpath.relpath(there, posixpath.dirname(here) or ".")


def name_of(subject: str) -> str:
    """What the page of a service or a host name is called, without what stands before and behind it."""
    return f"_{subject}" if _DEVICE.match(subject) else subject


def of_service(language: str, country: str, subject: str) -> str:
    """The address of the page of a service or a host name."""
    return f"{language}/{country}/service/{name_of(subject)}.html"
