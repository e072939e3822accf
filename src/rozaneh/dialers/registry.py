"""From the text of a way to the dialer that goes it."""

from collections.abc import Callable

from rozaneh.core import Element, NotHere, Spec, SpecError
from rozaneh.dialers import (
    browser,
    decoy,
    disorder,
    dnstcp,
    dnsudp,
    doh,
    dot,
    http,
    https,
    override,
    plugin,
    program,
    socks5,
    split,
    ss,
    ssh,
    tcp,
    tls,
    tlsfrag,
    tor,
    trojan,
    vless,
    wireguard,
    ws,
)
from rozaneh.net import Dialer, Network
from rozaneh.net.trust import Trust
from rozaneh.words import Later, later

_LEAVES: dict[str, Callable[[Element, Network], Dialer]] = {
    "exec": program.build,
    "plugin": plugin.build,
    "tcp": tcp.build,
    "tor": tor.build,
    "wireguard": wireguard.build,
}

_STRATEGIES: dict[str, Callable[[Element, Dialer, Network, Trust], Dialer]] = {
    "browser": browser.build,
    "decoy": decoy.build,
    "disorder": disorder.build,
    "dnstcp": dnstcp.build,
    "dnsudp": dnsudp.build,
    "doh": doh.build,
    "dot": dot.build,
    "http": http.build,
    "https": https.build,
    "override": override.build,
    "socks5": socks5.build,
    "split": split.build,
    "ss": ss.build,
    "ssh": ssh.build,
    "tls": tls.build,
    "tlsfrag": tlsfrag.build,
    "trojan": trojan.build,
    "vless": vless.build,
    "ws": ws.build,
}

NAMES = tuple(sorted({*_LEAVES, *_STRATEGIES}))


def build(spec: Spec | str, network: Network, *, trust: Trust | None = None) -> Dialer:
    """Make the dialer that a spec describes.

    Args:
        spec: the way, for instance ``doh:dns.google@8.8.8.8|split:2|tcp``.
        network: where its sockets come from.
        trust: whom its TLS believes; this system's authorities when not given.

    Raises:
        SpecError: an element is unknown, out of place or has a wrong argument; the message names it.
    """
    elements = (spec if isinstance(spec, Spec) else Spec.parse(spec)).elements
    trusted = trust or Trust.system()
    dialer = _leaf(elements, network)
    for index in range(len(elements) - 2, -1, -1):
        dialer = _strategy(elements[index], index + 1, dialer, network, trusted)
    return dialer


def _leaf(elements: tuple[Element, ...], network: Network) -> Dialer:
    last = elements[-1]
    if last.name not in _LEAVES:
        known = _known(last, len(elements))
        raise SpecError(
            later(
                "{known} cannot be the last: a way ends with {leaves}, as in '{name}|tcp'",
                known=known,
                leaves=", ".join(_LEAVES),
                name=last.name,
            )
        )
    return _named(last, len(elements), lambda: _LEAVES[last.name](last, network))


def _strategy(element: Element, index: int, inner: Dialer, network: Network, trust: Trust) -> Dialer:
    known = _known(element, index)
    if element.name in _LEAVES:
        raise SpecError(later("{known} opens a socket and can only stand last", known=known))
    return _named(element, index, lambda: _STRATEGIES[element.name](element, inner, network, trust))


def _known(element: Element, index: int) -> Later:
    if element.name not in NAMES:
        raise SpecError(
            later(
                "element {index} of the way is unknown: {name!r}; expected one of {names}",
                index=index,
                name=element.name,
                names=", ".join(NAMES),
            )
        )
    return later("element {number} of the way, {element!r},", number=index, element=element.redacted()[:60])


def _named(element: Element, index: int, make: Callable[[], Dialer]) -> Dialer:
    try:
        return make()
    except SpecError as error:
        kind = NotHere if isinstance(error, NotHere) else SpecError
        raise kind(
            later(
                "element {number} of the way, {element!r}: {error}",
                number=index,
                element=element.redacted()[:60],
                error=error,
            )
        ) from error
