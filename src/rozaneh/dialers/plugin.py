"""``plugin:NAME[;OPTION=VALUE...]``: reach a Shadowsocks server through a SIP003 plugin such as ``obfs-local``.

It stands at the bottom, below ``ss://``, and dresses its bytes as something else: simple-obfs as the beginning of
HTTP or TLS, which a filter that looks closer tells apart. A plugin is a program, so no link brings one by itself:
the owner of the device says yes to it. It is told by its environment where the server is (SIP003), and listens on a
free port of loopback.
"""

from dataclasses import dataclass, field

from rozaneh.core import Element, Op, Spec, Target
from rozaneh.dialers.helper import LOOPBACK, Helper, HelperStream, found, only_here
from rozaneh.links.own import plugin_of
from rozaneh.net import ByteStream, Dialer, Network, Trace

_START = 20.0


@dataclass(frozen=True)
class Plugin:
    """Dials through a plugin; one runs for each server.

    Attributes:
        program: its path.
        options: what the link tells it.
        network: of this machine.
        spec: the whole way.
    """

    program: str
    options: str
    network: Network
    spec: Spec
    _helpers: dict[str, Helper] = field(default_factory=dict, repr=False, compare=False)

    async def dial(self, target: Target, trace: Trace) -> ByteStream:
        """Start the plugin for this server where it does not run, and connect to it, as one step PROXY."""
        async with trace.step(Op.PROXY, peer=target.authority, deadline=_START) as step:
            helper = self._helpers.setdefault(target.authority, self._helper(target))
            port = await helper.port()
            async with step.under.step(Op.CONNECT, peer=f"{LOOPBACK}:{port}"):
                stream = await self.network.connect_tcp(LOOPBACK, port)
            return HelperStream(stream, helper)

    def _helper(self, target: Target) -> Helper:
        def told(port: int) -> dict[str, str]:
            return {
                "SS_REMOTE_HOST": target.host,
                "SS_REMOTE_PORT": str(target.port),
                "SS_LOCAL_HOST": LOOPBACK,
                "SS_LOCAL_PORT": str(port),
                "SS_PLUGIN_OPTIONS": self.options,
            }

        return Helper(lambda _port: [self.program], environment=told)


def build(element: Element, network: Network) -> Dialer:
    """Make the leaf from its element."""
    only_here(network, "a plugin")
    name, options = plugin_of(element.argument)
    return Plugin(found(name), options, network, Spec((element,)))
