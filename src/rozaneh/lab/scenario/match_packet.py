"""Conditions on names, ends and headers."""

from typing import ClassVar, Literal

import msgspec

from rozaneh.lab.scenario.fields import Address, Asn, HostName, Label, Octet, Ports, Text


class Named(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A host name. Several keys given together mean "any of these"; case does not matter.

    Attributes:
        exact: the name is one of these, subdomains not included; `*` and `?` work here too. A plain text or list in
            place of the table means this.
        suffix: the name is one of these or lies below one: `il` covers `example.il`, `blocked.example` covers
            `www.blocked.example`.
        label: one label of the name (a part between dots) is one of these.
        keyword: the name contains one of these texts.
        pattern: the name fits one of these patterns, in which `*` stands for any characters and `?` for one.
        present: `false` = there is no such name at all (a ClientHello without SNI); `true` = there is one, whatever
            it says.
    """

    shorthand: ClassVar[str] = "exact"

    exact: tuple[HostName, ...] = ()
    suffix: tuple[HostName, ...] = ()
    label: tuple[HostName, ...] = ()
    keyword: tuple[Text, ...] = ()
    pattern: tuple[HostName, ...] = ()
    present: bool | None = None


class Worded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text. Several keys given together mean "any of these"; case does not matter.

    Attributes:
        exact: the text is one of these. A plain text or list in place of the table means this.
        prefix: it begins with one of these.
        suffix: it ends with one of these.
        keyword: it contains one of these.
        present: `false` = there is no such text; `true` = there is one, whatever it says.
    """

    shorthand: ClassVar[str] = "exact"

    exact: tuple[Text, ...] = ()
    prefix: tuple[Text, ...] = ()
    suffix: tuple[Text, ...] = ()
    keyword: tuple[Text, ...] = ()
    present: bool | None = None


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One end of a packet or flow.

    Attributes:
        address: an address, a block, a host name of the lab (all its addresses), or `"@set"`. A plain text or list
            in place of the table means this.
        port: TCP or UDP port; packets without ports do not match.
        network: a network of the lab world that the address belongs to (`mobile`, `fixed`, ...), or a zone: `home`,
            `isp`, `domestic`, `world`.
        asn: the autonomous system the address belongs to.
        group: a set of addresses of the scenario's `[sets]`, by its name without the `@`, for instance `exempt`.
    """

    shorthand: ClassVar[str] = "address"

    address: tuple[Address, ...] = ()
    port: Ports = ()
    network: tuple[Label, ...] = ()
    asn: tuple[Asn, ...] = ()
    group: tuple[Label, ...] = ()


Flag = Literal["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"]


class Flags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """TCP flags of the packet; packets without a TCP header do not match.

    Attributes:
        all: flags that are set. A plain text or list in place of the table means this.
        none: flags that are not set.
    """

    shorthand: ClassVar[str] = "all"

    all: tuple[Flag, ...] = ()
    none: tuple[Flag, ...] = ()


class Icmp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An ICMP or ICMPv6 message.

    Attributes:
        type: the type number as sent (echo request: 8 in IPv4, 128 in IPv6), or several.
        code: the code number.
    """

    shorthand: ClassVar[str] = "type"

    type: Octet = ()
    code: Octet = ()
