"""Which tier of the lab works on this machine, and why the others do not: by trying, never by looking at the user."""

import errno
import os
import socket

import msgspec

from rozaneh.core import LocalFault
from rozaneh.lab.backend import Backend, Refused, Tier
from rozaneh.lab.ns.messages import Tier as Kind
from rozaneh.lab.ns.session import NamespaceLab, TiersRefused
from rozaneh.lab.topology import Host, World, Zone

_KINDS: dict[str, tuple[Kind, ...]] = {"auto": ("veth", "tun"), "T1": ("veth",), "T2": ("tun",)}
TIERS = ("auto", "T0", "T1", "T2")

_NEAR, _FAR = "198.18.0.1", "198.18.0.2"  # reserved for such trials, RFC 2544
_TWO_HOSTS = World(
    host={
        "near": Host(zone=Zone.WORLD, addresses=(_NEAR,)),
        "far": Host(zone=Zone.WORLD, addresses=(_FAR,)),
    }
)
_CROSS_WITHIN = 2.0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How one tier fared.

    Attributes:
        tier: which.
        works: whether a packet crossed it.
        call: the system call that was refused, or empty.
        errno: its error number, or 0.
        advice: what a person can do about it, or empty.
    """

    tier: str
    works: bool
    call: str = ""
    errno: int = 0
    advice: str = ""


def choose(tier: str, world: World, *, seed: int, servers: bool) -> Backend:
    """Start a lab on the best tier that works here.

    Raises:
        LocalFault: that tier does not work here, and what to do about it.
    """
    if tier not in TIERS:
        raise LocalFault(f"no tier {tier!r}; there are {', '.join(TIERS)}")
    refused: tuple[Refused, ...] = ()
    if tier != "T0":
        try:
            return NamespaceLab(world, _KINDS[tier], seed=seed, servers=servers)
        except TiersRefused as error:
            refused = error.refused
            if tier != "auto":
                raise LocalFault(f"{error}. {advice(refused[0].call, refused[0].errno)}") from None
    from rozaneh.lab.loopback import LoopbackLab  # noqa: PLC0415 - a tier that is rarely needed

    reason = "loopback addresses; no namespaces are allowed here" if refused else "loopback addresses, as asked"
    return LoopbackLab(world, seed=seed, servers=servers, tier=Tier(name="T0", reason=reason, refused=refused))


def try_tiers() -> tuple[Trial, ...]:
    """Try each tier: make two hosts and send a datagram from one to the other and back."""
    return (*(_try(name, kind) for name, (kind,) in (("T1", _KINDS["T1"]), ("T2", _KINDS["T2"]))), _LOOPBACK)


_LOOPBACK = Trial(tier="T0", works=True)


def _try(name: str, kind: Kind) -> Trial:
    try:
        lab = NamespaceLab(_TWO_HOSTS, (kind,), seed=0, servers=False)
    except TiersRefused as error:
        first = error.refused[0]
        return Trial(tier=name, works=False, call=first.call, errno=first.errno, advice=advice(first.call, first.errno))
    try:
        return _cross(name, lab)
    finally:
        lab.close()


def _cross(name: str, lab: NamespaceLab) -> Trial:
    with (
        lab.open_socket("near", "datagram", socket.AF_INET, _NEAR) as sender,
        lab.open_socket("far", "datagram", socket.AF_INET, _FAR) as receiver,
    ):
        receiver.settimeout(_CROSS_WITHIN)
        sender.sendto(b"across", (_FAR, receiver.getsockname()[1]))
        try:
            receiver.recv(16)
        except TimeoutError:
            return Trial(tier=name, works=False, call="recv", errno=errno.ETIMEDOUT)
    return Trial(tier=name, works=True)


def advice(call: str, number: int) -> str:
    """What a person can do about a refused system call, in one line."""
    if "tun" in call.lower():
        return "T2 needs root, or read and write access to /dev/net/tun; T1 does not."
    if number == errno.ENOSPC:
        return "As root: sysctl -w user.max_user_namespaces=10000 user.max_net_namespaces=10000"
    if number in {errno.EPERM, errno.EACCES, errno.EINVAL}:
        return (
            "Unprivileged user namespaces are switched off. As root, on Ubuntu: "
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0; on Debian: "
            "sysctl -w kernel.unprivileged_userns_clone=1; in Docker: --security-opt seccomp=unconfined"
        )
    if number == errno.ENOSYS:
        return "This kernel has no namespaces."
    return f"The kernel says: {os.strerror(number)}."
