"""Canaries: when a connection hangs before anybody has answered it, is that its target, or everything abroad?

One destination that does not answer says nothing about the others. So the resolvers that ways depend on, which belong
to several providers, are asked for a connection, all at once and beside the search. A single answer, were it a refusal,
shows that this is no cut. Only when all have had the time of a repeated SYN and none has answered is it one. Nothing is
said on these connections, and on a network without trouble none is made.
"""

from collections.abc import Callable, Iterable

import anyio

from rozaneh.core import Attempt, Failure, Op, Target
from rozaneh.finder.resolvers import Resolvers
from rozaneh.finder.table import Row
from rozaneh.net import Deadlines, Dialer, Report, measure

__all__ = ["PATIENCE", "Canaries", "places"]

PATIENCE = 2.0
"""Seconds for an answer. A lost SYN is repeated after one: where one packet in twenty is lost, in each direction, about
one canary in a hundred is silent by accident."""
_MOST = 4
_ANSWERED = {None, Failure.CONNECTION_REFUSED, Failure.CONNECTION_RESET}
_SILENT = {Failure.GENERIC_TIMEOUT_ERROR, Failure.HOST_UNREACHABLE}


def places(rows: Iterable[Row], resolvers: Resolvers) -> tuple[Target, ...]:
    """Where the table's resolvers are, each address once."""
    found: dict[str, Target] = {}
    for row in rows:
        resolver = resolvers.resolver(row.use).resolver
        found.setdefault(resolver.address, resolver.target)
    return tuple(found.values())[:_MOST]


class Canaries:
    """Connections that tell whether anything abroad answers.

    Args:
        where: what to connect to.
        dialer: the direct way.
        report: told of every attempt.

    Attributes:
        where: what is connected to.
    """

    def __init__(self, where: tuple[Target, ...], dialer: Dialer, report: Report) -> None:
        self.where = where
        self._dialer = dialer
        self._report = report

    async def fly(self, silent: Callable[[str], None], spent: Callable[[Attempt], None]) -> bool:
        """Connect to all at once; whether one has answered, at which the others are called back.

        Args:
            silent: called with the name of each that was not heard in time.
            spent: called with each attempt, for what it has cost.
        """
        heard: list[Target] = []

        def report(attempt: Attempt) -> None:
            self._report(attempt)
            spent(attempt)

        async with anyio.create_task_group() as tasks:

            async def one(target: Target) -> None:
                async with await measure(
                    self._dialer, target, report=report, deadlines=Deadlines(connect=PATIENCE)
                ) as measured:
                    failures = {step.failure for step in measured.attempt.steps(Op.CONNECT)}
                if failures & _ANSWERED:
                    heard.append(target)
                    tasks.cancel_scope.cancel()
                elif failures & _SILENT:
                    silent(target.authority)

            for target in self.where:
                tasks.start_soon(one, target)
        return bool(heard)
