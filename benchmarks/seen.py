"""How the ways look to whoever is on the path: what tells them from ordinary traffic, and from who they resemble.

Ordinary flows are pages of many sizes by HTTPS, half of them with the handshake of Python and half with that of Chrome.
The same pages are fetched through each way, in the lab, and everything on the wire is captured. Two classifiers that
know nothing of our code look at the packets alone:

- *the first packet*: the five rules by which China has blocked what is fully encrypted (Wu et al., USENIX Security
  2023), and the first bytes by which SSH says what it is;
- *sizes*: the sizes and directions of the first packets with data after the hello, against those of known flows of the
  same way and of ordinary ones (five nearest neighbours; each page is judged by the others). So this classifier knows
  what somebody knows who uses such a way too.

Then first packets: that of ``browser:chrome`` beside a real Chromium that opens a WebSocket, that of ``ssh`` beside
OpenSSH's. The parsers of hellos are the lab's, not the product's.
"""

import hashlib
import ipaddress
import math
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import numpy as np
from numpy.typing import NDArray

from rozaneh.core import Target
from rozaneh.dialers.registry import build
from rozaneh.lab.censor.classify import bits_per_byte, first_printable, longest_printable, printable_share
from rozaneh.lab.censor.fingerprint import ja4
from rozaneh.lab.censor.parse_tls import Hello, is_grease, read_hello
from rozaneh.lab.lab import Lab
from rozaneh.lab.matrix import ALIASES
from rozaneh.net import Deadlines, measure
from rozaneh.net.exchange import http_get, https_get
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust

COMMAND = "python -m benchmarks seen"
TUNNELS = ("connect", "trojan", "vless", "browser", "ss", "ss2022", "ssh")
_PAGES = 40
_AT_ONCE = 12
_PACKETS = 14
_NEIGHBOURS = 5
_TCP = 6
_NAME = "relay.example"
_PCAP_HEAD, _RECORD = 24, struct.Struct("<IIII")

Row = dict[str, object]
Packets = list[tuple[bool, bytes]]
"""The packets with data of one flow: whether out, and the data."""


def main() -> list[Row]:
    flows = captured()
    return [*first_packet(flows), *by_sizes(flows), *beside_chromium(), *beside_openssh()]


def _row(name: str, value: object, unit: str = "", **more: object) -> Row:
    return {"name": f"seen: {name}", "value": value, "unit": unit, "command": COMMAND, **more}


# Flows ----------------------------------------------------------------------------------------------------------------


def captured() -> dict[str, list[Packets]]:
    """Flows of each way, in the order of the pages."""
    pages = [f"example.org/bytes/{int(500 * 1.16**n)}" for n in range(_PAGES)]
    with tempfile.TemporaryDirectory() as folder:
        pcap = Path(folder) / "all.pcap"
        homes: dict[str, tuple[str, int]] = {}
        with Lab(pcap=pcap) as lab:
            anyio.run(partial(_fetch_all, lab, pages, homes), backend_options={"use_uvloop": True})
            lab.counters()
            found = list(flows_in(pcap.read_bytes()))
    ways: dict[str, list[Packets]] = {way: [[] for _ in pages] for way in ("ordinary", *TUNNELS)}
    for client, packets in found:
        way, page = homes.get(client, ("", 0))
        if way and len(packets) > len(ways[way][page]):
            ways[way][page] = packets
    return {way: [flow for flow in each if flow] for way, each in ways.items()}


async def _fetch_all(lab: Lab, pages: list[str], homes: dict[str, tuple[str, int]]) -> None:
    limit = anyio.CapacityLimiter(_AT_ONCE)

    async def fetch(way: str, spec: str, number: int, target: Target) -> None:
        async with limit:
            with lab.client("mobile", programs=False) as home:
                homes.update(dict.fromkeys(home.addresses, (way, number)))
                exchange = http_get(target) if target.speaks == "http" else https_get(target, home.trust)
                dialer = build(spec, home.network, trust=home.trust)
                async with await measure(dialer, target, exchange=exchange, deadlines=Deadlines()) as got:
                    if got.failure is not None:
                        raise SystemExit(f"{way} does not lead to {target}: {got.failure} {got.detail}")

    async with anyio.create_task_group() as tasks:
        for number, page in enumerate(pages):
            inside = Target.parse(f"https://{page}")
            # The dialer speaks TLS itself there, and what goes through it is plain HTTP.
            chrome = Target.parse(f"http://{page.replace('example.org', 'example.org:443')}")
            if number % 2:
                tasks.start_soon(fetch, "ordinary", "browser:chrome|tcp", number, chrome)
            else:
                tasks.start_soon(fetch, "ordinary", "tcp", number, inside)
            for way in TUNNELS:
                tasks.start_soon(fetch, way, ALIASES[way], number, inside)


