"""What a verdict rests on: attempts, each in a role, a control elsewhere, and canaries for the whole network."""

from enum import StrEnum
from typing import Literal

import msgspec

from rozaneh.core import Attempt, Failure


class Role(StrEnum):
    """Why an attempt was made. What an attempt shows depends on what it is compared with."""

    SYSTEM = "system"
    """As the user's programs dial: the system's resolver, then the addresses that it gave."""
    TRUSTED = "trusted"
    """The right name at addresses from an encrypted resolver, or at well-known ones."""
    NEUTRAL_NAME = "neutral_name"
    """A harmless name at the addresses that were dialled: what changes is caused by the name."""
    UNVERIFIED = "unverified"
    """The target's name at its address without checking the certificate, to see whose it is."""
    MIRROR_NEUTRAL = "mirror_neutral"
    """A harmless name at a server that has nothing to do with the target, just before the next role."""
    MIRROR = "mirror"
    """The target's name at that server: what changes is caused by the name, wherever it is sent."""
    QUIC = "quic"
    """HTTP/3 to the target."""
    QUIC_NEUTRAL = "quic_neutral"
    """HTTP/3 with a harmless name to a server that is known to speak it."""
    SHAPED = "shaped"
    """Traffic of the target's kind to a server that echoes anything."""
    SHAPED_NEUTRAL = "shaped_neutral"
    """Traffic of a harmless kind to the same server."""


class Tried(msgspec.Struct, frozen=True):
    """One attempt and why it was made."""

    role: Role
    attempt: Attempt


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What a vantage elsewhere saw of the same target at the same time.

    Each of the steps is ``True`` where it worked, ``False`` where it failed, ``None`` where it was not tried.

    Attributes:
        vantage: its name.
        addresses: what the name resolves to there; with the probe's own addresses, those that were tried.
        dns: whether the name resolves there.
        tcp: whether at least one address accepts connections.
        tls: whether at least one address completes a handshake with a certificate that is valid for the name.
        http: whether an answer came to a request.
        quic: whether HTTP/3 works.
        status: the HTTP status of the last answer; 0 without one.
        failure: the failure that ended its attempt, or none.
        way: how the vantage was reached, where that was not directly.
        age: seconds since it said so; 0 for an answer of this run.
        answer: what it said address by address, as JSON in the form of OONI's test helper, for those who keep records;
            no rule reads it.
    """

    vantage: str
    addresses: tuple[str, ...] = ()
    dns: bool | None = None
    tcp: bool | None = None
    tls: bool | None = None
    http: bool | None = None
    quic: bool | None = None
    status: int = 0
    failure: Failure | None = None
    way: str = ""
    age: int = 0
    answer: str = ""


class Zone(StrEnum):
    """On which side of the border something stands."""

    DOMESTIC = "domestic"
    FOREIGN = "foreign"


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """One place that has nothing to do with the target, tried to learn about the network.

    Attributes:
        name: what it is called in the list of canaries.
        network: whose network it stands in; two canaries in one network count once.
        zone: on which side of the border.
        attempt: what was seen.
    """

    name: str
    network: str
    zone: Zone
    attempt: Attempt


class Slowness(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of interleaved transfers of equal size, in bytes per second.

    Attributes:
        target: with the target's name, or to the target.
        neutral: with a harmless name at the same server, or to a control, in the same order.
        expected: the rate below which a line may be called slow at all.
    """

    target: tuple[float, ...]
    neutral: tuple[float, ...]
    expected: float = 100_000.0


Kind = Literal["https", "http", "tls", "tcp", "udp", "quic"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about one target in one run.

    Attributes:
        tried: the attempts with their roles, in the order in which they were begun.
        trusted_answers: addresses of the name from encrypted resolvers, or well-known ones.
        trusted_failure: how the encrypted lookup failed, where no address came.
        control: the vantages that answered.
        canaries: what the rest of the network does.
        slowness: the rates of a throttling test, where there was reason for one.
        kind: what the target is: ``https``, ``http``, ``tls``, ``tcp``, ``udp`` or ``quic``.
        issuer: an issuer whose certificates are right for this target though no authority of the system vouches for it.
        domestic: the target stands inside the country, where no control abroad can judge it.
        tainted: an earlier target in this run provoked a censor at one of these addresses, whose penalty may still
            last.
    """

    tried: tuple[Tried, ...] = ()
    trusted_answers: tuple[str, ...] = ()
    trusted_failure: Failure | None = None
    control: tuple[Control, ...] = ()
    canaries: tuple[Canary, ...] = ()
    slowness: Slowness | None = None
    kind: Kind = "https"
    issuer: str = ""
    domestic: bool = False
    tainted: bool = False

    def of(self, role: Role) -> tuple[Attempt, ...]:
        """The attempts in one role that were not interrupted."""
        return tuple(
            tried.attempt for tried in self.tried if tried.role is role and tried.attempt.failure != Failure.INTERRUPTED
        )
