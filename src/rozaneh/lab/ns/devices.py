"""A host: a network namespace, one interface in it, and the wire's end of that interface."""

import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rozaneh.lab.ns.calls import CallRefused, inside, named, new_net, write_file
from rozaneh.lab.ns.messages import Tier
from rozaneh.lab.ns.rtnetlink import Rtnetlink, set_offloads_off

INTERFACE = "eth0"
_TUN_DEVICE = "/dev/net/tun"
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x1, 0x1000
_TUNSETPERSIST = 0x400454CB
_QUEUE = 10_000  # with the default of 500 a fast sender loses thousands of packets in its own TUN device
_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_RECEIVE_BUFFER = 8 << 20

_SETTINGS = {
    # Loss and throttling look far too good under BBR, the default on some machines; cubic is not open to everyone.
    "ipv4/tcp_congestion_control": "reno",
    # One connection must not teach the next: a cell's outcome may not depend on the cell before it.
    "ipv4/tcp_no_metrics_save": "1",
    "ipv4/ip_unprivileged_port_start": "0",
    "ipv4/icmp_ratelimit": "0",
    "ipv4/tcp_rmem": "4096 1048576 8388608",
    "ipv4/tcp_wmem": "4096 1048576 8388608",
}
_SETTINGS_IPV6 = {
    "ipv6/conf/all/disable_ipv6": "0",
    "ipv6/conf/default/disable_ipv6": "0",
    # No link-local address: a host should say nothing before it is asked to.
    "ipv6/conf/default/addr_gen_mode": "1",
    "ipv6/conf/default/accept_ra": "0",
    "ipv6/conf/default/router_solicitations": "0",
    "ipv6/icmp/ratelimit": "0",
}


@dataclass(frozen=True, kw_only=True)
class Device:
    """What the supervisor keeps of a host.

    Attributes:
        net: its network namespace.
        wire: the wire's end of the interface; closed here once the wire has it.
        mac: the hardware address of the host's end, for ``veth``.
        index: the interface's number in the host.
        addresses: those that the interface has.
    """

    net: int
    wire: int
    mac: bytes
    index: int
    addresses: tuple[str, ...]


class Workshop:
    """Makes hosts, all by the same tier."""

    def __init__(self, tier: Tier, *, ipv6: bool) -> None:
        self.tier = tier
        self.ipv6 = ipv6
        self._made = 0
        self._hub = new_net() if tier == "veth" else -1
        if tier == "veth":
            with inside(self._hub):
                self._hub_links = Rtnetlink()
                write_settings({}, ipv6=ipv6)

    def make(self, addresses: Sequence[str], mtu: int) -> Device:
        """One host.

        Raises:
            CallRefused: with the call that failed.
        """
        usable = tuple(address for address in addresses if self.ipv6 or ":" not in address)
        net = new_net()
        self._made += 1
        mac = struct.pack("!BBI", 2, 0, self._made)
        with inside(net):
            # Before there is an interface, because an interface takes its settings from the defaults when it is made.
            write_settings(_SETTINGS, ipv6=self.ipv6)
            wire = _tun() if self.tier == "tun" else -1
        if self.tier == "veth":
            wire = self._veth(net, mac, mtu)
        with inside(net):
            index = socket.if_nametoindex(INTERFACE)
            with Rtnetlink() as links:
                links.bring_up(socket.if_nametoindex("lo"))
                if self.tier == "veth":
                    set_offloads_off(INTERFACE)
                links.bring_up(index, mtu=mtu, queue=_QUEUE, arp=self.tier == "tun")
                for address in usable:
                    links.add_address(index, address)
                for first in _first_of_each_family(usable):
                    links.add_default_route(index, first)
        return Device(net=net, wire=wire, mac=mac, index=index, addresses=usable)

    def add_addresses(self, device: Device, addresses: Sequence[str]) -> None:
        """Give a host more addresses."""
        with inside(device.net), Rtnetlink() as links:
            for address in addresses:
                links.add_address(device.index, address)

    def remove_addresses(self, device: Device, addresses: Sequence[str]) -> None:
        """Take addresses away from a host."""
        with inside(device.net), Rtnetlink() as links:
            for address in addresses:
                links.remove_address(device.index, address)

    def _veth(self, net: int, mac: bytes, mtu: int) -> int:
        name = f"w{self._made}"
        self._hub_links.make_veth(name, struct.pack("!BBI", 6, 0, self._made), INTERFACE, mac, net)
        with inside(self._hub):
            index = socket.if_nametoindex(name)
            set_offloads_off(name)
            self._hub_links.bring_up(index, mtu=mtu, queue=_QUEUE, arp=False)
            with named("socket(AF_PACKET)"):
                end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
                end.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
                end.bind((name, _ETH_P_ALL))
        return end.detach()


def write_settings(settings: dict[str, str], *, ipv6: bool) -> None:
    """Write sysctls of the network namespace in which the thread is; what this kernel lacks is passed over."""
    for name, value in {**settings, **(_SETTINGS_IPV6 if ipv6 else {})}.items():
        with suppress(CallRefused):
            write_file(f"/proc/sys/net/{name}", value)


def has_ipv6() -> bool:
    """Whether this kernel speaks IPv6 at all."""
    return Path("/proc/sys/net/ipv6").is_dir()


def _tun() -> int:
    with named(f"open({_TUN_DEVICE})"):
        fd = os.open(_TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with named("ioctl(TUNSETIFF)"):
            fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", INTERFACE.encode(), _IFF_TUN | _IFF_NO_PI))
            # It goes with its namespace, in the background, and not while somebody waits for this descriptor to close.
            fcntl.ioctl(fd, _TUNSETPERSIST, 1)
    except CallRefused:
        os.close(fd)
        raise
    return fd


def _first_of_each_family(addresses: Sequence[str]) -> list[str]:
    four = [address for address in addresses if ":" not in address]
    six = [address for address in addresses if ":" in address]
    return four[:1] + six[:1]
