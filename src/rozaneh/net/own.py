"""The addresses of this machine, from what Linux shows of its routing; no packet is sent for it."""

from ipaddress import IPv6Address, ip_address
from pathlib import Path

from rozaneh.core import LocalFault
from rozaneh.words import later

_V4, _V6 = Path("/proc/net/fib_trie"), Path("/proc/net/if_inet6")
_LOCAL = "/32 host LOCAL"


def own_addresses() -> frozenset[str]:
    """All addresses of the network namespace that this program runs in, loopback among them.

    Raises:
        LocalFault: this system does not show them.
    """
    try:
        four = parse_fib_trie(_V4.read_text())
        six = parse_if_inet6(_V6.read_text()) if _V6.exists() else frozenset()
    except (OSError, UnicodeDecodeError) as error:
        raise LocalFault(
            later("cannot read this machine's addresses from {v4}: {error}", v4=_V4, error=error)
        ) from error
    if not four and not six:
        raise LocalFault(later("cannot read this machine's addresses: {v4} names none", v4=_V4))
    return four | six


def parse_fib_trie(text: str) -> frozenset[str]:
    """The local addresses in ``/proc/net/fib_trie``: each stands on the line above the one that calls it local."""
    found = set()
    last = ""
    for line in text.splitlines():
        if _LOCAL in line and _is_ip(last):
            found.add(last)
        last = line.rpartition(" ")[2]
    return frozenset(found)


def parse_if_inet6(text: str) -> frozenset[str]:
    """The addresses in ``/proc/net/if_inet6``: 32 hexadecimal digits at the start of each line."""
    found = set()
    for line in text.splitlines():
        digits = line.partition(" ")[0]
        try:
            found.add(str(IPv6Address(bytes.fromhex(digits))))
        except ValueError:
            continue
    return frozenset(found)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
