"""A program nobody here wrote, fetching a page as a person would."""

import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio.to_thread
import msgspec

from rozaneh.core import Target
from rozaneh.lab import LabClient

_PATIENCE = 6
_PATIENCE_WITH_GATEWAY = 15
"""Seconds that the program waits before it gives up. The gateway is given the time to try more than one way."""

_HTTP_PAGE = 200

# For a machine without curl: Python's own client in a process of its own, which knows nothing of Rozaneh.
_PYTHON = """
import sys, urllib.request
url, patience, proxy, page = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"https": proxy, "http": proxy} if proxy else {}))
try:
    answer = opener.open(url, timeout=float(patience))
    body = answer.read()
except Exception as error:
    print(f"urllib: {getattr(error, 'reason', error)}", file=sys.stderr)
    sys.exit(1)
open(page, "wb").write(body)
print(answer.status)
"""


class Fetch(msgspec.Struct, frozen=True, kw_only=True):
    """What the program did.

    Attributes:
        ok: it ended well and holds the page of the host that was asked for.
        exit: its exit status.
        status: the HTTP status that it reports; 0 when there was none.
        size: bytes of the page.
        seconds: how long it took.
        says: its own words when it failed.
    """

    ok: bool
    exit: int
    status: int = 0
    size: int = 0
    seconds: float = 0.0
    says: str = ""


class Client:
    """The program on one machine of the lab: ``curl`` where there is one, else Python's ``urllib``.

    Args:
        home: the machine on which it runs.
        proxy: where the gateway listens, ``host:port``.
    """

    def __init__(self, home: LabClient, proxy: str) -> None:
        self._home = home
        self._proxy = proxy
        self.program = "curl" if shutil.which("curl") else "python3 urllib"

    def command(self, target: Target, *, through: bool, page: str = "PAGE") -> list[str]:
        """The argument vector, for people to see and try."""
        if self.program == "curl":
            proxy = ["--socks5-hostname", self._proxy] if through else []
            shown = ["-w", "%{http_code}", "-o", page]
            return ["curl", "-sS", "-m", str(self._patience(through)), *proxy, *shown, str(target)]
        proxy_url = f"http://{self._proxy}" if through else ""
        return [sys.executable, "-c", _PYTHON, str(target), str(self._patience(through)), proxy_url, page]

    async def fetch(self, target: Target, *, through: bool) -> Fetch:
        """Fetch a page, directly or through the gateway."""
        return await anyio.to_thread.run_sync(self._fetch, target, through)

    def _fetch(self, target: Target, through: bool) -> Fetch:
        with TemporaryDirectory(prefix="rozaneh-demo-") as folder:
            page = Path(folder) / "page"
            argv = self.command(target, through=through, page=str(page))
            began = time.perf_counter()
            done = self._home.run(argv, timeout=_PATIENCE_WITH_GATEWAY * 2)
            seconds = time.perf_counter() - began
            body = page.read_bytes() if page.exists() else b""
        status = int(done.stdout) if done.stdout.strip().isdecimal() else 0
        # The lab's sites say whose they are: a page of somebody else, however well it arrived, is not the page.
        right = f"<title>rozaneh lab: {target.host}</title>".encode() in body
        return Fetch(
            ok=done.returncode == 0 and status == _HTTP_PAGE and right,
            exit=done.returncode,
            status=status,
            size=len(body),
            seconds=round(seconds, 3),
            says=_last_line(done.stderr),
        )

    def _patience(self, through: bool) -> int:
        return _PATIENCE_WITH_GATEWAY if through else _PATIENCE


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
