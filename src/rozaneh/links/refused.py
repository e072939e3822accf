"""Why a link is not taken, in a word that can be told in any language, beside the sentence that says what is wrong."""

from enum import StrEnum

from rozaneh.core import SpecError


class Kind(StrEnum):
    """Why something that was given is left out."""

    NO_LINK = "no_link"
    """It is nothing that is known here."""
    STARTS_PROGRAM = "starts_program"
    """It would start a program, and only the device's owner may add one."""
    NOT_SPOKEN = "not_spoken"
    """A link of a protocol that takes a program of its own."""
    PAGE = "page"
    """It names a page with links; nothing is fetched."""
    INCOMPLETE = "incomplete"
    """Of several QR codes that belong together some are missing or wrong."""
    MISTAKEN = "mistaken"
    """Something in a link of a known kind is wrong."""


class LinkError(SpecError):
    """A link that is not taken.

    Args:
        kind: why, in a word.
        message: what is wrong; it repeats no secret.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def kind_of(error: SpecError) -> Kind:
    """Why, in a word."""
    return error.kind if isinstance(error, LinkError) else Kind.MISTAKEN
