"""Sharing measurements, for those who agreed to it: scrub, sign, wait, carry.

What must not leave (:class:`~rozaneh.probe.share.private.Private`) is looked for in every form that we can think of
(:mod:`~rozaneh.probe.share.forms`), removed (:mod:`~rozaneh.probe.share.scrub`), and looked for again in the very bytes
that would leave. Where the address is not known, or something is still found, nothing is kept or sent. What is left is
made coarse in time, signed with a key that lives for a week, and waits in a folder
(:mod:`~rozaneh.probe.share.waiting`) until it is sent to a collector (:mod:`~rozaneh.probe.share.collector`) or carried
by hand as a file of OONI measurements (:mod:`~rozaneh.probe.share.bundle`).
"""
