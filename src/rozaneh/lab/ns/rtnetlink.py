"""Links, addresses and routes without the ``ip`` program: a little of rtnetlink(7).

One instance speaks for the network namespace in which it was made.
"""

import os
import socket
import struct
from types import TracebackType
from typing import Self

from rozaneh.lab.ns.calls import CallRefused

_NEWLINK, _DELLINK, _NEWADDR, _DELADDR, _NEWROUTE = 16, 17, 20, 21, 24
_REQUEST, _ACK, _CREATE_NEW = 0x1, 0x4, 0x600  # NLM_F_CREATE | NLM_F_EXCL
_ERROR = 2

_IFF_UP, _IFF_NOARP = 0x1, 0x80
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_TXQLEN, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 4, 13, 18, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_F_NODAD = 1, 2, 0x02
_RTA_OIF, _RTA_PREFSRC = 4, 7
_TABLE_MAIN, _PROTO_BOOT, _SCOPE_UNIVERSE, _SCOPE_LINK, _TYPE_UNICAST = 254, 3, 0, 253, 1


class Rtnetlink:
    """A conversation with the kernel about the interfaces of one network namespace."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def make_veth(self, name: str, mac: bytes, peer: str, peer_mac: bytes, peer_net: int) -> None:
        """A cable with two ends: one here, the other in another network namespace."""
        end = _link(0, 0, 0) + _text(_IFLA_IFNAME, peer) + _attribute(_IFLA_ADDRESS, peer_mac)
        end += _attribute(_IFLA_NET_NS_FD, struct.pack("I", peer_net))
        info = _text(_IFLA_INFO_KIND, "veth") + _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, end))
        body = _link(0, 0, 0) + _text(_IFLA_IFNAME, name) + _attribute(_IFLA_ADDRESS, mac)
        self._ask("RTM_NEWLINK veth", _NEWLINK, body + _attribute(_IFLA_LINKINFO, info), _CREATE_NEW)

    def bring_up(self, index: int, *, mtu: int = 0, queue: int = 0, arp: bool = True) -> None:
        """Set an interface up.

        Args:
            index: of the interface.
            mtu: in bytes; 0 leaves it.
            queue: packets that may wait for the device; 0 leaves it.
            arp: without it every packet goes to the one fixed neighbour.
        """
        flags = _IFF_UP | (0 if arp else _IFF_NOARP)
        body = _link(index, flags, flags)
        if mtu:
            body += _attribute(_IFLA_MTU, struct.pack("I", mtu))
        if queue:
            body += _attribute(_IFLA_TXQLEN, struct.pack("I", queue))
        self._ask("RTM_NEWLINK up", _NEWLINK, body)

    def remove_link(self, index: int) -> None:
        """Remove an interface, and with a veth its other end."""
        self._ask("RTM_DELLINK", _DELLINK, _link(index, 0, 0))

    def add_address(self, index: int, address: str) -> None:
        """Give an interface one address, usable at once."""
        self._ask(f"RTM_NEWADDR {address}", _NEWADDR, _address(index, address), _CREATE_NEW)

    def remove_address(self, index: int, address: str) -> None:
        """Take an address away."""
        self._ask(f"RTM_DELADDR {address}", _DELADDR, _address(index, address))

    def add_default_route(self, index: int, source: str) -> None:
        """Send everything of one address family out of one interface, by default from this source."""
        family, packed = _packed(source)
        scope = _SCOPE_LINK if family == socket.AF_INET else _SCOPE_UNIVERSE
        body = struct.pack("BBBBBBBBI", family, 0, 0, 0, _TABLE_MAIN, _PROTO_BOOT, scope, _TYPE_UNICAST, 0)
        body += _attribute(_RTA_OIF, struct.pack("I", index)) + _attribute(_RTA_PREFSRC, packed)
        self._ask("RTM_NEWROUTE default", _NEWROUTE, body, _CREATE_NEW)

    def _ask(self, call: str, kind: int, body: bytes, flags: int = 0) -> None:
        self._sequence += 1
        head = struct.pack("IHHII", 16 + len(body), kind, _REQUEST | _ACK | flags, self._sequence, 0)
        self._socket.send(head + body)
        answer = self._socket.recv(65536)
        (kind,) = struct.unpack_from("H", answer, 4)
        if kind != _ERROR:
            raise CallRefused(call, 5)
        (number,) = struct.unpack_from("i", answer, 16)
        if number:
            raise CallRefused(call, -number)


def set_offloads_off(interface: str) -> None:
    """Let the kernel finish every checksum and segment itself, because the wire must see finished packets."""
    import ctypes  # noqa: PLC0415 - only here is a pointer needed
    import fcntl  # noqa: PLC0415 - the same

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in _OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP", os.fsencode(interface), ctypes.addressof(value)) + bytes(16)
            try:
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
            except OSError as error:
                if command in _ESSENTIAL:
                    raise CallRefused(f"ioctl(SIOCETHTOOL {command:#x})", error.errno or 0) from error


_SIOCETHTOOL = 0x8946
_OFFLOADS = (0x17, 0x15, 0x1F, 0x24, 0x2C)  # transmit and receive checksums, TSO, GSO, GRO
_ESSENTIAL = (0x17,)


def _attribute(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("HH", length, kind) + data + bytes(-length % 4)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _link(index: int, flags: int, change: int) -> bytes:
    return struct.pack("BxHiII", 0, 0, index, flags, change)


def _packed(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def _address(index: int, address: str) -> bytes:
    family, packed = _packed(address)
    flags = _IFA_F_NODAD if family == socket.AF_INET6 else 0
    body = struct.pack("BBBBI", family, len(packed) * 8, flags, 0, index)
    if family == socket.AF_INET:
        body += _attribute(_IFA_LOCAL, packed)
    return body + _attribute(_IFA_ADDRESS, packed)
