"""A ClientHello of our own, for a search that no client asked for."""

import ssl
from contextlib import suppress

from rozaneh.core import Target
from rozaneh.finder.flight import Flight, FlightReader

__all__ = ["greeting"]


def greeting(target: Target) -> Flight:
    """What a search says to a target, so that its answer can be told from a censor's: a ClientHello, or a request."""
    if target.speaks == "http":
        said = f"HEAD / HTTP/1.1\r\nHost: {target.host}\r\nConnection: close\r\n\r\n".encode("ascii")
    else:
        outgoing = ssl.MemoryBIO()
        shaking = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=target.host)
        with suppress(ssl.SSLWantReadError):
            shaking.do_handshake()
        said = outgoing.read()
    reader = FlightReader()
    return reader.feed(said) or reader.give_up()
