"""``tor:BRIDGE-LINE[;BRIDGE-LINE...]``, or ``tor`` alone: go through Tor, by a real ``tor`` that is started for it.

With a bridge by obfs4, webtunnel or snowflake the transport's own program is needed beside it. It hides who you are
from the site and what you reach from the network; it is slow, and many sites refuse it. Without a bridge Tor is
blocked where Tor is blocked: its relays are a public list. What ``tor`` keeps is in a folder that goes when it ends,
so every start is a first one and takes from half a minute to several.
"""

import shutil
import tempfile
from functools import partial
from pathlib import Path

from rozaneh.core import Element, Spec
from rozaneh.dialers.helper import LOOPBACK, Helper, found, only_here
from rozaneh.dialers.program import Exec
from rozaneh.links.tor import Bridge, parse
from rozaneh.links.url import decoded
from rozaneh.net import Dialer, Network

_PATIENCE = 180.0
_PROGRAMS = {
    "obfs4": ("obfs4proxy", "lyrebird"),
    "webtunnel": ("webtunnel-client", "lyrebird"),
    "snowflake": ("snowflake-client", "lyrebird"),
}


def torrc(port: int, folder: str, bridges: tuple[Bridge, ...], programs: dict[str, str]) -> str:
    """The configuration of a ``tor`` that only serves us, and ends when we do."""
    lines = [
        f"SocksPort {LOOPBACK}:{port}",
        "ControlPort 0",
        f"DataDirectory {folder}/data",
        "ClientOnly 1",
        "AvoidDiskWrites 1",
        "Log err stderr",
        f"UseBridges {int(bool(bridges))}",
        *(f"ClientTransportPlugin {name} exec {path}" for name, path in programs.items()),
        *(f"Bridge {str(bridge).removeprefix('Bridge ')}" for bridge in bridges),
    ]
    return "\n".join(lines) + "\n"


def build(element: Element, network: Network) -> Dialer:
    """Make the leaf from its element."""
    only_here(network, "tor")
    bridges = tuple(parse(decoded(line)) for line in element.argument.split(";") if line.strip())
    program = found("tor")
    programs = {each: found(*_PROGRAMS[each]) for each in sorted({bridge.transport for bridge in bridges} - {""})}
    return Exec(_Tor(program, bridges, programs).helper, network, Spec((element,)), _PATIENCE)


class _Tor:
    """A ``tor`` with a folder of its own for as long as it runs."""

    def __init__(self, program: str, bridges: tuple[Bridge, ...], programs: dict[str, str]) -> None:
        self._program = program
        self._configure = partial(torrc, bridges=bridges, programs=programs)
        self._folders: list[str] = []
        self.helper = Helper(self._arguments, clean=self._clean)

    def _arguments(self, port: int) -> list[str]:
        folder = tempfile.mkdtemp(prefix="rozaneh-tor-")
        self._folders.append(folder)
        path = Path(folder) / "torrc"
        path.write_text(self._configure(port, folder))
        return [self._program, "--quiet", "-f", str(path), "--defaults-torrc", "/dev/null"]

    def _clean(self) -> None:
        while self._folders:
            shutil.rmtree(self._folders.pop(), ignore_errors=True)
