"""``rozaneh helper``: a control vantage for others, hosted by a volunteer."""

import signal
import ssl
import sys
from pathlib import Path
from typing import Annotated

import anyio
import typer
from anyio.abc import SocketAttribute

from rozaneh.cli.options import Json, Lang, as_json, console, print_bytes, words
from rozaneh.cli.place import NetworksFile, read_networks
from rozaneh.core import LocalFault
from rozaneh.helper import PORTS, Bounds, GuardedNetwork, Server, Vantage
from rozaneh.net.own import own_addresses
from rozaneh.net.real import RealNetwork
from rozaneh.net.trust import Trust
from rozaneh.words import Words, later, mark

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_LOOPBACK = "127.0.0.1"


@app.command(
    help=mark("Host a control vantage: others ask it whether a site works from outside."),
    epilog=mark("Example: rozaneh helper --listen 0.0.0.0 --port 443 --certificate cert.pem --key key.pem"),
)
def helper(
    *,
    listen: Annotated[
        str, typer.Option(metavar="ADDRESS", help=mark("The address to listen on; this machine alone unless you say."))
    ] = _LOOPBACK,
    port: Annotated[int, typer.Option(min=0, max=65535, help=mark("The port; 0 takes a free one."))] = 8765,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=mark("The TLS certificate chain (PEM); none behind a web server.")),
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help=mark("The key of the certificate (PEM)."))] = None,
    also_port: Annotated[
        list[int] | None,
        typer.Option(metavar="PORT", min=1, max=65535, help=mark("A further port that may be dialled for others.")),
    ] = None,
    per_minute: Annotated[
        int, typer.Option(min=1, max=6000, help=mark("Questions a minute that one client may ask."))
    ] = Bounds().per_client,
    behind_web_server: Annotated[
        bool,
        typer.Option(
            "--behind-web-server",
            help=mark("Believe the client's address that a web server on this machine passes on."),
        ),
    ] = False,
    networks: NetworksFile = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Parse, serve, and say at the end how many were served."""
    tongue = words(lang)
    network = RealNetwork()
    guarded = GuardedNetwork(network, own_addresses(), PORTS | frozenset(also_port or ()))
    server = Server(
        Vantage(guarded, Trust.system(), networks=read_networks(networks)),
        Bounds(per_client=per_minute),
        context=_context(certificate, key),
        forwarded=behind_web_server,
    )
    screen = _Screen(tongue, as_json=as_json)
    anyio.run(_serve, server, network, (listen, port), screen, backend_options={"use_uvloop": True})
    screen.ended(server)


async def _serve(server: Server, network: RealNetwork, place: tuple[str, int], screen: "_Screen") -> None:
    try:
        listener = await network.listen_tcp(*place)
    except (OSError, ValueError) as error:
        raise LocalFault(
            later(
                "cannot listen on {address}, port {port!s}: {error}; choose another --port",
                address=place[0],
                port=place[1],
                error=error,
            )
        ) from error
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(_until_asked_to_stop, tasks.cancel_scope)
        screen.listening(place[0], listener.extra(SocketAttribute.local_port))
        await server.serve(listener)


async def _until_asked_to_stop(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        if key is not None:
            raise LocalFault(later("--key needs --certificate"))
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise LocalFault(
            later("cannot use {certificate} as a certificate: {error}", certificate=certificate, error=error)
        ) from error
    return context


class _Screen:
    """Says where the helper listens and, at the end, what it did. It never says for whom."""

    def __init__(self, tongue: Words, *, as_json: bool) -> None:
        self._words = tongue
        self._as_json = as_json
        self._out = console()

    def listening(self, address: str, port: int) -> None:
        if self._as_json:
            self._write({"event": "listening", "address": address, "port": port})
            return
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self._out.print(self._words.say("Answering probes on {place}. Nothing is kept about who asks.", place=place))

    def ended(self, server: Server) -> None:
        answered = server.counts["answered"]
        refused = sum(server.counts.values()) - answered
        if self._as_json:
            self._write({"event": "ended", "answered": answered, "refused": refused})
            return
        self._out.print(
            self._words.say(
                "Questions answered: {answered}. Questions refused: {refused}.", answered=answered, refused=refused
            )
        )

    @staticmethod
    def _write(value: object) -> None:
        print_bytes(as_json(value) + b"\n")
        sys.stdout.flush()
