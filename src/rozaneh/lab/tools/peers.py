"""The peers themselves. Options as their manuals give them; versions are those of Debian 12."""

import json
from dataclasses import dataclass
from pathlib import Path

from rozaneh.core import LocalFault

_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


@dataclass(frozen=True, kw_only=True)
class SsServer:
    """``ss-server`` of shadowsocks-libev 3.3: the AEAD ciphers of 2017, no SIP022.

    Attributes:
        address: where it listens.
        port: at which port.
        password: shared with its clients.
        method: the cipher.
        resolver: whom it asks for the names that its clients want.
    """

    address: str
    port: int
    password: str
    method: str = "chacha20-ietf-poly1305"
    resolver: str = "8.8.8.8"

    @property
    def program(self) -> str:
        """Its name."""
        return "ss-server"

    @property
    def ports(self) -> tuple[int, ...]:
        """TCP ports on which it listens."""
        return (self.port,)

    def prepare(self, room: Path) -> list[str]:
        """The command line; the password stands in a file, not in the list of processes."""
        file = room / "config.json"
        file.write_text(json.dumps({"password": self.password}))
        where = ["-s", self.address, "-p", str(self.port), "-m", self.method, "-d", self.resolver]
        return ["-c", str(file), *where, "-t", "60", "-v"]


@dataclass(frozen=True, kw_only=True)
class SsLocal:
    """``ss-local``: a SOCKS5 proxy on loopback that speaks Shadowsocks to a server.

    Attributes:
        server: its address.
        port: its port.
        password: shared with it.
        method: the cipher.
        listen: port on loopback.
    """

    server: str
    port: int
    password: str
    method: str = "chacha20-ietf-poly1305"
    listen: int = 1080

    @property
    def program(self) -> str:
        """Its name."""
        return "ss-local"

    @property
    def ports(self) -> tuple[int, ...]:
        """TCP ports on which it listens."""
        return (self.listen,)

    def prepare(self, room: Path) -> list[str]:
        """The command line."""
        file = room / "config.json"
        file.write_text(json.dumps({"password": self.password}))
        where = ["-s", self.server, "-p", str(self.port), "-m", self.method]
        return ["-c", str(file), *where, "-b", "127.0.0.1", "-l", str(self.listen), "-t", "60", "-v"]


@dataclass(frozen=True, kw_only=True)
class Microsocks:
    """``microsocks``: a SOCKS5 server that resolves with the host's resolver.

    Attributes:
        address: where it listens.
        port: at which port.
        user: with ``password``, what it asks for; both or neither.
        password: see ``user``.
    """

    address: str
    port: int = 1080
    user: str = ""
    password: str = ""

    @property
    def program(self) -> str:
        """Its name."""
        return "microsocks"

    @property
    def ports(self) -> tuple[int, ...]:
        """TCP ports on which it listens."""
        return (self.port,)

    def prepare(self, room: Path) -> list[str]:
        """The command line."""
        del room
        asked = ["-u", self.user, "-P", self.password] if self.user else []
        return ["-i", self.address, "-p", str(self.port), *asked]


@dataclass(frozen=True, kw_only=True)
class Nginx:
    """``nginx`` with its stream module: passes the bytes of a port on to somewhere else.

    Attributes:
        address: where it listens.
        port: at which port.
        to: ``address:port`` that everything goes to; IPv6 in brackets.
    """

    address: str
    port: int
    to: str

    @property
    def program(self) -> str:
        """Its name."""
        return "nginx"

    @property
    def ports(self) -> tuple[int, ...]:
        """TCP ports on which it listens."""
        return (self.port,)

    def prepare(self, room: Path) -> list[str]:
        """The command line and the configuration.

        Raises:
            LocalFault: its stream module is not installed.
        """
        if not _MODULE.exists():
            raise LocalFault("nginx has no stream module here: Debian package libnginx-mod-stream")
        listen = f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"
        file = room / "nginx.conf"
        file.write_text(
            f"load_module {_MODULE};\ndaemon off;\nmaster_process off;\npid {room}/pid;\nerror_log stderr;\n"
            "events { worker_connections 1024; }\n"
            f"stream {{ server {{ listen {listen}; proxy_pass {self.to}; }} }}\n"
        )
        return ["-p", str(room), "-c", str(file), "-e", "stderr"]
