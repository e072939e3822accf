"""What one inspector has understood of one flow.

Rules whose inspectors work alike (same TCP and reassembly settings) share an inspection. It sees each packet once,
joins segments as its settings say, and reads on demand: a ClientHello, a request, a certificate.
"""

from typing import Any

from rozaneh.lab.censor import parse_dns, parse_http, parse_tls
from rozaneh.lab.censor.packet import ACK, FIN, RST, SYN, TCP, UDP, Packet
from rozaneh.lab.censor.parse_quic import InitialReader
from rozaneh.lab.scenario.state import Reassembly, Tcp

_HALF = 1 << 31
_MOST_PIECES = 256
_CERTIFICATE_BYTES = 16384


class Half:
    """One direction of a TCP stream, joined."""

    __slots__ = ("_base", "_limit", "_mode", "_pieces", "data", "stuck")

    def __init__(self, mode: str, limit: int) -> None:
        self.data = bytearray()
        self.stuck = False
        self._mode = mode
        self._limit = limit
        self._base: int | None = None
        self._pieces: list[tuple[int, bytes]] = []

    @property
    def full(self) -> bool:
        """Whether no more will be kept."""
        return self.stuck or len(self.data) >= self._limit

    def begin(self, seq: int) -> None:
        """The sequence number of the first byte, when it is known or must be forgotten."""
        self._base = seq & 0xFFFFFFFF
        self.data.clear()
        self._pieces.clear()
        self.stuck = False

    def restart(self) -> None:
        """Take the next segment as the new start."""
        self._base = None
        self.data.clear()
        self._pieces.clear()
        self.stuck = False

    def feed(self, seq: int, payload: bytes) -> bool:
        """Take a segment; whether the joined bytes changed."""
        if self._base is None:
            self._base = seq
        offset = (seq - self._base) & 0xFFFFFFFF
        if offset >= _HALF:
            offset -= 1 << 32
        if self.full and self._mode != "last-wins":
            return False
        if self._mode == "in-order":
            return self._append(offset, payload)
        return self._insert(offset, payload)

    def _append(self, offset: int, payload: bytes) -> bool:
        held = len(self.data)
        if offset == held:
            self.data += payload[: self._limit - held]
            return True
        if offset < held < offset + len(payload):
            self.stuck = True
        return False

    def _insert(self, offset: int, payload: bytes) -> bool:
        if offset < 0:
            payload, offset = payload[-offset:], 0
        if not payload or offset >= self._limit or len(self._pieces) >= _MOST_PIECES:
            return False
        self._pieces.append((offset, payload[: self._limit - offset]))
        before = bytes(self.data)
        top = max(at + len(piece) for at, piece in self._pieces)
        whole, have = bytearray(top), bytearray(top)
        # The copy that counts is written last.
        for at, piece in self._pieces if self._mode == "last-wins" else reversed(self._pieces):
            whole[at : at + len(piece)] = piece
            have[at : at + len(piece)] = b"\1" * len(piece)
        end = have.find(b"\0")
        self.data = whole if end < 0 else whole[:end]
        return bytes(self.data) != before


