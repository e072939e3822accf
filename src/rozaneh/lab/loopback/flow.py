"""One TCP connection through the hop.

Theory of operation. The hop ends the client's connection and opens one to the server. For all that either side does it
makes the packet that would have crossed the path, asks the censors about it, and does what they decide:

==========================  ==========================================================================================
the packet is ...           then ...
==========================  ==========================================================================================
forwarded                   what it stood for happens, after the path's delay and the censors'
dropped                     it is repeated as TCP would, at growing intervals; until one passes there is silence
answered by a RST           that side's connection is aborted; a client that is still connecting is refused
answered by ICMP            a client that is still connecting gets that error
answered by a segment       its payload appears; as many bytes of the true peer are then old news and vanish
led elsewhere               that machine is reached instead; what it sends goes past the censors in its own name
==========================  ==========================================================================================

Acknowledgements, windows and losses of the kernel's own are not modelled: a censor that reads these needs a real wire.
"""

import asyncio
import errno
import itertools
from collections.abc import Awaitable, Callable

from rozaneh.core import LocalFault
from rozaneh.lab.loopback.path import Passage, Path
from rozaneh.lab.loopback.segments import ACK, FIN, PSH, RST, SYN, Conversation, Happening, Place, happening_of
from rozaneh.lab.world.doors import PEER_ERRORS, Stream

_SEGMENT = 1400
_UNDER_WAY = 64
_SYN_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_DATA_WAITS = (0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 19.2, 38.4)
_FOR_EVER = 3600.0
_numbers = itertools.count(1000, 7919)

Reach = Callable[[Place], Awaitable[Stream]]
"""Opens the connection to a server. Raises ``OSError``."""


class Flow:
    """One connection.

    Args:
        path: of the client.
        client: its address and port.
        server: what it wants to reach.
        reach: how the hop reaches that, or where a censor leads it.
    """

    def __init__(self, path: Path, client: Place, server: Place, reach: Reach) -> None:
        self._path = path
        self._address = server[0]
        self._reach = reach
        self._talk = Conversation(client, server, next(_numbers))
        self._near, self._far = path.delays(server[0])
        self._ends: dict[bool, Stream] = {}
        self._refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._old_news = 0
        self._deaf = False

    async def open(self) -> int:
        """Connect as a kernel would; waits long where there is silence.

        Returns:
            0, or the error number that ``connect`` would have given.
        """
        for wait in _SYN_WAITS:
            syn = self._send(SYN, outbound=True)
            place = self._talk.led_to(syn.raw)
            if syn.through and not self._path.is_black_hole(place[0]):
                number = await self._arrive(place)
                if number is not None:
                    return number
            done, _ = await asyncio.wait([self._refused], timeout=wait)
            if done:
                return self._refused.result()
        return errno.ETIMEDOUT

    async def _arrive(self, place: Place) -> int | None:
        """The SYN arrives at a server, whose answer has to come back; none if that is lost."""
        self._talk.answered_by(place)
        self._near, self._far = self._path.delays(place[0])
        await self._unless_refused(self._near + self._far)
        if self._refused.done():
            return self._refused.result()
        if not self._path.leads_to(place[0]):
            return errno.ENETUNREACH
        try:
            server = await self._reach(place)
        except OSError as error:
            back = self._send(RST | ACK, outbound=False)
            await self._unless_refused(self._near + self._far + back.delay)
            if self._refused.done():
                return self._refused.result()
            return (error.errno or errno.ECONNREFUSED) if back.through else None
        self._talk.spoken(1, outbound=True)
        back = self._send(SYN | ACK, outbound=False)
        if not back.through:
            server.reset()
            return None
        self._ends[False] = server
        self._talk.spoken(1, outbound=False)
        await self._unless_refused(self._near + self._far + back.delay)
        self._send(ACK, outbound=True)
        return self._refused.result() if self._refused.done() else 0

    async def _unless_refused(self, seconds: float) -> None:
        await asyncio.wait([self._refused], timeout=seconds)

    async def carry(self, client: Stream) -> None:
        """Carry bytes both ways until both sides have ended or one of them broke."""
        if False not in self._ends:
            raise LocalFault("a flow carries nothing before it is open")
        self._ends[True] = client
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._direction(outbound=True))
                both.create_task(self._direction(outbound=False))
        except* PEER_ERRORS:
            self._break()

    def close(self) -> None:
        """Close what is open."""
        for end in self._ends.values():
            end.close()

    async def _direction(self, *, outbound: bool) -> None:
        mail: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._take(mail, outbound=outbound))
            both.create_task(self._deliver(mail, outbound=outbound))

    async def _take(self, mail: asyncio.Queue[tuple[float, bytes]], *, outbound: bool) -> None:
        """Take what one side sends, past the censors, into the mail."""
        source = self._ends[outbound]
        while True:
            try:
                data = await source.some(_SEGMENT)
            except ConnectionError:
                self._send(RST, outbound=outbound)
                raise
            flags = PSH | ACK if data else FIN | ACK
            delay = await self._offer(flags, data, outbound=outbound)
            self._talk.spoken(len(data) or 1, outbound=outbound)
            await mail.put((asyncio.get_running_loop().time() + self._near + self._far + delay, data))
            if not data:
                return

    async def _offer(self, flags: int, data: bytes, *, outbound: bool) -> float:
        """Repeat a segment until it passes; the seconds that the censors held it back."""
        for wait in (*_DATA_WAITS, _FOR_EVER):
            passage = self._send(flags, data, outbound=outbound)
            if passage.through:
                return passage.delay
            await asyncio.sleep(wait)
        raise TimeoutError

    async def _deliver(self, mail: asyncio.Queue[tuple[float, bytes]], *, outbound: bool) -> None:
        """Hand each piece over when its time has come."""
        sink = self._ends[not outbound]
        loop = asyncio.get_running_loop()
        while True:
            due, data = await mail.get()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            if not outbound and self._deaf:
                continue
            if not data:
                await sink.end()
                return
            old = 0 if outbound else min(self._old_news, len(data))
            self._old_news -= old
            data = data[old:]
            await sink.send(data)

    def _send(self, flags: int, data: bytes = b"", *, outbound: bool) -> Passage:
        """Ask the censors about one segment, and let happen what they inject."""
        passage = self._path.send(self._talk.segment(flags, data, outbound=outbound), self._address, outbound=outbound)
        loop = asyncio.get_running_loop()
        reached = self._near if outbound else self._far
        for raw, toward_client, delay in passage.injected:
            happening = happening_of(raw, self._talk, loop.time(), toward_client=toward_client)
            if happening is not None:
                later = reached + delay + (self._near if toward_client else self._far)
                loop.call_later(later, self._happen, happening, toward_client)
        return passage

    def _happen(self, happening: Happening, toward_client: bool) -> None:
        end = self._ends.get(toward_client)
        if end is None:
            if toward_client and not self._refused.done() and (happening.reset or happening.number):
                self._refused.set_result(happening.number or errno.ECONNREFUSED)
        elif happening.reset:
            # The other side hears of it with its next segment, which meets a socket that is gone.
            end.reset()
        elif happening.payload and not end.writer.is_closing():
            end.writer.write(happening.payload)
            if toward_client:
                self._old_news += len(happening.payload)
        if happening.fin and end is not None and not end.writer.is_closing():
            end.writer.write_eof()
            self._deaf = self._deaf or toward_client

    def _break(self) -> None:
        for end in self._ends.values():
            end.reset()
