"""An SSH server that forwards connections, by asyncssh: the same library as the client's, so it proves no format."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rozaneh.lab.topology import Service
from rozaneh.lab.world.dialling import Dialler
from rozaneh.lab.world.directory import option_text
from rozaneh.lab.world.doors import PEER_ERRORS, Caller, Stream

if TYPE_CHECKING:
    import asyncssh

_CHUNK = 65536
_SEED = b"the lab's SSH servers, all alike"
"""A key that everybody knows, so that a way can name it; it guards nothing."""


@cache
def _host_key() -> "asyncssh.SSHKey":
    import asyncssh  # noqa: PLC0415 - half a second that only its users should wait for
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - the same
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    secret = Ed25519PrivateKey.from_private_bytes(_SEED)
    return asyncssh.import_private_key(secret.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))


def ssh(service: Service, host: str, dialler: Dialler) -> Callable[[Caller], Awaitable[None]]:
    """A door for SSH with a name and a password, and for forwarded connections alone."""
    user, password = option_text(service, "user", "lab"), option_text(service, "password")

    async def serve(caller: Caller) -> None:
        import asyncssh  # noqa: PLC0415 - as above

        class Server(asyncssh.SSHServer):
            """What this one lets people do."""

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, given: str) -> bool:
                return (username, given) == (user, password)

            def connection_requested(
                self, dest_host: str, dest_port: int, _orig_host: str, _orig_port: int
            ) -> "Callable[[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]], Awaitable[None]]":
                async def forward(reader: "asyncssh.SSHReader[bytes]", writer: "asyncssh.SSHWriter[bytes]") -> None:
                    await _forward(reader, writer, partial(dialler.open, host, dest_host, dest_port))

                return forward

        raw = caller.take()
        connection = await asyncssh.run_server(
            raw, server_factory=Server, server_host_keys=[_host_key()], server_version="OpenSSH_9.2p1"
        )
        try:
            await connection.wait_closed()
        finally:
            connection.abort()

    return serve


async def _forward(
    reader: "asyncssh.SSHReader[bytes]",
    writer: "asyncssh.SSHWriter[bytes]",
    far: Callable[[], Awaitable[Stream]],
) -> None:
    """Carry bytes between a channel and where it wanted to go."""
    try:
        there = await far()
    except OSError:
        writer.close()
        return

    async def outwards() -> None:
        while data := await reader.read(_CHUNK):
            await there.send(data)
        await there.end()

    async def homewards() -> None:
        while data := await there.some():
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(outwards())
            both.create_task(homewards())
    except* PEER_ERRORS:
        there.reset()
    finally:
        there.close()
        writer.close()
