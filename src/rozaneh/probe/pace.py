"""How much at once: overall, at one address, and about one name."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

AT_ONCE = 64
AT_ONE_ADDRESS = 4
ABOUT_ONE_NAME = 4


class Pace:
    """Bounds for the attempts of one run.

    The caps for each address and each name keep one target's attempts from being taken for an attack, and one target's
    penalty from falling on a neighbour that is just connecting.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._all = anyio.CapacityLimiter(at_once)
        self._by_key: dict[str, anyio.Semaphore] = {}

    @asynccontextmanager
    async def turn(self, name: str, addresses: Iterable[str] = ()) -> AsyncIterator[None]:
        """Wait for a turn to dial a name, at its addresses where they are known, and hold it."""
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._of(f"name {name}", ABOUT_ONE_NAME))
            # Always in one order, so that two who want the same addresses cannot wait for each other.
            for address in sorted(set(addresses)):
                await held.enter_async_context(self._of(address, AT_ONE_ADDRESS))
            # Capacity is taken last: who waits for an address holds up nobody else.
            await self._all.acquire_on_behalf_of(held)
            held.callback(self._all.release_on_behalf_of, held)
            yield

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[None]:
        """Hold something that only one may use at a time, such as a mirror."""
        async with self._of(f"alone {key}", 1):
            yield

    def _of(self, key: str, bound: int) -> anyio.Semaphore:
        return self._by_key.setdefault(key, anyio.Semaphore(bound))
