"""The gate: a new generation is compared with the live one at one checkpoint, then switched to."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Self

from eventlog.log import LogIdentity, Undecodable
from eventlog.topics import Topics
from projectors import binding, generations
from projectors.database import Connection
from projectors.replay import catching_up, parity
from projectors.replay.built import Built, ParityFailed
from runtime.settings import LogSettings


class Gate:
    """One projection's; an async context manager with connections of its own."""

    def __init__(
        self,
        log: LogSettings,
        connection: Callable[[], AbstractAsyncContextManager[Connection]],
        one: Built,
        parked_max: int,
    ) -> None:
        self._log, self._connection, self._one = log, connection, one
        self._parked_max = parked_max
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        open_one = self._stack.enter_async_context
        self._control = await open_one(self._connection())
        self._work = await open_one(self._connection())
        self._gate = await open_one(self._connection())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def compare(self) -> None:
        """Hold the live projector for a moment, take a snapshot of both, and compare at leisure.

        Raises:
            ParityFailed: the rows are not the same though they must be.
            Undecodable: this release would park orders that are served now.
        """
        one, gate = self._one, self._gate
        if one.old is None:
            return
        await self._catch_up()
        generation = one.place.generation
        async with gate.transaction(isolation="repeatable_read", readonly=True):
            async with self._control.transaction():
                await self._hold()
                await gate.fetchval("SELECT 1")  # From here on, this is what the gate sees.
            one.report = await parity.compare(gate, one.projection, one.old.generation, generation)
            parked = await parity.parked_earlier_in(
                gate, one.projection.name, generation, one.old.generation
            )
        if parked:
            await generations.drop(self._work, one.projection, generation)
            raise Undecodable(
                f"the rebuilt {one.projection.name} would park {len(parked)} orders that are "
                f"served now, the first because: {next(iter(parked.values()))}. It was "
                "dropped; the live one is still served"
            )
        if one.is_comparable and not one.report.is_equal:
            await generations.drop(self._work, one.projection, generation)
            raise ParityFailed(one.report)

    async def switch(self, identity: LogIdentity) -> None:
        """Put the views on the new generation, when it is exactly as far as the live one.

        Raises:
            Incompatible: the log was made again while it was read, so that its rows say nothing.
        """
        one, control = self._one, self._control
        if one.old is not None:
            await self._catch_up()
        async with control.transaction():
            await self._hold()
            await binding.require_same(Topics(self._log), identity)
            await generations.switch(control, one.projection, one.place.generation)
        one.is_live = True
        await generations.prune(control, one.projection)

    async def _catch_up(self) -> None:
        await catching_up.follow(self._log, self._work, [self._one], self._parked_max)

    async def _hold(self) -> None:
        """Stop the live projector until the end of the transaction; reach its checkpoint."""
        await self._control.execute(
            "SELECT 1 FROM orderlog.generations WHERE projection = $1 AND state = 'live' "
            "FOR UPDATE",
            self._one.projection.name,
        )
        await catching_up.advance(self._log, self._work, [self._one], self._parked_max)
