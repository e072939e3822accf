"""``ssh://[user[:password]@]host[:port]?hostkey=KEY[&key=FILE]``: go through an SSH server (dynamic forwarding).

The server is believed by the host key in the way and by nothing else; your own SSH configuration, agent and keys are
not looked at, apart from a key file that you name. SSH says what it is in its first bytes: a filter that knows
protocols sees it, and Iran cut it after 15 to 44 seconds in June 2022.
"""

from rozaneh.core import Element, Spec, SpecError
from rozaneh.links.proxy import parse
from rozaneh.net import Dialer, Network
from rozaneh.net.trust import Trust
from rozaneh.words import later


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    link = parse(str(element).replace("%7C", "|"), own=True)
    if not link.host_key:
        raise SpecError(later("the server's key is missing: hostkey=ssh-ed25519%20AAAA... (as ssh-keyscan prints it)"))
    from rozaneh.dialers.ssh_channel import Session, Ssh  # noqa: PLC0415 - 0.2 s that only its users should wait for

    return Ssh(link, Session(), inner, Spec((element,)).through(inner.spec))
