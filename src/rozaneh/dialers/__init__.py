"""Ways through, one file each.

A dialer opens a stream to a target. A strategy is a dialer that takes a dialer and changes one thing: where the name
is resolved (``doh``, ``dot``, ``dnstcp``, ``dnsudp``), how the first flight of bytes is cut (``split``, ``tlsfrag``,
``disorder``) or what precedes it (``decoy``), what it looks like (``tls``, ``browser``, ``ws``), which address is
dialled (``override``), or who dials for us (``socks5``, ``http``, ``https``, ``ss``, ``trojan``, ``vless``, ``ssh``).
At the bottom stands a leaf that opens a socket (``tcp``) or runs a program that does (``tor``, ``plugin``, ``exec``).
A stack of them is written
as a :class:`~rozaneh.core.Spec`, outermost first, and made by :func:`build`::

    way = build("doh:dns.google@8.8.8.8|tlsfrag:sni|split:2|tcp", network)

Dialers change behaviour only. What happened is recorded in the trace that is handed down to them, never here.
"""

from rozaneh.dialers.registry import NAMES, build

__all__ = ["NAMES", "build"]
