"""The process that keeps a tunnel in a network namespace of its own; :mod:`rozaneh.net.apart` starts it.

It is run as a file, with the standard library alone, because unshare(CLONE_NEWUSER) wants a process with one thread. In
the new namespace there is nothing but loopback and one TUN device, on which ``wireguard-go`` works. That program's own
UDP packets cannot leave the namespace: its peers are UDP sockets here, whose datagrams this process carries to sockets
that were made outside and handed in, and back. Whoever is at the channel's other end asks for sockets of the namespace
and gets them (``SCM_RIGHTS``). When the channel ends, or ``wireguard-go`` does, everything ends: no route, rule,
interface or file of the machine was ever touched.

Sources: user_namespaces(7), netdevice(7), ipv6(7); wireguard.com/xplatform for the configuration.
"""

import array
import ctypes
import errno
import fcntl
import ipaddress
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_NEWNS, _NEWUSER, _NEWNET = 0x0002_0000, 0x1000_0000, 0x4000_0000
_MS_REC, _MS_PRIVATE = 0x4000, 0x4_0000
_PR_SET_PDEATHSIG = 1
_GETFLAGS, _SETFLAGS, _SETADDRESS, _SETMASK, _SETMTU, _ADDROUTE = 0x8913, 0x8914, 0x8916, 0x891C, 0x8922, 0x890B
_UP, _ROUTE_UP = 0x1, 0x1
_INTERFACE = "rozaneh0"
_CONTROL = Path(f"/var/run/wireguard/{_INTERFACE}.sock")
_START_WITHIN = 10.0
_LARGEST = 65535
_ORDER = 1 << 20
_BEGINS = b"\x01\0\0\0"
"""How a handshake of WireGuard begins (its paper, 5.4.2)."""
_OTHER_NETWORK = {
    errno.EINVAL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EDESTADDRREQ,
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):
    """The system does not allow something; the message names the call."""


def _call(name: str, done: Callable[[], object]) -> None:
    try:
        done()
    except OSError as error:
        raise Refused(f"{name}: {error.strerror}") from error


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _leave() -> None:
    """Leave for a new network and mount namespace; whoever may not do that by right does it as root of a new user's."""
    user, group = os.geteuid(), os.getegid()
    try:
        _checked(_libc.unshare(_NEWNET | _NEWNS))
    except OSError:
        _call("unshare(CLONE_NEWUSER)", lambda: _checked(_libc.unshare(_NEWUSER | _NEWNET | _NEWNS)))
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            path = Path(f"/proc/self/{name}")
            _call(str(path), lambda path=path, text=text: path.write_text(text))  # type: ignore[misc]  # bound above
    private = _MS_REC | _MS_PRIVATE
    _call("mount(MS_PRIVATE)", lambda: _checked(_libc.mount(b"none", b"/", None, private, None)))
    # wireguard-go puts its socket below this folder, which must not be the machine's.
    _call("mount(/run)", lambda: _checked(_libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None)))


def _check_tun() -> None:
    """Whether ``wireguard-go`` will get its device; it says less clearly why not."""
    _call("open(/dev/net/tun)", lambda: os.close(os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)))


def _set_up(name: str, mtu: int = 0) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        if mtu:
            fcntl.ioctl(asks, _SETMTU, struct.pack("16si12x", name.encode(), mtu))
        held = fcntl.ioctl(asks, _GETFLAGS, struct.pack("16sh14x", name.encode(), 0))
        (flags,) = struct.unpack_from("h", held, 16)
        fcntl.ioctl(asks, _SETFLAGS, struct.pack("16sh14x", name.encode(), flags | _UP))


def _inet(packed: bytes) -> bytes:
    return struct.pack("H2x4s8x", socket.AF_INET, packed)


def _add_address(text: str) -> None:
    address = ipaddress.ip_interface(text)
    if address.version == 6:
        body = struct.pack("16sIi", address.packed[:16], address.network.prefixlen, socket.if_nametoindex(_INTERFACE))
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asks:
            fcntl.ioctl(asks, _SETADDRESS, body)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        name = struct.pack("16s", _INTERFACE.encode())
        fcntl.ioctl(asks, _SETADDRESS, name + _inet(address.ip.packed))
        fcntl.ioctl(asks, _SETMASK, name + _inet(address.netmask.packed))


def _add_route(text: str) -> None:
    network = ipaddress.ip_network(text, strict=False)
    index = socket.if_nametoindex(_INTERFACE)
    if network.version == 6:
        body = struct.pack(
            "16s16s16sIHHILIi",
            network.network_address.packed, bytes(16), bytes(16), 0, network.prefixlen, 0, 1024, 0, _ROUTE_UP, index,
        )  # fmt: skip
        family = socket.AF_INET6
    else:
        device = ctypes.create_string_buffer(_INTERFACE.encode())
        body = struct.pack(
            "L16s16s16sHhLPhPLLH6x",
            0, _inet(network.network_address.packed), _inet(bytes(4)), _inet(network.netmask.packed),
            _ROUTE_UP, 0, 0, 0, 0, ctypes.addressof(device), 0, 0, 0,
        )  # fmt: skip
        family = socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asks:
        try:
            fcntl.ioctl(asks, _ADDROUTE, body)
        except OSError as error:
            if error.errno != errno.EEXIST:  # the interface's own network has a route already
                raise


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _start_program(path: str) -> subprocess.Popen[bytes]:
    _CONTROL.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [path, "-f", _INTERFACE],
        env={"PATH": "/usr/bin:/bin", "LOG_LEVEL": "silent"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
    )


