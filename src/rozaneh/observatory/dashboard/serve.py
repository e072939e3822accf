"""Answers requests with the pages of a store. Reads only; nothing that is asked for becomes part of a query's text."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import uvicorn
from duckdb import Error as EngineError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rozaneh.core import LocalFault
from rozaneh.observatory.dashboard.patience import Patience
from rozaneh.observatory.dashboard.site import Page, Site
from rozaneh.observatory.dashboard.views import policy
from rozaneh.words import later

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",  # the next page may be of a newer store, and a browser keeps no trace of it on disk
}
_KEPT: Final = 256
_LONGEST: Final = 300


def application(
    current: Callable[[], Site],
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]"),
    troubled: Callable[[str], None] = lambda _: None,
) -> Starlette:
    """The site as an ASGI application.

    Args:
        current: gives the site of the store as it is now; called for each request, so it has to be cheap where nothing
            has changed.
        hosts: names under which it may be asked for. Another ``Host`` is refused, so that no page of a stranger can
            read a local observatory under a name of his own.
        troubled: is told, in a line, why pages cannot be shown: the store is broken, or gone. Who asks is not told.
    """
    answers = _Answers(current, troubled)
    return Starlette(
        routes=[Route("/{path:path}", answers.answer, methods=["GET"])],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
    )


class _Answers:
    """Pages by their addresses, kept as long as the store stays as it is."""

    def __init__(self, current: Callable[[], Site], troubled: Callable[[str], None]) -> None:
        self._current = current
        self._troubled = troubled
        self._trouble = ""
        # One query at a time: an engine on this machine uses all cores for each as it is.
        self._turn = asyncio.Lock()
        self._kept: dict[str, Page | None] = {}
        self._site: Site | None = None

    async def answer(self, request: Request) -> Response:
        """What stands at an address; a page that says so where there is nothing."""
        path = request.url.path.lstrip("/")
        if len(path) > _LONGEST:
            return _plain("no such page", 404)
        if not path or path.endswith("/"):
            return RedirectResponse("/" + path.replace("//", "/") + "index.html")
        asked = request.query_params.get("q", "") if path.endswith("search.html") else ""
        async with self._turn:
            try:
                site, found = await self._found(path, asked)
            except (LocalFault, EngineError) as fault:
                self._tell(fault)
                return _plain("the store cannot be read now", 503)
            self._trouble = ""
        if found is not None:
            return _shown(found)
        if path.endswith(".html"):
            return _shown(site.missing(path), 404)
        return _plain("no such page, or too little is known to show it", 404)

    def _tell(self, fault: Exception) -> None:
        """Say what is wrong, once as long as it stays the same."""
        line = str(fault).partition("\n")[0]
        if line != self._trouble:
            self._trouble = line
            self._troubled(line)

    async def _found(self, path: str, asked: str) -> tuple[Site, Page | None]:
        """What stands at an address, and the site it is of."""
        try:
            return await self._now(path, asked)
        except EngineError:  # files were replaced while the store was opened, or since; it is opened anew then
            return await self._now(path, asked)

    async def _now(self, path: str, asked: str) -> tuple[Site, Page | None]:
        site = await run_in_threadpool(self._current)
        return site, await self._page(site, path, asked)

    async def _page(self, site: Site, path: str, asked: str) -> Page | None:
        if self._site is not site:
            self._site = site
            self._kept.clear()
        if asked:
            return await run_in_threadpool(site.page, path, asked)
        if path not in self._kept:
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[path] = await run_in_threadpool(site.page, path)
        return self._kept[path]


def _shown(page: Page, status: int = 200) -> Response:
    headers = {**_HEADERS, "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'"}
    return Response(page.body, status, media_type=page.kind, headers=headers)


def _plain(text: str, status: int) -> Response:
    return Response(text + "\n", status, media_type="text/plain", headers=_HEADERS)


def serve(
    current: Callable[[], Site],
    host: str,
    port: int,
    started: Callable[[str], None],
    troubled: Callable[[str], None],
) -> None:
    """Serve until interrupted.

    Args:
        current: as in :func:`application`.
        host: address to listen at.
        port: port, 0 for any.
        started: is told the address once it listens.
        troubled: as in :func:`application`.

    Raises:
        LocalFault: nobody can listen there.
    """
    names = ("127.0.0.1", "localhost", "[::1]") if host in ("127.0.0.1", "::1", "localhost") else ("*",)
    config = uvicorn.Config(
        application(current, names, troubled), host=host, port=port, http=Patience, ws="none",
        log_level="error", access_log=False, server_header=False,
    )  # fmt: skip
    with _listening(host, port) as listening:
        _Announcing(config, started).run([listening])


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens, before the server starts, which would leave with an error and a code of its own."""
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(place[:2], family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        why = str(getattr(error, "strerror", None) or error).partition(" (")[0]  # behind it the address again
        raise LocalFault(
            later(
                "cannot listen on {host}, port {port!s}: {why}; choose others with --host and --port, as --port 0",
                host=host,
                port=port,
                why=why,
            )
        ) from None


class _Announcing(uvicorn.Server):
    """A server that says where it listens, which is known only then if any port would do."""

    def __init__(self, config: uvicorn.Config, started: Callable[[str], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say where."""
        await super().startup(sockets)
        for listening in (one for server in self.servers for one in server.sockets):
            host, port = listening.getsockname()[:2]
            self._started(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
            return
