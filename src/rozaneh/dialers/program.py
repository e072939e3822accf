"""``exec:PROGRAM ARG...``: go through a program of your own that offers SOCKS5 on loopback, port ``{port}``.

It opens every protocol that somebody has written a client for, and is judged by what comes through it as any other
way. It runs code, so only the owner of the device can add one: no link, list or file makes it
(:mod:`rozaneh.links`).
"""

from dataclasses import dataclass

from rozaneh.core import Element, Op, Spec, Target
from rozaneh.dialers.helper import LOOPBACK, Helper, HelperStream, found, only_here
from rozaneh.dialers.socks5 import Socks5
from rozaneh.dialers.tcp import Tcp
from rozaneh.dialers.upstream import Upstream
from rozaneh.links.own import PORT, words_of
from rozaneh.net import ByteStream, Dialer, Network, Trace

_START = 20.0


@dataclass(frozen=True)
class Exec:
    """Dials through a program.

    Attributes:
        helper: the program.
        network: of this machine.
        spec: the whole way.
        patience: seconds for it to start and to make a connection.
    """

    helper: Helper
    network: Network
    spec: Spec
    patience: float = _START

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Start the program where it does not run, and have it dial, as one step PROXY."""
        async with trace.step(Op.PROXY, peer=LOOPBACK, deadline=self.patience) as step:
            port = await self.helper.port()
            step.peer = f"{LOOPBACK}:{port}"
            tcp = Tcp(self.network, Spec((Element("tcp"),)))
            socks = Socks5(Upstream(host=LOOPBACK, port=port), tcp, self.spec)
            return HelperStream(await socks.dial(target, step.under), self.helper)


def build(element: Element, network: Network) -> Dialer:
    """Make the leaf from its element."""
    only_here(network, "exec:")
    program, *words = words_of(element.argument)
    path = program if "/" in program else found(program)

    def arguments(port: int) -> list[str]:
        return [path, *(word.replace(PORT, str(port)) for word in words)]

    return Exec(Helper(arguments), network, Spec((element,)))
