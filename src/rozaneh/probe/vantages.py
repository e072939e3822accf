"""Whom a probe asks besides its target: trusted resolvers, control vantages, canaries, mirrors."""

import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec

from rozaneh.core import LocalFault, Target
from rozaneh.diagnosis import Zone

_Share = Annotated[float, msgspec.Meta(gt=0)]

IN_LAB = "ROZANEH_LAB"
"""The variable that the lab sets for programs that run in it."""


class CanarySite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that has nothing to do with the target.

    Attributes:
        name: its host name.
        network: whose network it stands in.
        zone: on which side of the border.
        address: where it is; without one its name is looked up as part of the test.
        path: what to ask for.
        plain: whether to ask without TLS, as a test for login pages does.
    """

    name: str
    network: str
    zone: Zone
    address: str = ""
    path: str = "/"
    plain: bool = False

    @property
    def target(self) -> Target:
        """What to dial."""
        target = Target(
            host=self.name, port=80 if self.plain else 443, speaks="http" if self.plain else "https", path=self.path
        )
        return target.at(self.address) if self.address else target


class ControlSite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A control vantage: an HTTPS server at a known address."""

    name: str
    address: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 443
    path: str = "/"

    @property
    def target(self) -> Target:
        """What to dial."""
        return Target(host=self.name, port=self.port, speaks="https", path=self.path, addresses=(self.address,))


class Vantages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything of it; see the comments of ``vantages.toml``."""

    neutral: str
    resolvers: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    control: tuple[ControlSite, ...] = ()
    canary: tuple[CanarySite, ...] = ()
    expected_rate: _Share = 100_000.0
    echo: str = ""
    whoami: tuple[ControlSite, ...] = ()
    datagram: str = ""
    transfer: str = ""
    plain_resolvers: tuple[str, ...] = ()
    no_resolver: tuple[str, ...] = ()
    both_families: dict[str, tuple[str, ...]] = {}
    quic: tuple[str, ...] = ()
    ech_name: str = ""
    ech_address: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    real: Vantages
    lab: Vantages


def vantages(environment: Mapping[str, str] = os.environ) -> Vantages:
    """Those of the lab where ``ROZANEH_LAB`` is set, else the real ones."""
    read = _read()
    return read.lab if environment.get(IN_LAB) else read.real


@cache
def _read() -> _File:
    name = "vantages.toml"
    try:
        return msgspec.toml.decode((files("rozaneh.probe") / name).read_bytes(), type=_File)
    except (msgspec.MsgspecError, ValueError) as error:
        raise LocalFault(f"{name}: {error}") from error
