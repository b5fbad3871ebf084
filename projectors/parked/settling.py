"""Moves that are refused as a whole: halved until the one event is found that is to blame."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from domain.events import Recorded
from projectors.checkpoints import CheckpointTaken, GenerationChanged
from projectors.engine import Move
from projectors.parked import parking
from projectors.parked.parking import TooManyParked

Apply: TypeAlias = Callable[[Sequence[Move]], Awaitable[None]]
GiveUp: TypeAlias = Callable[[Move, Exception], Awaitable[None]]


async def settle(moves: Sequence[Move], apply: Apply, give_up: GiveUp) -> None:
    """Apply all moves, in as few transactions as they take; park the order of a refused event.

    The functions' own errors park orders without this. What is left are values that Postgres
    refuses, which it does not name, and the limit of parked orders: what comes before that event
    is applied, and `give_up` is told of its move.

    Raises:
        Exception: whatever says nothing about single events; nothing of that part was written.
    """
    try:
        await apply(moves)
    except (CheckpointTaken, GenerationChanged):
        raise
    except Exception as error:
        if not parking.is_refusal(error):
            raise
        parts = _halves(moves)
        for part in parts:
            await settle(part, apply, give_up)
        if not parts:
            await _give_up(moves[0], error, apply, give_up)


async def _give_up(move: Move, error: Exception, apply: Apply, give_up: GiveUp) -> None:
    items = [item for item in move.records if isinstance(item, Recorded)]
    if isinstance(error, TooManyParked) or not items:
        await give_up(move, error)
        return
    (recorded,) = items
    parked = Move(move.partition, move.old, move.new, (parking.refused(recorded, error),))
    try:
        await apply([parked])
    except TooManyParked as too_many:
        await give_up(move, too_many)


def _halves(moves: Sequence[Move]) -> list[Sequence[Move]]:
    """Return the moves as two parts, first partitions apart, then events; empty: one event."""
    if len(moves) > 1:
        middle = len(moves) // 2
        return [moves[:middle], moves[middle:]]
    move = moves[0]
    middle = len(move.records) // 2
    if not middle:
        return []
    between = move.records[middle].offset
    return [
        [Move(move.partition, move.old, between, move.records[:middle])],
        [Move(move.partition, between, move.new, move.records[middle:])],
    ]