def flows_in(capture: bytes) -> Iterator[tuple[str, Packets]]:
    """The flows of TCP in a capture of raw IP, each with its client's address; repeated segments once."""
    flows: dict[tuple[bytes, bytes], tuple[Packets, set[tuple[bool, int]]]] = {}
    at = _PCAP_HEAD
    while at + _RECORD.size <= len(capture):
        _, _, kept, _ = _RECORD.unpack_from(capture, at)
        packet = capture[at + _RECORD.size : at + _RECORD.size + kept]
        at += _RECORD.size + kept
        six = packet[:1] >= b"\x60"
        if len(packet) < 40 or packet[6 if six else 9] != _TCP:
            continue
        start, ends, size = (40, (8, 24, 40), 0) if six else ((packet[0] & 15) * 4, (12, 16, 20), 2)
        length = int.from_bytes(packet[2:4], "big") if size else 40 + int.from_bytes(packet[4:6], "big")
        data = packet[start + (packet[start + 12] >> 4) * 4 : length]
        port, at_port = packet[start : start + 2], packet[start + 2 : start + 4]
        source, to = packet[ends[0] : ends[1]], packet[ends[1] : ends[2]]
        ours = source + port, to + at_port
        out = port > at_port
        packets, seen = flows.setdefault(ours if out else ours[::-1], ([], set()))
        mark = out, int.from_bytes(packet[start + 4 : start + 8], "big")
        if data and mark not in seen:
            seen.add(mark)
            packets.append((out, data))
    for (client, _), (packets, _) in flows.items():
        yield str(ipaddress.ip_address(client[:-2])), packets


# Classifiers ----------------------------------------------------------------------------------------------------------


def looks_encrypted(first: bytes) -> bool:
    """Whether none of the five exemptions holds (Wu et al. 2023, algorithm 1)."""
    return not (
        first.startswith((b"\x16\x03", b"GET ", b"POST ", b"HEAD ", b"CONNECT "))
        or not 3.4 < bits_per_byte(first) < 4.6
        or first_printable(first) >= 6
        or printable_share(first) > 0.5
        or longest_printable(first) > 20
    )


def first_packet(flows: dict[str, list[Packets]]) -> Iterator[Row]:
    """Of each way, how many flows are told by their first packet."""
    for way, each in flows.items():
        first = [next(data for out, data in packets if out) for packets in each]
        share = sum(looks_encrypted(data) or data.startswith(b"SSH-") for data in first) / len(first)
        yield _row(f"{way}: told by its first packet", round(100 * share, 1), "% of flows")


def shape(packets: Packets) -> NDArray[np.float64]:
    """The sizes of the first packets after the hello, as logarithms whose sign is the direction."""
    sizes = [(1 if out else -1) * math.log1p(len(data)) for out, data in packets]
    # The hello, of one packet or two, is skipped.
    first = next((n for n, (out, _) in enumerate(packets) if not out), 0)
    kept = sizes[first : first + _PACKETS]
    return np.array(kept + [0.0] * (_PACKETS - len(kept)))


def by_sizes(flows: dict[str, list[Packets]]) -> Iterator[Row]:
    """Of each way, how many flows are told from ordinary ones by sizes, and how many ordinary ones are accused."""
    ordinary = np.stack([shape(each) for each in flows["ordinary"]])
    for way in TUNNELS:
        tunnel = np.stack([shape(each) for each in flows[way]])
        points = np.concatenate([tunnel, ordinary])
        labels = np.array([1] * len(tunnel) + [0] * len(ordinary))
        pages = np.array([*range(len(tunnel)), *range(len(ordinary))])
        said = np.array([_vote(points, labels, pages, n) for n in range(len(points))])
        yield _row(f"{way}: told by sizes", round(100 * float(said[labels == 1].mean()), 1), "% of flows")
        yield _row(f"{way}: ordinary flows taken for it", round(100 * float(said[labels == 0].mean()), 1), "% of flows")


def _vote(points: NDArray[np.float64], labels: NDArray[np.int_], pages: NDArray[np.int_], one: int) -> int:
    """What the nearest say, those of the same page apart."""
    distances = np.abs(points - points[one]).sum(axis=1)
    distances[pages == pages[one]] = np.inf
    nearest = np.argsort(distances, kind="stable")[:_NEIGHBOURS]
    return int(labels[nearest].sum() * 2 > _NEIGHBOURS)


# First packets beside those of the real client ------------------------------------------------------------------------


