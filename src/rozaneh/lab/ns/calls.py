"""The system calls that Python 3.11 lacks, by ctypes; standard library only.

Every refused call raises :class:`CallRefused`, which knows the call's name, so that a person can be told which
permission is missing. Sources: unshare(2), setns(2), mount(2), prctl(2), user_namespaces(7), capabilities(7).
"""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x2, 0x4, 0x8
MS_BIND = 0x1000
MS_REC, MS_PRIVATE = 0x4000, 0x4_0000

_PR_SET_PDEATHSIG = 1
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_VERSION_3 = 0x2008_0522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p)


class CallRefused(OSError):
    """A system call failed.

    Attributes:
        call: what was called, as a person would write it, for instance ``unshare(CLONE_NEWUSER)``.
    """

    def __init__(self, call: str, number: int) -> None:
        super().__init__(number, os.strerror(number))
        self.call = call

    def __str__(self) -> str:
        return f"{self.call}: {self.strerror}"


@contextmanager
def named(call: str) -> Iterator[None]:
    """Give any ``OSError`` of the body the name of the call that it stands for."""
    try:
        yield
    except CallRefused:
        raise
    except OSError as error:
        raise CallRefused(call, error.errno or 0) from error


def _done(result: int, call: str) -> None:
    if result != 0:
        raise CallRefused(call, ctypes.get_errno())


def unshare(flags: int, names: str) -> None:
    """Leave namespaces for new ones; with ``CLONE_NEWUSER`` the process must have one thread only."""
    _done(_libc.unshare(flags), f"unshare({names})")


def setns(fd: int, kind: int, name: str) -> None:
    """Enter the namespace that a file descriptor stands for. Concerns the calling thread."""
    _done(_libc.setns(fd, kind), f"setns({name})")


def mount(source: str, target: str, filesystem: str | None, flags: int) -> None:
    """Mount a file system, or change how one is mounted."""
    kind = filesystem.encode() if filesystem else None
    _done(_libc.mount(source.encode(), os.fsencode(target), kind, flags, None), f"mount({target})")


def make_mounts_private() -> None:
    """Leave the mount namespace for a copy whose changes nobody else sees."""
    unshare(CLONE_NEWNS, "CLONE_NEWNS")
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def bind(source: str, target: str) -> None:
    """Show one file in the place of another."""
    mount(source, target, None, MS_BIND)


def die_with_parent(signal_number: int) -> None:
    """Ask for a signal when the thread that forked this process ends. Call it first thing in a child, then check."""
    _done(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def keep_capabilities_over_exec() -> None:
    """Let the programs that this process will exec keep the capabilities it has in its user namespace.

    Without it a program that is not root loses them at exec, and then ``ping`` and ``tcpdump`` cannot open raw sockets.
    """
    header = struct.pack("Ii", _CAP_VERSION_3, 0)
    data = ctypes.create_string_buffer(24)
    _done(_libc.capget(header, data), "capget")
    low_effective, low_permitted, _, high_effective, high_permitted, _ = struct.unpack("6I", data.raw)
    wanted = struct.pack(
        "6I", low_effective, low_permitted, low_permitted, high_effective, high_permitted, high_permitted
    )
    _done(_libc.capset(header, wanted), "capset")
    held = low_permitted | high_permitted << 32
    for capability in range(64):
        if held >> capability & 1:
            # A capability that the kernel does not know or that is locked is not worth failing for.
            _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def current_net() -> int:
    """A file descriptor of the calling thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_net() -> int:
    """A new, empty network namespace, as the file descriptor that keeps it alive."""
    home = current_net()
    try:
        unshare(CLONE_NEWNET, "CLONE_NEWNET")
        try:
            return current_net()
        finally:
            setns(home, CLONE_NEWNET, "CLONE_NEWNET")
    finally:
        os.close(home)


@contextmanager
def inside(net: int) -> Iterator[None]:
    """Run the body in a network namespace: a socket keeps for ever the namespace in which it was made.

    Never wait for anything in the body: the whole thread has moved.
    """
    home = current_net()
    try:
        setns(net, CLONE_NEWNET, "CLONE_NEWNET")
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET, "CLONE_NEWNET")
    finally:
        os.close(home)


def write_file(path: str, text: str) -> None:
    """Write a file of the kernel in one call, or name it in the refusal."""
    with named(f"write({path})"):
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
