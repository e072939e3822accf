"""Which server stands where for each kind of service: the table of the package's text, as data and code."""

import asyncio
import errno
import ssl
from collections.abc import Iterator
from pathlib import Path

import msgspec

from rozaneh.core import LocalFault
from rozaneh.lab.topology import Service, World
from rozaneh.lab.world import plain, vpn
from rozaneh.lab.world.certificates import Authority
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.directory import Directory, option_flag, option_text
from rozaneh.lab.world.doors import Doors, Handler, MakeProtocol, hush
from rozaneh.lab.world.helper import Helper
from rozaneh.lab.world.prober import Prober
from rozaneh.lab.world.quic import Http3
from rozaneh.lab.world.relays import https_proxy, socks5
from rozaneh.lab.world.resolvers import OverUdp, over_stream
from rozaneh.lab.world.shadowsocks import shadowsocks
from rozaneh.lab.world.shadowsocks2022 import shadowsocks2022
from rozaneh.lab.world.sockets import HostSockets
from rozaneh.lab.world.ssh import ssh
from rozaneh.lab.world.terminator import terminator
from rozaneh.lab.world.tunnels import trojan, vless
from rozaneh.lab.world.web import Web, newest_tls


class Door(msgspec.Struct, frozen=True):
    """One server of a kind.

    Attributes:
        server: its name here.
        port: where it stands unless the service says otherwise.
        udp: whether it speaks datagrams.
        moves: whether it also stands on other ports that a service names.
    """

    server: str
    port: int
    udp: bool = False
    moves: bool = False


_DNS = (Door("dns-udp", 53, udp=True, moves=True), Door("dns-tcp", 53, moves=True))
KINDS: dict[str, tuple[Door, ...]] = {
    "banner": (Door("banner", 22, moves=True),),
    "block-page": (Door("http", 80, moves=True),),
    "collector": (Door("https", 443, moves=True),),
    "echo": (Door("echo", 7, moves=True), Door("echo-udp", 7, udp=True, moves=True)),
    "helper": (Door("https", 443, moves=True),),
    "https-proxy": (Door("https-proxy", 443, moves=True), Door("http", 80)),
    "opaque": (Door("opaque", 443, moves=True),),
    "openvpn": (Door("openvpn-udp", 1194, udp=True, moves=True), Door("openvpn-tcp", 1194, moves=True)),
    "plain-resolver": _DNS,
    "resolver": (*_DNS, Door("dot", 853), Door("https", 443), Door("http", 80)),
    "shadowsocks": (Door("shadowsocks", 8388, moves=True),),
    "shadowsocks-2022": (Door("shadowsocks-2022", 8390, moves=True),),
    "silence": (Door("silence", 443, moves=True),),
    "socks5": (Door("socks5", 1080, moves=True),),
    "ssh": (Door("ssh", 22, moves=True),),
    "terminator": (Door("terminator", 443, moves=True),),
    "tls": (Door("tls", 443, moves=True),),
    "trojan": (Door("trojan", 443, moves=True),),
    "vless": (Door("vless", 443, moves=True),),
    "web": (Door("http", 80), Door("https", 443, moves=True), Door("http3", 443, udp=True)),
    "wireguard": (Door("wireguard", 51820, udp=True, moves=True),),
}
_RELAYS = {"shadowsocks": shadowsocks, "shadowsocks-2022": shadowsocks2022, "socks5": socks5, "ssh": ssh}
_WARMED = ("web", "resolver", "https-proxy", "helper")
_AT_ONCE = 4
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
STATE_AUTHORITY = "Qaznet Trust Network"
"""The name of the authority whose certificates a ``terminator`` shows: that of Kazakhstan in 2019."""


def doors_of(service: Service) -> Iterator[tuple[Door, int]]:
    """The doors that a service has, each with its port.

    Raises:
        LocalFault: there is no such kind.
    """
    doors = KINDS.get(service.kind)
    if doors is None:
        raise LocalFault(f"service kind {service.kind!r} is unknown; expected one of {', '.join(KINDS)}")
    if not service.ports:
        yield from ((door, door.port) for door in doors)
        return
    own = {door.port for door in doors}
    for port in service.ports:
        yield from ((door, port) for door in doors if door.port == port or (door.moves and port not in own))


