"""The rules of events, as frozen data with permanent ids."""

from functools import cache
from importlib.resources import files
from typing import Annotated, TypeVar

import msgspec

from rozaneh.core import LocalFault
from rozaneh.words import later

_Id = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{2,60}$")]
_Set = TypeVar("_Set")


class EventRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule.

    Attributes:
        id: permanent name.
        kind: of the events that it makes.
        source: what justifies it.
        because: the reasoning in a sentence.
        set: the numbers of its detector.
    """

    id: _Id
    kind: str
    source: Annotated[str, msgspec.Meta(min_length=3)]
    because: Annotated[str, msgspec.Meta(min_length=10)]
    set: dict[str, float] = {}

    def numbers(self, kind: type[_Set]) -> _Set:
        """The numbers as the Struct of a detector.

        Raises:
            LocalFault: one is missing, or has no meaning there.
        """
        try:
            return msgspec.convert(self.set, kind, strict=False)
        except msgspec.ValidationError as error:
            raise LocalFault(later("rule {id!r}: {error}", id=self.id, error=error)) from error


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[EventRule, ...]


def parse_rules(data: bytes, place: str) -> dict[str, EventRule]:
    """Read rules, by their ids.

    Raises:
        LocalFault: the file is wrong, or an id stands twice.
    """
    try:
        read = msgspec.toml.decode(data, type=_File).rule
    except (msgspec.MsgspecError, ValueError) as error:
        raise LocalFault(f"{place}: {error}") from error
    by_id = {rule.id: rule for rule in read}
    if len(by_id) < len(read):
        raise LocalFault(later("{place}: an id stands twice", place=place))
    return by_id


@cache
def event_rules() -> dict[str, EventRule]:
    """The rules that come with Rozaneh."""
    name = "rules.toml"
    return parse_rules((files("rozaneh.observatory.events") / name).read_bytes(), name)
