"""The local front: one loopback port that speaks SOCKS5 and HTTP CONNECT, for programs that know nothing of all this.

A client asks for a host and a port, never for an address that it resolved itself, and says its first bytes. The finder
gets those through by whatever way works, and the pump moves the rest. What the gateway tells about a connection holds
the way and how it ended; the host is in it only where the user asked for that.
"""

from rozaneh.gateway.events import Closed, Event, Opened, Refused
from rozaneh.gateway.gateway import Gateway, Limits

__all__ = ["Closed", "Event", "Gateway", "Limits", "Opened", "Refused"]
