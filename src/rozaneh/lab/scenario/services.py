"""Machines that a scenario's actions need in the world: those that end TLS in other servers' names."""

import hashlib

from rozaneh.lab.scenario.action import Redirect
from rozaneh.lab.topology import Service, World

_FIRST_PORT = 20_000
_PORTS = 10_000
_HTTPS = 443


def interception_port(redirect: Redirect) -> int:
    """The port of the censor's machine on which TLS is ended as a ``redirect`` wants it.

    Without an issuer and a version of its own that is 443; else a port that depends on both, so that several
    scenarios can share a machine.
    """
    if redirect.issuer is None and redirect.tls_version is None:
        return _HTTPS
    text = f"{redirect.issuer or ''}\n{redirect.tls_version or ''}"
    return _FIRST_PORT + int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % _PORTS


def terminator_of(world: World) -> str:
    """A name of the world's machine that ends TLS for any name; empty if there is none."""
    return next((name for service in world.service if service.kind == "terminator" for name in service.names), "")


def interceptions(redirects: tuple[Redirect, ...], world: World) -> tuple[Service, ...]:
    """The further services that redirects need: terminators with an issuer or TLS version of their own."""
    addresses = tuple(
        address for service in world.service if service.kind == "terminator" for address in service.addresses
    )
    found: dict[int, Service] = {}
    for redirect in redirects:
        port = interception_port(redirect)
        if redirect.to == "mitm" and port != _HTTPS and addresses:
            options = {"issuer": redirect.issuer or "", "tls_version": redirect.tls_version or ""}
            kept = {name: value for name, value in options.items() if value}
            found[port] = Service(kind="terminator", addresses=addresses, ports=(port,), options=dict(kept))
    return tuple(found.values())