def _configure(program: subprocess.Popen[bytes], text: str) -> None:
    until = time.monotonic() + _START_WITHIN
    with socket.socket(socket.AF_UNIX) as control:
        while True:
            try:
                control.connect(str(_CONTROL))
                break
            except OSError:
                if program.poll() is not None:
                    raise Refused(f"wireguard-go ended with status {program.returncode}") from None
                if time.monotonic() > until:
                    raise Refused("wireguard-go does not answer") from None
                time.sleep(0.01)
        control.sendall(text.encode())
        answer = b""
        while b"\n\n" not in answer:
            got = control.recv(4096)
            if not got:
                break
            answer += got
    if b"errno=0" not in answer:
        raise Refused("wireguard-go does not take this configuration")


class Carried:
    """One peer: the socket here that wireguard-go takes for it, and the one outside that leads to it.

    The one outside keeps the address that it left from first. After a change of network that one is not ours any more,
    and whatever is sent fails, or vanishes; so it is connected anew when sending fails, and when a second handshake
    begins and nothing has come since the first.
    """

    def __init__(self, outside: socket.socket) -> None:
        self.outside = outside
        self._place = outside.getpeername()
        self._asked = False
        self.inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.inside.bind(("127.0.0.1", 0))
        for each in (self.inside, self.outside):
            each.setblocking(False)  # noqa: FBT003 - the system's own signature
        self._program: tuple[str, int] | None = None

    def carry(self, ready: socket.socket) -> None:
        """Carry what is there; what cannot be sent now is lost, as datagrams are."""
        for _ in range(64):
            try:
                if ready is self.inside:
                    data, self._program = self.inside.recvfrom(_LARGEST)
                    self._send(data)
                else:
                    data = self.outside.recv(_LARGEST)
                    self._asked = False
                    if self._program is not None:
                        self.inside.sendto(data, self._program)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of an earlier datagram

    def _send(self, data: bytes) -> None:
        begins = data[:4] == _BEGINS
        if begins and self._asked:
            self._leave_anew()
        self._asked = self._asked or begins
        try:
            self.outside.send(data)
        except OSError as error:
            if error.errno not in _OTHER_NETWORK:
                raise
            self._leave_anew()
            self.outside.send(data)

    def _leave_anew(self) -> None:
        """Let the system choose anew from which of this machine's addresses it leaves."""
        _libc.connect(self.outside.fileno(), bytes(16), 16)  # AF_UNSPEC: it is connected to nothing, connect(2)
        self.outside.connect(self._place)


def _answer(channel: socket.socket, asked: bytes) -> None:
    """Hand out a socket: ``stream`` or ``datagram`` and the digit of its family."""
    kind = socket.SOCK_STREAM if asked[:-1] == b"stream" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if asked[-1:] == b"6" else socket.AF_INET
    try:
        made = socket.socket(family, kind)
    except OSError as error:  # a kernel without IPv6, perhaps
        channel.send(str(error.errno).encode())
        return
    with made:
        channel.sendmsg([b"ok"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made.fileno()]))])


def _prepare(order: dict[str, object], peers: list[Carried]) -> subprocess.Popen[bytes]:
    program = _start_program(str(order["program"]))
    text = str(order["settings"])
    for index, peer in enumerate(peers):
        text = text.replace(f"{{peer{index}}}", f"127.0.0.1:{peer.inside.getsockname()[1]}")
    _configure(program, text)
    _set_up(_INTERFACE, int(str(order["mtu"])))
    for address in list(order["addresses"]):  # type: ignore[call-overload]  # a list of texts
        _add_address(address)
    for route in list(order["routes"]):  # type: ignore[call-overload]  # the same
        _add_route(route)
    return program


def main() -> int:
    """Make the namespace as the first message orders, then serve."""
    _die_with_parent()
    channel = socket.socket(fileno=int(sys.argv[1]))
    message, ancillary, _, _ = channel.recvmsg(_ORDER, socket.CMSG_SPACE(64 * 4))
    outside = array.array("i")
    for _, _, data in ancillary:
        outside.frombytes(data)
    try:
        _leave()
        _call("the loopback interface", lambda: _set_up("lo"))
        _check_tun()
        peers = [Carried(socket.socket(fileno=each)) for each in outside]
        program = _prepare(json.loads(message), peers)
    except Refused as refused:
        channel.send(str(refused).encode())
        return 1
    except OSError as error:
        channel.send(f"the tunnel's interface: {error.strerror}".encode())
        return 1
    channel.send(b"ready")
    return _serve(channel, peers, program)


def _serve(channel: socket.socket, peers: list[Carried], program: subprocess.Popen[bytes]) -> int:
    ended = os.pidfd_open(program.pid)
    poll = select.poll()
    carriers = {}
    for peer in peers:
        for each in (peer.inside, peer.outside):
            carriers[each.fileno()] = (peer, each)
    for fd in (channel.fileno(), ended, *carriers):
        poll.register(fd, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == ended:
                return 1
            if fd == channel.fileno():
                asked = channel.recv(64)
                if not asked:
                    program.kill()
                    return 0
                _answer(channel, asked)
            else:
                peer, ready = carriers[fd]
                peer.carry(ready)


if __name__ == "__main__":
    sys.exit(main())
