"""What was unexpected, what was expected, and the flags that OONI gives for each.

*Unexpected* is a failure where the helper had none; *expected* where it failed too; *unexplained* where it says
nothing, as after a redirect. An unexplained failure counts only where no page came and the helper got one.
"""

from collections.abc import Iterator
from enum import IntFlag
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from rozaneh.core.addresses import is_bogon
from rozaneh.ooni.httpdiff import HttpDiff, compare
from rozaneh.ooni.observations import Flat, Seen

_NO_ANSWER = "dns_no_answer"


class BlockingFlag(IntFlag):
    """``x_blocking_flags``."""

    DNS = 1
    TCP = 2
    TLS = 4
    HTTP = 8
    HTTP_DIFF = 16
    SUCCESS = 32


class DnsFlag(IntFlag):
    """``x_dns_flags``."""

    BOGON = 1
    UNEXPECTED_FAILURE = 2
    UNEXPECTED_ADDRESSES = 4


class NullFlag(IntFlag):
    """``x_null_null_flags``: what probe and helper failed at alike."""

    EXPECTED_DNS_FAILURE = 1
    EXPECTED_TCP_FAILURE = 2
    EXPECTED_TLS_FAILURE = 4
    HTTPS_WITHOUT_CONTROL = 8
    UNEXPECTED_DNS_SUCCESS = 16


class Lookups:
    """The lookups of the first request, each transaction sorted into a set.

    Args:
        flat: the observations.
        tls_rescues: whether a valid handshake with an address proves the lookup that gave it. It does in the extended
            analysis, not in the classic one.
    """

    def __init__(self, flat: Flat, *, tls_rescues: bool) -> None:
        self.succeeded: set[int] = set()
        self.bogon: set[int] = set()
        self.valid: set[int] = set()
        self.invalid: set[int] = set()
        self.unexpected: set[int] = set()
        self.unexplained: set[int] = set()
        self.expected: set[int] = set()
        self.first_failure: str | None = None
        self.control_addresses = flat.control_addresses
        for seen in _first_of_each(flat.resolved):
            if seen.depth == 0:
                self._resolved(seen, flat)
        for seen in _first_of_each(flat.failed):
            self._failed(seen)
        if tls_rescues:
            for seen in flat.endpoints.values():
                if seen.tls == "" and seen.lookup:
                    self.invalid.discard(seen.lookup)
                    self.valid.add(seen.lookup)

    def consistency(self) -> str | None:
        """``dns_consistency``."""
        if not self.unexpected and not self.invalid and (self.valid or self.expected):
            return "consistent"
        return "inconsistent" if self.invalid or self.unexpected or self.ghost else None

    @property
    def ghost(self) -> bool:
        """Whether a name resolved here that the helper found to have no address."""
        return bool(self.succeeded) and self.control_addresses is not None and not self.control_addresses

    def _resolved(self, seen: Seen, flat: Flat) -> None:
        self.succeeded.add(seen.transaction)
        if bogon(seen.address):
            self.bogon.add(seen.transaction)
        if seen.resolved is None or seen.control_resolved is None:
            return
        alike = seen.resolved & seen.control_resolved
        here, there = (
            {flat.networks[address] for address in of if address in flat.networks}
            for of in (seen.resolved, seen.control_resolved)
        )
        if alike or here & there:
            self.valid.add(seen.transaction)
        else:
            self.invalid.add(seen.transaction)

    def _failed(self, seen: Seen) -> None:
        # A failing DoH server tells of that server, and that a name has no IPv6 address is no failure.
        if seen.engine == "doh" or (seen.query_type == "AAAA" and seen.failure == _NO_ANSWER):
            return
        if seen.depth != 0:
            self.unexplained.add(seen.transaction)
            return
        self.first_failure = self.first_failure or seen.failure
        if seen.control_dns is None:
            return
        nothing = seen.control_resolved is not None and not seen.control_resolved
        if seen.control_dns or (seen.failure == _NO_ANSWER and nothing):
            self.expected.add(seen.transaction)
        else:
            self.unexpected.add(seen.transaction)


def flags(flat: Flat) -> tuple[BlockingFlag, DnsFlag, NullFlag]:
    """``x_blocking_flags``, ``x_dns_flags`` and ``x_null_null_flags``."""
    lookups = Lookups(flat, tls_rescues=True)
    final = final_of(flat)
    explained = final is None and any(seen.control_http == "" for seen in flat.everything())
    blocking = _dns_blocking(lookups, explained=explained)
    null = _null_of_lookups(lookups)
    for seen in flat.endpoints.values():
        blocking |= _endpoint_flags(seen, explained=explained)
        null |= _expected_failures(seen)
    if final is not None:
        blocking |= _page_flag(final)
        if final.tls is not None and final.control_http is None:
            null |= NullFlag.HTTPS_WITHOUT_CONTROL
    return blocking, _dns_flags(lookups), null


