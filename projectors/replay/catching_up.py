"""New generations follow the live ones: what came since is read once, for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from eventlog.reader import LogReader
from projectors import checkpoints, generations
from projectors.database import Connection
from projectors.engine import Engine, Move
from projectors.folding import Decoded
from projectors.follow import read_between
from projectors.parked.settling import settle
from projectors.replay.built import Built, RebuildRefused
from runtime.settings import LogSettings

_NEAR_OFFSETS = 500
_ROUNDS_MAX = 100


@dataclass(slots=True)
class _Following:
    """One generation, where it is, and where its live one is."""

    engine: Engine
    at: dict[int, int]
    goal: dict[int, int]

    def behind(self) -> int:
        return sum(max(0, end - self.at[partition]) for partition, end in self.goal.items())

    def move(self, decoded: Decoded) -> Move | None:
        """Return what is new in the batch and not beyond the goal."""
        partition = decoded.partition
        old, new = self.at[partition], min(decoded.next_offset, self.goal[partition])
        if old >= new:
            return None
        self.at[partition] = new
        records = tuple(item for item in decoded.records if old <= item.offset < new)
        return Move(partition, old, new, records)


async def follow(
    log: LogSettings, work: Connection, built: Sequence[Built], parked_max: int
) -> None:
    """Bring generations near their live ones, which go on.

    Raises:
        RebuildRefused: the live projector is faster.
    """
    for _ in range(_ROUNDS_MAX):
        if await advance(log, work, built, parked_max) <= _NEAR_OFFSETS * len(built):
            return
    names = ", ".join(one.projection.name for one in built)
    raise RebuildRefused(
        f"the live projector of {names} is faster than the rebuild: run it again when there is "
        "less traffic"
    )


async def advance(
    log: LogSettings, work: Connection, built: Sequence[Built], parked_max: int
) -> int:
    """Apply what live generations have and the new ones have not; return how many offsets."""
    found = [await _following(work, one, parked_max) for one in built]
    behind = [one for one in found if one is not None and one.behind()]
    if not behind:
        return 0
    offsets = sum(one.behind() for one in behind)
    starts = {p: min(one.at[p] for one in behind) for p in behind[0].at}
    ends = {p: max(one.goal[p] for one in behind) for p in behind[0].goal}
    with LogReader(log) as reader:
        for decoded in read_between(reader, starts, ends, log.request_timeout_ms / 1000):
            for one in behind:
                move = one.move(decoded)
                if move is not None:
                    await settle([move], partial(_apply, one.engine, work), _give_up)
    return offsets


async def _following(work: Connection, one: Built, parked_max: int) -> _Following | None:
    live = await generations.find(work, one.projection.name, "live")
    if live is None:
        return None
    engine = Engine(one.projection, one.place.generation, one.place.state, parked_max)
    await engine.load(work)
    at, goal = [await checkpoints.load(work, place) for place in (one.place, live.place)]
    return _Following(engine, at, goal)


async def _apply(engine: Engine, work: Connection, moves: Sequence[Move]) -> None:
    await engine.apply(work, moves)


async def _give_up(_: Move, error: Exception) -> None:
    raise error
