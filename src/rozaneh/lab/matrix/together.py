"""Many jobs at once, and one clear error when one of them meets a fault of ours."""

from collections.abc import Callable, Coroutine, Iterable

import anyio

from rozaneh.core import RozanehError

Job = Callable[[], Coroutine[object, object, None]]


async def together(jobs: Iterable[Job]) -> None:
    """Run all jobs at the same time until the last has ended.

    Raises:
        RozanehError: what the first job that failed so has raised, by itself rather than in a group; the others are
            cancelled.
    """
    try:
        async with anyio.create_task_group() as group:
            for job in jobs:
                group.start_soon(job)
    except BaseExceptionGroup as many:
        fault = _first(many)
        if fault is None:
            raise
        raise fault from None


def _first(many: BaseExceptionGroup[BaseException]) -> RozanehError | None:
    for error in many.exceptions:
        found = _first(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, RozanehError):
            return found
    return None
