"""Real programs on hosts of the lab: what the product must get on with outside, run against it inside.

A peer says what to start and where it will listen; :func:`start` runs it on a host, waits until it listens *and* still
lives, and ends it. A program that is not installed is never a silent pass: :func:`absent` says so in words. ::

    with Lab() as lab, start(lab.host("relay"), SsServer(address="45.76.10.11", port=18388, password="x")) as server:
        ...
        print(server.log)
"""

from rozaneh.lab.tools.peers import Microsocks, Nginx, SsLocal, SsServer
from rozaneh.lab.tools.running import Peer, Running, absent, find, start

__all__ = ["Microsocks", "Nginx", "Peer", "Running", "SsLocal", "SsServer", "absent", "find", "start"]
