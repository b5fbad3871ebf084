"""How far each projection has come: moved by compare-and-set, in the transaction of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from projectors.database import Connection

_LOAD = """
SELECT partition, next_offset FROM orderlog.checkpoints WHERE projection = $1 AND generation = $2
"""
_SAME_STATE = """
SELECT 1 FROM orderlog.generations
WHERE projection = $1 AND generation = $2 AND state = $3 FOR SHARE
"""
_ADVANCE = """
UPDATE orderlog.checkpoints c
SET next_offset = m.new, updated_at = now(), moved_at = now(), error = NULL,
    end_offset = greatest(c.end_offset, m.new),
    last_recorded_at = coalesce(m.recorded_at, c.last_recorded_at)
FROM (
    SELECT * FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::timestamptz[])
    AS m (partition, old, new, recorded_at)
) m
WHERE c.projection = $1 AND c.generation = $2 AND c.partition = m.partition
    AND c.next_offset = m.old
RETURNING c.partition
"""
_HOLD = """
SELECT 1 FROM orderlog.checkpoints
WHERE projection = $1 AND generation = $2 AND partition = $3 FOR UPDATE
"""
_CREATE = """
INSERT INTO orderlog.checkpoints (projection, generation, partition, next_offset)
SELECT $1, $2, partition, 0 FROM generate_series(0, $3::int - 1) AS partition
"""
_SET_ERROR = """
UPDATE orderlog.checkpoints SET error = $4, updated_at = now()
WHERE projection = $1 AND generation = $2 AND partition = $3
"""
_SET_ENDS = """
WITH free AS (
    SELECT c.projection, c.generation, c.partition
    FROM orderlog.checkpoints c JOIN orderlog.generations g USING (projection, generation)
    WHERE g.state = 'live' AND c.projection = ANY($3::text[])
    FOR UPDATE OF c SKIP LOCKED
)
UPDATE orderlog.checkpoints c
SET end_offset = greatest(c.next_offset, e.end_offset), updated_at = now(),
    held_since = now() - e.held_s * interval '1 second'
FROM free, unnest($1::int[], $2::bigint[], $4::float8[]) AS e (partition, end_offset, held_s)
WHERE c.partition = e.partition AND (c.projection, c.generation, c.partition)
    = (free.projection, free.generation, free.partition)
"""

_PARKED_ORDERS = """
SELECT projection, partition, parked_orders FROM orderlog.live_checkpoints
WHERE projection = ANY($1::text[])
"""


class CheckpointTaken(Exception):  # noqa: N818 - the name is the state
    """Another instance moved the checkpoint: roll back and stop this projection."""


class GenerationChanged(Exception):  # noqa: N818
    """The generation is not in the expected state any more: look which one is, and begin there."""


@dataclass(frozen=True, slots=True)
class Place:
    """One generation of one projection; `state` is what it must be for its rows to be written."""

    projection: str
    generation: int
    state: str


@dataclass(frozen=True, slots=True)
class Step:
    """A checkpoint's move. `recorded_at` is the last event's time, None without an event."""

    partition: int
    old: int
    new: int
    recorded_at: object = None


async def create(connection: Connection, place: Place, partitions: int) -> None:
    """Put all partitions of a new generation at the beginning of the log."""
    await connection.execute(_CREATE, place.projection, place.generation, partitions)


async def load(connection: Connection, place: Place) -> dict[int, int]:
    """Return the next offset that is not yet applied, per partition."""
    found = await connection.fetch(_LOAD, place.projection, place.generation)
    return {row["partition"]: row["next_offset"] for row in found}


async def advance(connection: Connection, place: Place, steps: Sequence[Step]) -> None:
    """Move checkpoints; call it first in the transaction, the rows come after it.

    It waits while a switch of generations is under way, and holds switches off until the end of
    the transaction.

    Raises:
        CheckpointTaken: a checkpoint is not at its step's `old`; nothing may be committed.
        GenerationChanged: the generation is not in `place.state`; nothing may be committed.
    """
    key = (place.projection, place.generation)
    await _require_state(connection, place)
    moved = await connection.fetch(
        _ADVANCE,
        *key,
        [step.partition for step in steps],
        [step.old for step in steps],
        [step.new for step in steps],
        [step.recorded_at for step in steps],
    )
    if len(moved) != len(steps):
        raise CheckpointTaken(
            f"another projector moved the checkpoint of {place.projection}; this one stops "
            "applying it (run one `orderlog project` per database)"
        )


async def hold(connection: Connection, place: Place, partition: int) -> None:
    """Keep everybody from moving a checkpoint until the end of the transaction.

    Raises:
        GenerationChanged: the generation is not in `place.state`.
    """
    key = (place.projection, place.generation)
    await _require_state(connection, place)
    await connection.execute(_HOLD, *key, partition)


async def _require_state(connection: Connection, place: Place) -> None:
    found = await connection.fetchval(_SAME_STATE, place.projection, place.generation, place.state)
    if found is None:
        raise GenerationChanged(
            f"generation {place.generation} of {place.projection} is not {place.state} any more"
        )


async def set_error(connection: Connection, place: Place, partition: int, error: str) -> None:
    """Show at the checkpoint why the event there cannot be applied."""
    await connection.execute(_SET_ERROR, place.projection, place.generation, partition, error)


async def set_ends(
    connection: Connection,
    ends: Mapping[int, int],
    projections: Sequence[str],
    held_s: Mapping[int, float],
) -> None:
    """Note where the log ends, so that lag is visible; also the sign that a projector lives.

    `held_s`: for how long a transaction of a partition has been open, if one is. Checkpoints that
    are being moved are passed over: nobody waits for a heartbeat.
    """
    await connection.execute(
        _SET_ENDS,
        list(ends),
        list(ends.values()),
        list(projections),
        [held_s.get(partition) for partition in ends],
    )


async def parked_orders(
    connection: Connection, projections: Sequence[str]
) -> list[tuple[str, int, int]]:
    """Return projection, partition, and how many of its orders are parked and not discarded."""
    found = await connection.fetch(_PARKED_ORDERS, list(projections))
    return [(row["projection"], row["partition"], row["parked_orders"]) for row in found]
