"""What a local proxy must not be used for. Pure.

A web page or a program can ask a proxy on this machine for places that only this machine can see: its own services, the
router, printers. Unless the user allows it, those are refused, by address and by name. A name that resolves to such an
address is refused further down, where it is resolved.
"""

import re

from rozaneh.core import Target
from rozaneh.core.addresses import is_bogon

_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_LOCAL_SUFFIXES = ("localhost", "local", "internal", "lan", "home.arpa", "localdomain")


def is_local(target: Target) -> bool:
    """Whether a target is on this machine or its network, or cannot be a public site at all."""
    if target.is_literal:
        return is_bogon(target.host)
    name = target.host
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        return True  # no public name ends in a number (RFC 3696, section 2); resolvers take 127.1 for an address
    return "." not in name or any(name == suffix or name.endswith(f".{suffix}") for suffix in _LOCAL_SUFFIXES)
