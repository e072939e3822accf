"""A network that counts what goes through it, for whoever has a budget."""

from anyio.abc import ByteStream, Listener

from rozaneh.net.api import Datagrams, Network
from rozaneh.net.streams import StreamOver
from rozaneh.net.trace import Step

# What the counted bytes cost beside themselves: headers of IP and TCP or UDP, acknowledgements, opening and closing.
_A_CONNECTION = 900
_A_PIECE = 100
_A_DATAGRAM = 28
_A_LOOKUP = 400


class CountingNetwork:
    """Counts bytes both ways, with what carrying them costs, rather too high than too low.

    Args:
        inner: where sockets come from.
    """

    def __init__(self, inner: Network) -> None:
        self.spent = 0
        self._inner = inner

    def add(self, count: int) -> None:
        """Count bytes."""
        self.spent += count

    async def connect_tcp(self, address: str, port: int) -> ByteStream:
        """As the network below."""
        self.spent += _A_CONNECTION
        return _CountedStream(await self._inner.connect_tcp(address, port), self)

    async def connect_udp(self, address: str, port: int) -> Datagrams:
        """As the network below."""
        return _CountedDatagrams(await self._inner.connect_udp(address, port), self)

    async def listen_tcp(self, address: str, port: int) -> Listener[ByteStream]:
        """As the network below; what arrives is not counted."""
        return await self._inner.listen_tcp(address, port)

    async def resolve(self, host: str, step: Step | None = None, *, listen_late: float = 0.0) -> list[str]:
        """As the network below; a lookup is counted at what one may cost."""
        self.spent += _A_LOOKUP
        return await self._inner.resolve(host, step, listen_late=listen_late)


class _CountedStream(StreamOver):
    def __init__(self, inner: ByteStream, network: CountingNetwork) -> None:
        super().__init__(inner)
        self._network = network

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """As the stream below."""
        data = await self._inner.receive(max_bytes)
        self._network.add(len(data) + _A_PIECE)
        return data

    async def send(self, item: bytes) -> None:
        """As the stream below."""
        self._network.add(len(item) + _A_PIECE)
        await self._inner.send(item)


class _CountedDatagrams:
    def __init__(self, inner: Datagrams, network: CountingNetwork) -> None:
        self._inner = inner
        self._network = network

    async def send(self, data: bytes) -> None:
        """As the socket below."""
        self._network.add(len(data) + _A_DATAGRAM)
        await self._inner.send(data)

    async def receive(self) -> bytes:
        """As the socket below."""
        data = await self._inner.receive()
        self._network.add(len(data) + _A_DATAGRAM)
        return data

    async def aclose(self) -> None:
        """As the socket below."""
        await self._inner.aclose()
