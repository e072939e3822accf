import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rozaneh.lab.backend import Tier
from rozaneh.lab.loopback.addresses import LoopbackAddresses, moved, sourced
from rozaneh.lab.loopback.lab import LoopbackLab
from rozaneh.lab.topology import World, default_world

SECONDS = 10.0


@dataclass(frozen=True)
class Served:
    """The world's servers on loopback, with no censor and no delay in front of them."""

    world: World
    addresses: LoopbackAddresses
    ca_file: Path

    def place(self, name: str, port: int, *, ipv6: bool = False) -> tuple[str, int]:
        known = self.world.addresses_of.get(name, (name,))
        address = next((text for text in known if (":" in text) == ipv6), known[0])
        return self.addresses.of(address), moved(port)

    def connect(self, name: str, port: int, *, source: str = "45.76.10.40", ipv6: bool = False) -> socket.socket:
        made = sourced(socket.SOCK_STREAM, self.addresses.of(source))
        made.settimeout(SECONDS)
        try:
            made.connect(self.place(name, port, ipv6=ipv6))
        except OSError:
            made.close()
            raise
        return made

    def connect_tls(self, name: str, port: int = 443, *, sni: str = "", source: str = "45.76.10.40") -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        return context.wrap_socket(self.connect(name, port, source=source), server_hostname=sni or name)

    def ask(self, name: str, port: int, message: bytes, *, ipv6: bool = False) -> bytes:
        with sourced(socket.SOCK_DGRAM, self.addresses.of("45.76.10.40")) as made:
            made.settimeout(SECONDS)
            made.connect(self.place(name, port, ipv6=ipv6))
            made.send(message)
            return made.recv(65_535)


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    world = default_world()
    lab = LoopbackLab(world, seed=0, servers=True, tier=Tier(name="T0", reason="a test"))
    yield Served(world, lab._addresses, lab.ca_file)
    lab.close()


@pytest.fixture
def get(served: Served) -> Callable[..., tuple[int, dict[str, str], bytes]]:
    """``get("https://NAME/PATH", source="10.77.1.1")`` is status, headers and body."""

    def ask(url: str, *, source: str = "45.76.10.40", head: str = "") -> tuple[int, dict[str, str], bytes]:
        scheme, _, rest = url.partition("://")
        name, _, path = rest.partition("/")
        stream = (
            served.connect_tls(name, source=source) if scheme == "https" else served.connect(name, 80, source=source)
        )
        with stream:
            stream.sendall(f"GET /{path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n{head}\r\n".encode())
            return parse(read_all(stream))

    return ask


def read_all(stream: socket.socket) -> bytes:
    gathered = b""
    while data := stream.recv(65_536):
        gathered += data
    return gathered


def parse(response: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = response.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in rest)}
    return int(line.split(" ")[1]), headers, body
