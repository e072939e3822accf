"""``ss://...``: let a Shadowsocks server dial, with an AEAD cipher of 2017 (SIP002 links) or of 2022 (SIP022).

Everything is random bytes to whoever looks, the first packet too. That is what some censors classify (Wu et al.,
USENIX Security 2023); a link with a ``prefix`` begins like another protocol instead. There is no handshake: a server
that does not answer, or a wrong password, shows at the first byte and not here.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from rozaneh.codecs import shadowsocks2022
from rozaneh.codecs.shadowsocks import METHODS, Decoder, Encoder, key_from_password
from rozaneh.codecs.socks_address import address_header
from rozaneh.core import Element, Op, RemoteFault, Spec, SpecError, Target
from rozaneh.links.shadowsocks import Shadowsocks as Link
from rozaneh.links.shadowsocks import parse
from rozaneh.net import ByteStream, Dialer, Network, Trace
from rozaneh.net.coded import Coding
from rozaneh.net.streams import StreamOver
from rozaneh.net.trust import Trust
from rozaneh.words import later

Sealed = Encoder | shadowsocks2022.Encoder
Opened = Decoder | shadowsocks2022.Decoder


@dataclass(frozen=True)
class Shadowsocks:
    """Dials through a Shadowsocks server that the way below reaches.

    Attributes:
        link: the server.
        inner: the way below.
        spec: the whole way.
        now: the time of day; a request of 2022 carries it, and a server refuses one that is 30 seconds off.
    """

    link: Link
    inner: Dialer
    spec: Spec
    now: Callable[[], float] = time.time

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Dial the server, as one step PROXY; the target's name or address leaves with the first data."""
        server = Target(host=self.link.host, port=self.link.port)
        async with trace.step(Op.PROXY, peer=server.authority, cipher=self.link.method) as step:
            stream = await self.inner.dial(server, step.under)
        address = address_header(target.host, target.port)
        return self._of_2022(stream, address) if self.link.is_2022 else self._of_2017(stream, address)

    def _of_2017(self, stream: ByteStream, address: bytes) -> ByteStream:
        method = METHODS[self.link.method]
        key = key_from_password(self.link.password, method.key_size)
        return ShadowsocksStream(stream, Encoder(method, key, prefix=self.link.prefix), Decoder(method, key), address)

    def _of_2022(self, stream: ByteStream, address: bytes) -> ByteStream:
        method, keys = shadowsocks2022.METHODS[self.link.method], self.link.keys
        encoder = shadowsocks2022.Encoder(method, keys, address, now=int(self.now()), prefix=self.link.prefix)
        decoder = shadowsocks2022.Decoder(method, keys[-1], encoder.salt, now=self.now)
        return ShadowsocksStream(stream, encoder, decoder)


class ShadowsocksStream(StreamOver):
    """A stream sealed in chunks. The address of the target leaves with the first data, or before the first read."""

    def __init__(self, inner: ByteStream, encoder: Sealed, decoder: Opened, header: bytes = b"") -> None:
        super().__init__(inner)
        self._encoder = encoder
        self._decoder = decoder
        self._header = header
        self._begun = False
        self._plain = b""

    def coding(self) -> Coding:
        """For the pump, which can do without this stream."""
        opens = self._decoder
        return Coding(self._inner, self._seal, opens.decode_into, opens.midway, decoded=self._plain, held=opens.held)

    async def send(self, item: bytes) -> None:
        """Seal and send."""
        sealed = self._seal(item)
        if sealed:
            await self._inner.send(sealed)

    def _seal(self, item: bytes | memoryview) -> bytes:
        """The sealed form; of nothing at all only if nothing was said before."""
        header, self._header = self._header, b""
        if not item and self._begun:
            return b""
        self._begun = True
        return self._encoder.encode(header + item if header else item)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Receive and open.

        Raises:
            BrokenResourceError: a chunk fails its check, or the end comes in the middle of one.
        """
        if not self._begun:
            await self.send(b"")
        while not self._plain:
            try:
                sealed = await self._inner.receive(1 << 18)
            except anyio.EndOfStream:
                if self._decoder.held or self._decoder.midway():
                    raise anyio.BrokenResourceError from None
                raise
            try:
                self._plain = self._decoder.decode(sealed)
            except RemoteFault as fault:
                raise anyio.BrokenResourceError from fault
        taken, self._plain = self._plain[:max_bytes], self._plain[max_bytes:]
        return taken


def build(element: Element, inner: Dialer, _network: Network, _trust: Trust) -> Dialer:
    """Make the strategy from its element."""
    link = parse(str(element).replace("%7C", "|"))
    if link.plugin:
        raise SpecError(
            later("the link asks for a plugin, which is a program of its own; ask its owner for a link without one")
        )
    return Shadowsocks(link, inner, Spec((element,)).through(inner.spec))
