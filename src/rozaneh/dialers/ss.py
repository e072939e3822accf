"""``ss://...``: let a Shadowsocks server dial, with an AEAD cipher of 2017 (SIP002 links; the server resolves names).

Everything is random bytes to whoever looks, the first packet too. That is what some censors classify (Wu et al.,
USENIX Security 2023); a link with a ``prefix`` begins like another protocol instead. There is no handshake: a server
that does not answer, or a wrong password, shows at the first byte and not here.
"""

from dataclasses import dataclass

import anyio

from rozaneh.codecs.shadowsocks import METHODS, Decoder, Encoder, Link, address_header, key_from_password, parse_link
from rozaneh.core import Element, Op, RemoteFault, Spec, Target
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.streams import StreamOver
from rozaneh.net.trust import Trust


@dataclass(frozen=True)
class Shadowsocks:
    """Dials through a Shadowsocks server that the way below reaches."""

    link: Link
    key: bytes
    inner: Dialer
    spec: Spec

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial the server, as one step PROXY; the target's name or address leaves with the first data."""
        server = Target(host=self.link.host, port=self.link.port)
        async with trace.step(Op.PROXY, peer=server.authority, cipher=self.link.method) as step:
            stream = await self.inner.dial(server, step.under)
        method = METHODS[self.link.method]
        encoder = Encoder(method, self.key, prefix=self.link.prefix)
        return ShadowsocksStream(stream, encoder, Decoder(method, self.key), address_header(target.host, target.port))


class ShadowsocksStream(StreamOver):
    """A stream sealed in chunks. The address of the target leaves with the first data, or before the first read."""

    def __init__(self, inner: ByteStream, encoder: Encoder, decoder: Decoder, header: bytes) -> None:
        super().__init__(inner)
        self._encoder = encoder
        self._decoder = decoder
        self._header = header
        self._plain = b""

    async def send(self, item: bytes) -> None:
        """Seal and send."""
        header, self._header = self._header, b""
        if header or item:
            await self._inner.send(self._encoder.encode(header + item))

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Receive and open.

        Raises:
            BrokenResourceError: a chunk fails its check.
        """
        if self._header:
            await self.send(b"")
        while not self._plain:
            sealed = await self._inner.receive()
            try:
                self._plain = self._decoder.decode(sealed)
            except RemoteFault as fault:
                raise anyio.BrokenResourceError from fault
        taken, self._plain = self._plain[:max_bytes], self._plain[max_bytes:]
        return taken


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    link = parse_link(f"{element.name}:{element.argument}")
    key = key_from_password(link.password, METHODS[link.method].key_size)
    return Shadowsocks(link, key, inner, Spec((element,)).through(inner.spec))
