"""The catalogue of services of the probe, read as data: this room shares no code with it."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated

import msgspec

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class Name(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What something is called in both languages."""

    en: _Text
    fa: _Text


class Endpoint(msgspec.Struct, frozen=True):
    """Where a service can be reached."""

    url: str


class Service(msgspec.Struct, frozen=True):
    """A service, as far as it matters here."""

    id: str
    name: Name
    endpoint: tuple[Endpoint, ...] = ()


class _File(msgspec.Struct, frozen=True):
    service: tuple[Service, ...] = ()


@cache
def catalogue() -> Mapping[str, tuple[Service, ...]]:
    """The services by the part of the catalogue that they stand in, such as ``domestic``; parts in order."""
    parts = sorted((files("rozaneh") / "probe" / "catalogue").iterdir(), key=lambda part: part.name)
    return MappingProxyType(
        {
            part.name.removesuffix(".toml"): msgspec.toml.decode(part.read_bytes(), type=_File).service
            for part in parts
            if part.name.endswith(".toml")
        }
    )
