"""What Debian does not package of Snowflake, as a program: a broker, a bridge's front, and a STUN server.

It prints a line of JSON for each thing that it sees. The broker hands one offer to one proxy (broker-spec.txt); the
front takes the WebSocket of a proxy and tells the first bytes that came through it, which are Turbo Tunnel's token.
Usage: ``snowflake_standins.py ADDRESS BROKER_PORT FRONT_PORT STUN_PORT``.
"""

import base64
import hashlib
import http.server
import json
import queue
import socket
import socketserver
import struct
import sys
import threading

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_COOKIE = 0x2112A442
_PATIENCE = 20.0

offers: "queue.Queue[dict[str, str]]" = queue.Queue()
answers: "queue.Queue[str]" = queue.Queue()


def tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Broker(http.server.BaseHTTPRequestHandler):
    """Matches one client with one proxy."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        tell(broker=self.path, bytes=len(body))
        reply = {"/client": self._client, "/proxy": self._proxy, "/answer": self._answer}[self.path](body)
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _client(self, body: bytes) -> dict[str, str]:
        version, _, message = body.partition(b"\n")
        assert version == b"1.0"
        offers.put(json.loads(message))
        try:
            return {"answer": answers.get(timeout=_PATIENCE)}
        except queue.Empty:
            return {"error": "timed out waiting for answer!"}

    def _proxy(self, _body: bytes) -> dict[str, str]:
        try:
            offer = offers.get(timeout=5)
        except queue.Empty:
            return {"Status": "no match"}
        return {"Status": "client match", "Offer": offer["offer"], "NAT": offer.get("nat", "unknown")}

    def _answer(self, body: bytes) -> dict[str, str]:
        answers.put(json.loads(body)["Answer"])
        return {"Status": "success"}

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Front(socketserver.StreamRequestHandler):
    """A WebSocket that is read until the token is there."""

    def handle(self) -> None:
        key = b""
        while line := self.rfile.readline(4096).strip():
            if line.lower().startswith(b"sec-websocket-key:"):
                key = line.partition(b":")[2].strip()
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        came = b""
        while len(came) < 16:
            came += self._frame()
        tell(front=came[:8].hex())
        self.rfile.read(1)

    def _frame(self) -> bytes:
        first, second = self.rfile.read(2)
        size = second & 127
        if size >= 126:
            size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
        mask = self.rfile.read(4)
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(size)))
        return data if first & 15 in (0, 2) else b""


def stun(address: str, port: int) -> None:
    here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here.bind((address, port))
    while True:
        asked, (host, near) = here.recvfrom(2048)
        if len(asked) < 20 or asked[:2] != b"\0\1":
            continue
        mixed = int.from_bytes(socket.inet_aton(host), "big") ^ _COOKIE
        seen = struct.pack("!HHBBHI", 0x20, 8, 0, 1, near ^ (_COOKIE >> 16), mixed)
        here.sendto(b"\1\1" + struct.pack("!H", 12) + asked[4:20] + seen, (host, near))


def main() -> None:
    address, *ports = sys.argv[1:]
    broker, front, near = map(int, ports)
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    for each in (
        http.server.ThreadingHTTPServer((address, broker), Broker),
        socketserver.ThreadingTCPServer((address, front), Front),
    ):
        threading.Thread(target=each.serve_forever, daemon=True).start()
    tell(ready=True)
    stun(address, near)


if __name__ == "__main__":
    main()