def _dns_flags(lookups: Lookups) -> DnsFlag:
    return (
        (DnsFlag.BOGON if lookups.bogon else DnsFlag(0))
        | (DnsFlag.UNEXPECTED_FAILURE if lookups.unexpected else DnsFlag(0))
        | (DnsFlag.UNEXPECTED_ADDRESSES if lookups.invalid else DnsFlag(0))
    )


def _dns_blocking(lookups: Lookups, *, explained: bool) -> BlockingFlag:
    blocked = lookups.unexpected or lookups.invalid or (explained and lookups.unexplained)
    return BlockingFlag.DNS if blocked else BlockingFlag(0)


def _null_of_lookups(lookups: Lookups) -> NullFlag:
    found = NullFlag.EXPECTED_DNS_FAILURE if lookups.expected else NullFlag(0)
    return found | NullFlag.UNEXPECTED_DNS_SUCCESS if lookups.ghost else found


def _page_flag(final: Seen) -> BlockingFlag:
    if final.tls is not None:
        return BlockingFlag.SUCCESS
    if final.control_http is None:
        return BlockingFlag(0)
    return BlockingFlag.HTTP_DIFF if diff_of(final).differs else BlockingFlag.SUCCESS


def final_of(flat: Flat) -> Seen | None:
    """The connection on which the last page came; where several did, the one that was begun first."""
    found = [seen for seen in flat.endpoints.values() if seen.page is not None and seen.page.final]
    return min(found, key=lambda seen: seen.transaction, default=None)


def diff_of(final: Seen) -> HttpDiff:
    """The comparison of the page that came with what the helper got."""
    if final.page is None or final.control_http is None:
        return HttpDiff()
    return compare(final.page, final.control_page)


def _first_of_each(lookups: list[Seen]) -> Iterator[Seen]:
    """One observation of each transaction."""
    already: set[int] = set()
    for seen in lookups:
        if seen.transaction not in already:
            already.add(seen.transaction)
            yield seen


def _endpoint_flags(seen: Seen, *, explained: bool) -> BlockingFlag:
    """Flags of one connection; after a redirect only the end of the whole tells what was to be expected."""
    found = BlockingFlag(0)
    redirected = seen.depth != 0
    if seen.tcp and not _broken_ipv6(seen) and (explained if redirected else seen.control_tcp == ""):
        found |= BlockingFlag.TCP
    if seen.tls and (explained if redirected else seen.control_tls == ""):
        found |= BlockingFlag.TLS
    if seen.http and seen.control_http == "":
        found |= BlockingFlag.HTTP
    return found


def _expected_failures(seen: Seen) -> NullFlag:
    found = NullFlag(0)
    if seen.depth == 0 and seen.tcp and seen.control_tcp:
        found |= NullFlag.EXPECTED_TCP_FAILURE
    if seen.depth == 0 and seen.tls and seen.control_tls:
        found |= NullFlag.EXPECTED_TLS_FAILURE
    return found


def _broken_ipv6(seen: Seen) -> bool:
    return ":" in seen.address and seen.tcp in ("network_unreachable", "host_unreachable")


# What OONI's probe counts as bogon differs from what we refuse to connect to: it is a list of what must not appear in
# an answer. Source: ipinfo.io/bogon, as in ooni/probe-cli, internal/netxlite/bogon.go.
_BOGON_V6 = tuple(
    IPv6Network(text)
    for text in (
        "::/96", "::1/128", "100::/64", "2001:10::/28", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10",
        "ff00::/8",
    )
)  # fmt: skip
_RETIRED_RELAY = "192.88.99."


def bogon(address: str) -> bool:
    """Whether OONI's probe would flag this address in an answer."""
    try:
        ip = ip_address(address)
    except ValueError:
        return True
    if isinstance(ip, IPv4Address):
        return is_bogon(address) and not address.startswith(_RETIRED_RELAY)
    carried = _carried(ip)
    if carried is not None:
        return bogon(str(carried))
    return any(ip in network for network in _BOGON_V6)


def _carried(ip: IPv6Address) -> IPv4Address | None:
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[0] if teredo else None)
