"""Process 1 of a lab: it owns the hosts, forks the wire and the world, and does what the caller asks.

It is started as a fresh process (:mod:`rozaneh.lab.ns.launch`), because unshare(CLONE_NEWUSER) wants a process with one
thread. The started process becomes the *guardian*: it leaves for new namespaces, forks the supervisor and waits for it,
and removes the lab's folder at the end. See the package's text for who dies with whom.
"""

import os
import resource
import select
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from rozaneh.core import LocalFault
from rozaneh.lab.ns import calls, hosts, messages
from rozaneh.lab.ns.channel import Channel, ChannelClosed
from rozaneh.lab.ns.devices import has_ipv6

_ENDED = 0


def main() -> int:
    """The guardian. Arguments: the channel's file descriptor, and the lab's folder, which is locked and exists."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    folder = sys.argv[2]
    caller = os.pidfd_open(os.getppid())
    try:
        message, _ = channel.receive()
        try:
            leave()
        except calls.CallRefused as refused:
            _answer_refused(channel, message, refused)
            return _ENDED
        return _guard(channel, message, caller)
    except ChannelClosed:
        return _ENDED
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def leave() -> None:
    """Leave for new user, network, mount and process namespaces, keeping all capabilities inside.

    The user keeps their own number inside, so that programs that refuse to run as root run. Root keeps all users, and
    where a user namespace is refused even to root, does without.

    Raises:
        CallRefused: namespaces are not allowed here.
    """
    user, group = os.geteuid(), os.getegid()
    mapper = _Mapper() if user == 0 else None
    try:
        calls.unshare(calls.CLONE_NEWUSER, "CLONE_NEWUSER")
    except calls.CallRefused:
        if mapper is None:
            raise
        mapper.dismiss()
    else:
        if mapper is None or not mapper.map_all():
            calls.write_file("/proc/self/setgroups", "deny")
            calls.write_file("/proc/self/uid_map", f"{user} {user} 1")
            calls.write_file("/proc/self/gid_map", f"{group} {group} 1")
    rest = calls.CLONE_NEWNET | calls.CLONE_NEWNS | calls.CLONE_NEWPID
    calls.unshare(rest, "CLONE_NEWNET|CLONE_NEWNS|CLONE_NEWPID")


class _Mapper:
    """A child that stays in the old user namespace, because only from there can root map more users than itself."""

    def __init__(self) -> None:
        target = os.getpid()
        mine, its = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            mine.close()
            os._exit(self._map(target) if its.recv(1) == b"m" else 1)
        its.close()
        self._mine = mine

    def map_all(self) -> bool:
        """Map every user and group to itself; whether that was allowed."""
        self._mine.send(b"m")
        return self.dismiss()

    def dismiss(self) -> bool:
        self._mine.close()
        return os.waitpid(self._pid, 0)[1] == 0

    @staticmethod
    def _map(target: int) -> int:
        try:
            for kind in ("uid_map", "gid_map"):
                lines = Path(f"/proc/self/{kind}").read_text(encoding="ascii").splitlines()
                each = [f"{first} {first} {count}" for first, _, count in map(str.split, lines)]
                calls.write_file(f"/proc/{target}/{kind}", "\n".join(each))
        except OSError:
            return 1
        return 0


def _answer_refused(channel: Channel, message: bytes, refused: calls.CallRefused) -> None:
    build = messages.decode_request(message)
    tiers = build.tiers if isinstance(build, messages.Build) else ()
    each = tuple(messages.Refusal(tier=tier, call=refused.call, errno=refused.errno or 0) for tier in tiers)
    with suppress(ChannelClosed):
        channel.send(messages.encode(messages.Built(tier=None, refused=each)))


def _guard(channel: Channel, message: bytes, caller: int) -> int:
    itself = os.pidfd_open(os.getpid())
    child = os.fork()
    if child == 0:
        _supervise(channel, message, caller, itself)
    channel.close()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    os.waitpid(child, 0)
    return _ENDED


def _supervise(channel: Channel, message: bytes, caller: int, guardian: int) -> NoReturn:
    try:
        calls.die_with_parent(signal.SIGKILL)
        if not select.select([guardian], [], [], 0)[0]:
            Supervisor(channel, caller).run(message)
    finally:
        # With this process the kernel ends every other of the lab, whatever went wrong here.
        os._exit(_ENDED)


class Supervisor:
    """Serves one caller until that caller, the wire or the world has gone."""

    def __init__(self, channel: Channel, caller: int) -> None:
        self._channel = channel
        self._caller = caller
        self._hosts = hosts.Hosts(has_ipv6())
        self._children: dict[int, str] = {}

    def run(self, first: bytes) -> None:
        """Answer requests, the first of which has already come."""
        wake, self._wakened = socket.socketpair()
        wake.setblocking(False)  # noqa: FBT003 - the system's own signature
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        poll = select.poll()
        for fd in (self._channel.fileno(), self._caller, self._wakened.fileno()):
            poll.register(fd, select.POLLIN)
        with suppress(ChannelClosed):
            self._answer(messages.decode_request(first), [])
            while True:
                ready = {fd for fd, _ in poll.poll()}
                if self._caller in ready or (self._wakened.fileno() in ready and not self._reap()):
                    break
                if self._channel.fileno() in ready:
                    self._answer(*messages.next_request(self._channel))
        self._hosts.close()

    def _reap(self) -> bool:
        """Collect the children that have ended; whether the wire and the world still live."""
        self._wakened.recv(4096)
        while True:
            try:
                child, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if child == 0:
                return True
            if child in self._hosts.essential:
                os.write(2, f"the lab's {self._hosts.essential[child]} has ended\n".encode())
                return False

    def _answer(self, request: messages.AnyRequest, fds: list[int]) -> None:
        given: list[int] = []
        try:
            reply = self._hosts.do(request, fds, given)
        except calls.CallRefused as refused:
            reply = messages.Refusal(call=refused.call, errno=refused.errno or 0)
        except LocalFault as fault:
            reply = messages.Fault(text=str(fault))
        except OSError as error:
            reply = messages.Refusal(call=type(request).__name__, errno=error.errno or 0)
        try:
            self._channel.send(messages.encode(reply), given)
        finally:
            for fd in (*fds, *given):
                os.close(fd)