class Inspection:
    """One inspector's knowledge of one flow.

    Attributes:
        hello: the ClientHello as far as it was read.
        hello_over: whether no more will be learned of a ClientHello.
        request: the latest HTTP request.
        status: the latest HTTP status.
        server_hello: whether a ServerHello was seen.
    """

    __slots__ = (
        "_certificate", "_certificate_over", "_joined", "_packet", "_reassembly", "_seen", "_started", "_syn", "_tcp",
        "halves", "hello", "hello_over", "quic", "request", "server_hello", "status",
    )  # fmt: skip

    def __init__(self, tcp: Tcp, reassembly: Reassembly) -> None:
        self._tcp = tcp
        self._reassembly = reassembly
        self._joined = reassembly.tcp != "none"
        self.halves = [Half(reassembly.tcp, reassembly.bytes) for _ in range(2)]
        self._packet: Packet | None = None
        self._seen = False
        self.forget()

    def forget(self) -> None:
        """Begin anew, as after a teardown that was believed."""
        self.hello: parse_tls.Hello | None = None
        self.hello_over = False
        self.request: parse_http.Request | None = None
        self.status: int | None = None
        self.server_hello = False
        self.quic: InitialReader | None = None
        self._certificate: parse_tls.Certificate | None = None
        self._certificate_over = False
        self._syn = False
        self._started = self._tcp.start == "any"
        for half in self.halves:
            half.restart()

    def sees(self, packet: Packet) -> bool:
        """Take a packet (once); whether this inspector looks at it at all."""
        if packet is not self._packet:
            self._packet = packet
            self._seen = self._look(packet)
        return self._seen

    def watch(self, packet: Packet) -> None:
        """Take a packet that is not looked at itself, for what it says to whoever looks at later ones."""
        if self.sees(packet) and packet.proto == UDP:
            self.watch_quic(packet)

    def _look(self, packet: Packet) -> bool:
        if self._tcp.see != "both" and (self._tcp.see == "out") != packet.outbound:
            return False
        if packet.proto == UDP and packet.sport is not None:
            self._read_datagram(packet)
            return True
        if packet.proto != TCP or packet.sport is None:
            return True
        if self._tcp.checksum and not packet.checksum_valid():
            return False
        self._note_start(packet)
        if not self._started:
            return False
        half = self.halves[packet.outbound]
        if packet.flags & RST and self._tcp.resync_on_rst:
            half.restart()
            return True
        if packet.end > packet.start:
            seq = packet.seq + (1 if packet.flags & SYN else 0)
            if not self._joined:
                self._read(packet.payload, packet)
            elif half.feed(seq & 0xFFFFFFFF, packet.payload):
                self._read(bytes(half.data), packet)
        return True

    def _note_start(self, packet: Packet) -> None:
        if not packet.flags & SYN:
            return
        if self._joined:
            self.halves[packet.outbound].begin(packet.seq + 1)
        if not packet.flags & ACK:
            self._syn = True
            self._started = self._started or self._tcp.start == "syn"
        elif self._syn:
            self._started = True

    def stream(self, packet: Packet) -> bytes:
        """What conditions on the payload look at: the joined bytes, or this packet's."""
        if self._joined and packet.proto == TCP and packet.sport is not None:
            return bytes(self.halves[packet.outbound].data) if packet.end > packet.start else b""
        return packet.payload

    def _read(self, data: bytes, packet: Packet) -> None:
        first = data[0] if data else 0
        if first == 22:
            self._read_handshake(data, packet)
        elif first > 64 and not (self.request and self.request.complete and self._joined):
            request = parse_http.read_request(data)
            if request is not None:
                self.request = request
            elif first == 72:
                self.status = parse_http.read_status(data) or self.status
        if self._joined and not self.hello_over and data and first != 22 and not packet.flags & FIN:
            self._other_start()

    def _other_start(self) -> None:
        """A joined stream that began otherwise holds no ClientHello any more, once both directions have spoken."""
        starts = [half.data[:1] for half in self.halves]
        if all(starts) and b"\x16" not in starts:
            self.hello_over = True

    def _read_handshake(self, data: bytes, packet: Packet) -> None:
        if not self.hello_over:
            found = parse_tls.read_hello(data, join_records=self._reassembly.records)
            if found is not None:
                self.hello = found
                # A segment inspector may meet another hello; one that joins has read the beginning of the stream for
                # good.
                full = self.halves[packet.outbound].full
                if self._joined and not found.complete and full:
                    found.cut = True
                self.hello_over = self._joined and (found.complete or found.cut or full)
                return
        if parse_tls.begins_hello(data, 2):
            self.server_hello = True

    def hello_unreadable(self) -> bool:
        """Whether a ClientHello began that this inspector cannot read to its end."""
        hello = self.hello
        return hello is not None and not hello.complete and (hello.cut or not self._joined)

    def certificate(self, packet: Packet) -> parse_tls.Certificate | None:
        """The server's certificate, if it crossed in clear."""
        if self._certificate is None and not self._certificate_over:
            data = self.stream(packet)
            der = parse_tls.first_certificate(data) if data[:1] == b"\x16" else None
            if der is not None:
                self._certificate = parse_tls.read_certificate(der)
            self._certificate_over = self._joined and (der is not None or len(data) >= _CERTIFICATE_BYTES)
        return self._certificate

    def _read_datagram(self, packet: Packet) -> None:
        if self.quic is not None and not self.quic.over:
            self.quic.feed(packet.payload)

    def watch_quic(self, packet: Packet) -> InitialReader | None:
        """The reader of this flow's Initial packets, once one was seen."""
        if self.quic is None:
            payload = packet.payload
            if len(payload) < 100 or payload[0] & 0xC0 != 0xC0:
                return None
            self.quic = InitialReader()
            self.quic.feed(payload)
        return self.quic

    def dns(self, packet: Packet) -> parse_dns.Message | None:
        """The DNS message of this packet, over either transport."""
        key: Any = ("dns", id(self)) if self._joined else "dns"
        known = packet.remembered(key)
        if known is not None:
            return known[0]  # type: ignore[no-any-return]  # the cache holds values of every kind
        message = None
        if packet.proto == UDP and packet.sport is not None:
            message = parse_dns.read_message(packet.payload)
        elif packet.proto == TCP and packet.end > packet.start:
            whole = parse_dns.over_tcp(self.stream(packet))
            message = parse_dns.read_message(whole) if whole is not None else None
        packet.remember(key, (message,))
        return message
