"""The wire's ends of the hosts' interfaces: both kinds read and write whole IP packets without waiting."""

import os
import socket
from collections.abc import Callable
from functools import partial

_LARGEST = 9300
_ETHERTYPE_IPV4, _ETHERTYPE_IPV6 = b"\x08\x00", b"\x86\xdd"
_WIRE_MAC = b"\x06\0\0\0\0\0"


class Port:
    """One interface.

    Attributes:
        fd: for polling.
        read: the next IP packet that the host has sent; ``BlockingIOError`` when there is none.
        write: give the host an IP packet; ``OSError`` when it has no room.
        captured: whether packets here go into the pcap.
    """

    __slots__ = ("captured", "close", "fd", "read", "write")

    fd: int
    read: Callable[[], bytes]
    write: Callable[[bytes], object]
    close: Callable[[], None]
    captured: bool


def tun_port(fd: int) -> Port:
    """A TUN device."""
    port = Port()
    port.fd = fd
    port.read = partial(os.read, fd, _LARGEST)
    port.write = partial(os.write, fd)
    port.close = partial(os.close, fd)
    port.captured = False
    return port


def packet_port(fd: int, mac: bytes) -> Port:
    """An AF_PACKET socket on the wire's end of a veth pair; ``mac`` is that of the host's end.

    The Ethernet header is written here and not by the kernel, because an address given to ``sendto`` costs one more
    system call for each packet.
    """
    end = socket.socket(fileno=fd)
    receive, send = end.recv, end.send
    head_ipv4 = mac + _WIRE_MAC + _ETHERTYPE_IPV4
    head_ipv6 = mac + _WIRE_MAC + _ETHERTYPE_IPV6

    def read() -> bytes:
        return receive(_LARGEST)[14:]

    def write(raw: bytes) -> object:
        return send((head_ipv4 if raw[0] < 0x60 else head_ipv6) + raw)

    port = Port()
    port.fd = fd
    port.read = read
    port.write = write
    port.close = end.close
    port.captured = False
    return port
