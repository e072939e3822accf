"""Every experiment, by name."""

import difflib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rozaneh.core import LocalFault
from rozaneh.probe.experiment import Tools
from rozaneh.probe.experiments import (
    carriers,
    hops,
    kinds,
    messengers,
    middlebox,
    names,
    residual,
    throttling,
    tor,
    web,
    what_works,
)
from rozaneh.probe.experiments.finding import Finding
from rozaneh.probe.services import Endpoint
from rozaneh.probe.vantages import Vantages
from rozaneh.words import later, mark


def harmless(vantages: Vantages) -> Endpoint:
    """The harmless name, where no target was given."""
    return Endpoint(id="neutral", url=f"https://{vantages.neutral}/")


def outer_name(vantages: Vantages) -> Endpoint:
    """The name that handshakes with Encrypted ClientHello show to the path, at a server of it."""
    return Endpoint(id="ech", url=f"tls://{vantages.ech_name}:443", addresses=(vantages.ech_address,))


@dataclass(frozen=True)
class Description:
    """One experiment.

    Attributes:
        name: on the command line.
        summary: what it answers.
        run: does it.
        target: whether it is about a target; those that are not take none.
        usual: what it is about where no target is given.
        risky: whether it touches circumvention tools, for which a consent of its own is needed.
    """

    name: str
    summary: str
    run: Callable[[Tools, Endpoint], Awaitable[Finding]]
    target: bool = True
    usual: Callable[[Vantages], Endpoint] = harmless
    risky: bool = False


EXPERIMENTS = (
    Description(
        "allowlist", mark("Which kinds of traffic are let through, to which ports."), kinds.allowlist, target=False
    ),
    Description("dns", mark("Who answers for a name, what is forged, and how many injectors there are."), names.run),
    Description(
        "ech", mark("Whether handshakes with Encrypted ClientHello are let through."), kinds.ech, usual=outer_name
    ),
    Description(
        "facebook_messenger",
        mark("Facebook Messenger, as OONI measures it."),
        messengers.facebook_messenger,
        target=False,
    ),
    Description("hops", mark("At which hop on the path a name is acted upon."), hops.run),
    Description("ipv6", mark("Whether IPv6 reaches what IPv4 reaches."), carriers.ipv6, target=False),
    Description("middlebox", mark("Whether something on the path rewrites plain HTTP."), middlebox.run, target=False),
    Description("quic", mark("Whether QUIC (HTTP/3) is let through."), carriers.quic),
    Description("residual", mark("How long an address stays dead after a name was seen there."), residual.run),
    Description("signal", mark("Signal, as OONI measures it."), messengers.signal, target=False),
    Description("telegram", mark("Telegram, as OONI measures it."), messengers.telegram, target=False),
    Description("throttling", mark("Whether a name is slowed down on purpose."), throttling.run),
    Description(
        "tor", mark("Whether Tor's authorities and bridges answer, and Tor starts."), tor.run, target=False, risky=True
    ),
    Description("vpn", mark("Whether first packets of VPNs are let through."), kinds.vpn, target=False, risky=True),
    Description("web_connectivity", mark("A page, in the order of OONI's Web Connectivity."), web.run),
    Description("what-works", mark("What still gets through, the most useful first."), what_works.run, target=False),
    Description("whatsapp", mark("WhatsApp, as OONI measures it."), messengers.whatsapp, target=False),
)
"""In the order of the alphabet."""


def named(name: str) -> Description:
    """The experiment of that name.

    Raises:
        LocalFault: there is none; the line names those that there are.
    """
    for each in EXPERIMENTS:
        if _folded(each.name) == _folded(name):
            return each
    known = [each.name for each in EXPERIMENTS]
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        raise LocalFault(later("no experiment is called {name!r}; did you mean {near}?", name=name[:40], near=near[0]))
    raise LocalFault(
        later("no experiment is called {name!r}; there are {names}", name=name[:40], names=", ".join(known))
    )


def _folded(name: str) -> str:
    return name.strip().casefold().replace("_", "-")
