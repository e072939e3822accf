"""The programs that a ``client`` expectation may name, and how each is called.

The text of an expectation is a command: the name of the client and arguments that are added to its own, for instance
``dig @8.8.8.8 +tcp`` or ``curl --tls-max 1.2``.
"""

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType

import msgspec

from rozaneh.core import LocalFault, Target
from rozaneh.lab.check.programs.__main__ import PROGRAMS

SECONDS = 4
"""How long a program waits in silence; round trips of the lab take 44 ms."""
PATIENT_SECONDS = 14
"""The same for long downloads and where packets get lost by chance."""
_CURL_FACTS = (
    "\\n[curl] HTTP %{http_code} from %{remote_ip} in %{time_total} s, %{size_download} bytes, "
    "rate %{speed_download}, to %{redirect_url}\\n"
)

Arguments = Callable[[list[str], Target, int], list[str]]


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A program.

    Attributes:
        name: as expectations name it.
        program: the executable; its absence skips the check.
        package: the Debian package that brings it.
        arguments: from the expectation's own arguments, the target and the seconds to wait to all of them.
    """

    name: str
    program: str
    package: str
    arguments: Arguments


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A client, ready to run.

    Attributes:
        client: which.
        text: the expectation's text.
        target: what it is pointed at.
        argv: the command.
        seconds: how long it may take in silence.
    """

    client: Client
    text: str
    target: Target
    argv: tuple[str, ...]
    seconds: int

    @property
    def is_installed(self) -> bool:
        """Whether the program is here."""
        return shutil.which(self.client.program) is not None


def prepare(text: str, target: Target, *, patient: bool = False) -> Call:
    """The command that an expectation means.

    Raises:
        LocalFault: no such client; the message lists those there are.
    """
    try:
        name, *given = shlex.split(text)
    except ValueError as error:
        raise LocalFault(f"client {text!r}: {error}") from None
    client = CLIENTS.get(name)
    if client is None:
        raise LocalFault(f"no client {name!r}; expected one of: {', '.join(CLIENTS)}")
    seconds = PATIENT_SECONDS if patient or target.path.startswith("/bytes/") else SECONDS
    argv = (client.program, *client.arguments(given, target, seconds))
    return Call(client=client, text=text, target=target, argv=argv, seconds=seconds)


def prepare_before(text: str, client: str, *, patient: bool = False) -> Call:
    """The command of an ``after`` entry: a target, asked as the client asks, or a whole command that ends in one."""
    command, _, target = text.rpartition(" ")
    return prepare(command or client, Target.parse(target), patient=patient)


def _curl(given: list[str], target: Target, seconds: int) -> list[str]:
    return ["-q", "-sSv", "-m", str(seconds), "-w", _CURL_FACTS, *given, str(target)]


def _dig(given: list[str], target: Target, _seconds: int) -> list[str]:
    return ["+time=2", "+tries=1", "+nocookie", *given, target.host]


def _openssl(given: list[str], target: Target, _seconds: int) -> list[str]:
    name = [] if "-noservername" in given or target.is_literal else ["-servername", target.host]
    where = ["-connect", target.authority, "-verify_return_error", "-no_ign_eof"]
    if target.is_literal and "-noservername" not in given:
        where.append("-noservername")
    return ["s_client", *where, *name, *given]


def _ping(given: list[str], target: Target, _seconds: int) -> list[str]:
    return ["-n", "-c", "2", "-i", "0.2", "-W", "2", *given, target.host]


def _own(name: str) -> Arguments:
    def arguments(given: list[str], target: Target, _seconds: int) -> list[str]:
        return ["-m", "rozaneh.lab.check.programs", name, str(target), *given]

    return arguments


CLIENTS: Mapping[str, Client] = MappingProxyType(
    {
        "curl": Client(name="curl", program="curl", package="curl", arguments=_curl),
        "dig": Client(name="dig", program="dig", package="bind9-dnsutils", arguments=_dig),
        "openssl": Client(name="openssl", program="openssl", package="openssl", arguments=_openssl),
        "ping": Client(name="ping", program="ping", package="iputils-ping", arguments=_ping),
        **{
            name: Client(name=name, program=sys.executable, package=PurePath(sys.executable).name, arguments=_own(name))
            for name in PROGRAMS
        },
    }
)
