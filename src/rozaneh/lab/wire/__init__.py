"""The wire: one process that is every cable, every router and the ground on which censors stand.

Theory of operation. Every host's interface ends here, in a :class:`~rozaneh.lab.wire.port.Port`. A packet that a host
sends is read, and carried along a :class:`~rozaneh.lab.wire.path.Path` to the host that has its destination address::

    home ── 1 ── 2 ─┬─ 3 ── 4 ─┬─ 5 ── … ── host       routers, each of which takes one from the TTL
                 operator   border                      places, at which a censor may look, change, drop and inject

1. The sender's line: rate, loss, jitter (:mod:`rozaneh.lab.wire.line`).
2. The routers up to the next place. A packet whose TTL ends goes no further and an ICMP error comes back from the
   router at which it ended; so a probe with a small TTL is seen by the censors that it reaches and by no other.
3. The censors at that place. What they inject starts there, which decides who wins a race.
4. The same for all further places and routers, then the receiver's line, then a heap ordered by the time of arrival.

Censors are asked when a packet enters the wire, not when it would reach them: what depends on what stays in order,
because an answer is only sent after the question has arrived.
"""