class Servers:
    """Puts services on their hosts.

    Args:
        world: networks, hosts and names.
        sockets: where sockets come from.
        room: a directory for short-lived files.
    """

    def __init__(self, world: World, sockets: HostSockets, room: Path) -> None:
        self.directory = Directory(world)
        self.authority = Authority("Rozaneh lab")
        self._states: dict[str, Authority] = {}
        self._sockets = sockets
        self._doors = Doors(sockets.origin)
        self._taken: dict[tuple[str, int, bool], str] = {}
        self._dialler = Dialler(self.directory, sockets)
        self.prober = Prober(self._dialler)
        self._helper = Helper(self.directory, self._dialler, self.authority)
        self._web = Web(self.directory, self.authority, self._helper.answer)
        self._http3 = Http3(self.directory, self.authority, self._web, self._doors, room)

    def stand(self, service: Service) -> None:
        """Open the doors of a service at all its addresses.

        Raises:
            LocalFault: its kind is unknown, an option is wrong, or another kind of server has its place.
            OSError: a socket could not be bound.
        """
        for door, port in doors_of(service):
            if door.server == "http3" and not option_flag(service, "http3", otherwise=True):
                continue
            for address in service.addresses:
                if self.directory.has(address) and self._free(address, port, door):
                    self._open_where_possible(door, service, address, port)

    async def warm(self) -> None:
        """Load and make what first visitors would wait for, a little at a time."""
        self._http3.load()
        addresses = [a for s in self.directory.services if _wants_warmth(s) for a in s.addresses]
        for start in range(0, len(addresses), _AT_ONCE):
            self._web.warm(addresses[start : start + _AT_ONCE])
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        """End all connections and doors."""
        await self._doors.close()

    def _free(self, address: str, port: int, door: Door) -> bool:
        place = (address, port, door.udp)
        other = self._taken.get(place)
        if other is not None and other != door.server:
            raise LocalFault(f"{address} port {port} cannot be {door.server}: {other} stands there")
        self._taken[place] = door.server
        return other is None

    def _open_where_possible(self, door: Door, service: Service, address: str, port: int) -> None:
        try:
            self._open(door, service, address, port)
        except OSError as error:
            if ":" not in address or error.errno not in _NO_IPV6:
                raise

    def _open(self, door: Door, service: Service, address: str, port: int) -> None:
        host = self.directory.host_of(address)
        if not door.udp:
            listener = self._sockets.listener(host, address, port)
            if door.server == "silence" and (fillers := hush(listener)):
                self._doors.keep(listener, *fillers)
                return
            handler = self._handler(door.server, service, address, host)
            self._doors.open(listener, handler)
            return
        raw = self._sockets.datagrams(host, address, port)
        if door.server == "http3":
            self._http3.stand(raw, address, self._sockets.origin)
        else:
            self._doors.open_datagrams(raw, self._datagrams(door.server))

    def _handler(self, server: str, service: Service, address: str, host: str) -> Handler:
        match server:
            case "http":
                return self._web.plain(address)
            case "https":
                return self._web.secure(address)
            case "https-proxy":
                return https_proxy(service, host, address, self._dialler, self._web)
            case "trojan":
                return trojan(service, host, address, self._dialler, self._web)
            case "vless":
                return vless(service, host, address, self._dialler, self._web)
            case "shadowsocks" | "shadowsocks-2022" | "socks5" | "ssh":
                return _RELAYS[server](service, host, self._dialler)
            case "terminator":
                issuer = option_text(service, "issuer", STATE_AUTHORITY)
                state = self._states.setdefault(issuer, Authority(issuer))
                return terminator(host, state, newest_tls(service), self._dialler, self.authority.client_context())
            case _:
                return self._speaker(server, service, address)

    def _speaker(self, server: str, service: Service, address: str) -> Handler:
        def context() -> ssl.SSLContext:
            return self._web.front(address)

        return {
            "dns-tcp": over_stream(self.directory),
            "dot": over_stream(self.directory, context),
            "silence": plain.echo,
            "echo": plain.echo,
            "banner": plain.banner(option_text(service, "text")),
            "opaque": plain.opaque(),
            "tls": plain.opaque(context),
            "openvpn-tcp": vpn.openvpn_over_tcp,
        }[server]

    def _datagrams(self, server: str) -> MakeProtocol:
        return {
            "dns-udp": lambda: OverUdp(self.directory),
            "echo-udp": plain.EchoDatagrams,
            "openvpn-udp": lambda: vpn.AnswersDatagrams(vpn.answer_openvpn),
            "wireguard": lambda: vpn.AnswersDatagrams(vpn.answer_wireguard),
        }[server]


def _wants_warmth(service: Service) -> bool:
    """The sites that tests time. A certificate takes two milliseconds: for the rest its visitor can wait."""
    return service.kind in _WARMED and any(name.endswith(".example") or "dns" in name for name in service.names)
