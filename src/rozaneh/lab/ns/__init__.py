"""Hosts as network namespaces, without root and with nothing left on disk.

Theory of operation. The process that uses the lab keeps its own namespaces and privileges; it starts a *guardian*
(:mod:`rozaneh.lab.ns.supervisor`), which unshares user, network, mount and process namespaces and forks the
*supervisor* as process 1 of the new process namespace. The supervisor makes one network namespace for each host, each
held by a file descriptor alone, and forks the wire and the world. ::

    caller ──channel── supervisor (pid 1) ──channel── wire       every cable, router and censor
      │                    │ └── world                           every server
      └─ enter.py ─► program, in a host's namespaces

Why nothing is left: whoever is killed, the rest follows. The caller's end of the channel closes, or its pidfd becomes
readable, and the supervisor ends; the supervisor ends, and the kernel kills every process of its process namespace; the
last process ends, and with it every namespace, interface and route.
"""