@contextmanager
def _listening(enough: Callable[[bytes], bool], greeting: bytes = b"") -> Iterator[tuple[int, list[bytes]]]:
    """A port of loopback, and what its callers say first."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)

        def accept() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    caller.settimeout(3)
                    said = b""
                    try:
                        caller.sendall(greeting)
                        while not enough(said) and (more := caller.recv(65536)):
                            said += more
                    except OSError:
                        pass
                    heard.append(said)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield int(server.getsockname()[1]), heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _dial(way: str, target: Target) -> None:
    async def go() -> None:
        dialer = build(way, RealNetwork(), trust=Trust.system())
        async with await measure(dialer, target, deadlines=Deadlines().scaled(0.6)):
            pass

    anyio.run(go)


def _hello(said: list[bytes]) -> Hello | None:
    hellos = [found for data in said if (found := read_hello(data, join_records=True)) is not None and found.complete]
    return next((found for found in hellos if found.sni == _NAME), None)


def _is_hello(said: bytes) -> bool:
    found = read_hello(said, join_records=True)
    return found is not None and found.complete


def parts(hello: Hello) -> dict[str, object]:
    """What of a hello does not change from one connection to the next."""

    def plain(numbers: list[int]) -> list[int]:
        return [number for number in numbers if not is_grease(number)]

    return {
        "cipher suites": plain(hello.ciphers),
        "extensions": sorted(plain(hello.extensions)),
        "groups": plain(hello.groups),
        "signature algorithms": hello.algorithms,
        "versions": plain(hello.versions),
        "protocols": hello.alpn,
        "GREASE": any(map(is_grease, hello.ciphers)),
    }


def beside_chromium() -> Iterator[Row]:
    """The hello of ``browser:chrome`` beside that of a real browser."""
    program = shutil.which("chromium")
    name = "browser:chrome beside Chromium that opens a WebSocket: parts of the hello that differ, of 7"
    if program is None:
        yield _row(name, "chromium is absent here")
        return
    with _listening(_is_hello) as (port, heard), tempfile.TemporaryDirectory() as profile:
        command = [
            program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-proxy-server", f"--user-data-dir={profile}",
            f"--host-resolver-rules=MAP {_NAME} 127.0.0.1:{port}, MAP * ~NOTFOUND", "--virtual-time-budget=3000",
            "--dump-dom", f"data:text/html,<script>new WebSocket('wss://{_NAME}/')</script>",
        ]  # fmt: skip
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
        theirs = _hello(heard)
    with _listening(_is_hello) as (port, heard):
        _dial(f"browser:chrome|override:host=127.0.0.1&port={port}|tcp", Target(host=_NAME, port=443))
        ours = _hello(heard)
    if theirs is None or ours is None:
        yield _row(name, "no hello was captured")
        return
    one, other = parts(ours), parts(theirs)
    differing = [part for part in one if one[part] != other[part]]
    yield _row(name, len(differing), f"({', '.join(differing) or 'none'})", peer=_version(program))
    yield _row(
        "browser:chrome has the JA4 of that Chromium",
        "yes" if ja4(ours) == ja4(theirs) else f"no: {ja4(ours)}, {ja4(theirs)}",
    )


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return " ".join(said[:2])


_KEXINIT = 20
_LISTS = (0, 2, 4, 6)
"""Key exchange, ciphers, MACs and compression from client to server: what HASSH is made of (Salesforce, 2018)."""


def hassh(said: bytes) -> str:
    """HASSH of what an SSH client says first."""
    _, _, rest = said.partition(b"\n")
    at, lists = 6 + 16, []
    for _ in range(8):
        size = int.from_bytes(rest[at : at + 4], "big")
        lists.append(rest[at + 4 : at + 4 + size].decode("ascii", "replace"))
        at += 4 + size
    return hashlib.md5(";".join(lists[n] for n in _LISTS).encode(), usedforsecurity=False).hexdigest()


def _is_kexinit(said: bytes) -> bool:
    _, end, rest = said.partition(b"\n")
    return bool(end) and len(rest) >= 6 and len(rest) >= 4 + int.from_bytes(rest[:4], "big") and rest[5] == _KEXINIT


def beside_openssh() -> Iterator[Row]:
    """The first packets of ``ssh`` beside those of OpenSSH."""
    program = shutil.which("ssh")
    name = "ssh has the HASSH of OpenSSH"
    if program is None:
        yield _row(name, "ssh is absent here")
        return
    greeting = b"SSH-2.0-OpenSSH_9.2p1\r\n"
    with _listening(_is_kexinit, greeting) as (port, heard):
        command = [program, "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                   "UserKnownHostsFile=/dev/null", "-p", str(port), "user@127.0.0.1"]  # fmt: skip
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
        theirs = [said for said in heard if _is_kexinit(said)]
    with _listening(_is_kexinit, greeting) as (port, heard):
        key = ALIASES["ssh"].partition("hostkey=")[2].partition("|")[0]
        _dial(f"ssh://user:x@127.0.0.1:{port}?hostkey={key}|tcp", Target(host="example.org", port=443))
        ours = [said for said in heard if _is_kexinit(said)]
    if not theirs or not ours:
        yield _row(name, "no first packets were captured")
        return
    one, other = hassh(ours[0]), hassh(theirs[0])
    yield _row(name, "yes" if one == other else f"no: {one}, {other}")
    banners = [said[0].partition(b"\n")[0].strip().decode("ascii", "replace") for said in (ours, theirs)]
    yield _row("ssh has the first line of OpenSSH", "yes" if banners[0] == banners[1] else f"no: {', '.join(banners)}")
