"""Generations of read models: made beside each other, switched in one transaction, rolled back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from projectors import checkpoints, tables
from projectors.checkpoints import Place
from projectors.database import GENERATIONS_CHANNEL, Connection, Incompatible
from projectors.kinds import Projection, Tally

_LOCK = 0x6F726C67
"""The advisory lock under which first generations are made: 'orlg' as a number."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One row of `orderlog.generations`; `state` is building, live or previous."""

    projection: str
    generation: int
    function_version: int
    state: str

    @property
    def place(self) -> Place:
        """Where its checkpoints are."""
        return Place(self.projection, self.generation, self.state)


@dataclass(frozen=True, slots=True)
class Verified:
    """What comparing a live generation with the log has shown, and when."""

    at: datetime
    compared: int
    differing: int


async def verified_rows(connection: Connection, names: Sequence[str]) -> dict[str, Verified]:
    """Return the last comparison of each live generation that was compared."""
    found = await connection.fetch(
        "SELECT v.projection, verified_at, compared_rows, differing_rows FROM orderlog.verified v "
        "JOIN orderlog.generations g USING (projection, generation) "
        "WHERE g.state = 'live' AND projection = ANY($1::text[])",
        list(names),
    )
    return {row[0]: Verified(*row[1:]) for row in found}


async def note_verified(
    connection: Connection, place: Place, compared: int, differing: int
) -> None:
    """Keep the result of a comparison, for metrics and `GET /v1/projections`."""
    await connection.execute(
        "INSERT INTO orderlog.verified (projection, generation, compared_rows, differing_rows) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (projection, generation) DO UPDATE "
        "SET verified_at = now(), compared_rows = $3, differing_rows = $4",
        place.projection,
        place.generation,
        compared,
        differing,
    )


async def load(connection: Connection) -> list[Generation]:
    """Return all generations; of those in one state the one that was live last comes last."""
    found = await connection.fetch(
        "SELECT projection, generation, function_version, state FROM orderlog.generations "
        "ORDER BY projection, switched_at NULLS FIRST, generation"
    )
    return [Generation(*row) for row in found]


async def find(connection: Connection, name: str, state: str) -> Generation | None:
    """Return the last generation of a projection that is in `state`; see `load`."""
    found = [g for g in await load(connection) if (g.projection, g.state) == (name, state)]
    return found[-1] if found else None


async def require_live(connection: Connection, name: str) -> Generation:
    """Return the live generation.

    Raises:
        Incompatible: there is none yet.
    """
    live = await find(connection, name, "live")
    if live is None:
        raise Incompatible(
            f"{name} has no live generation yet: start `orderlog project` (or run "
            f"`orderlog rebuild --projection {name}`) first"
        )
    return live


async def ensure_live(
    connection: Connection, projections: Iterable[Projection], partitions: int
) -> None:
    """Make generation 1 live and empty, for each projection that has no live generation."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        known = {g.projection for g in await load(connection) if g.state == "live"}
        for projection in projections:
            if projection.name not in known:
                place = await _create(connection, projection, partitions)
                await create_indexes(connection, projection, place.generation)
                await switch(connection, projection, place.generation)


async def create(connection: Connection, projection: Projection, partitions: int) -> Place:
    """Make an empty generation that is building, its tables without the indexes.

    A tally gets its key at once, since its rows are added up from the beginning.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        place = await _create(connection, projection, partitions)
        if isinstance(projection, Tally):
            await create_indexes(connection, projection, place.generation)
    return place


async def _create(connection: Connection, projection: Projection, partitions: int) -> Place:
    generation: int = await connection.fetchval(
        "INSERT INTO orderlog.generations (projection, generation, function_version, state) "
        "SELECT $1, coalesce(max(generation), 0) + 1, $2, 'building' "
        "FROM orderlog.generations WHERE projection = $1 RETURNING generation",
        projection.name,
        projection.function_version,
    )
    place = Place(projection.name, generation, "building")
    await connection.execute(tables.create_table(projection.table(generation)))
    await checkpoints.create(connection, place, partitions)
    return place


async def create_indexes(connection: Connection, projection: Projection, generation: int) -> None:
    """Make the indexes that are missing."""
    for statement in tables.create_indexes(projection.table(generation)):
        await connection.execute(statement)


async def drop(connection: Connection, projection: Projection, generation: int) -> None:
    """Remove a generation that is not live, with its tables and checkpoints."""
    async with connection.transaction():
        await connection.execute(
            "DELETE FROM orderlog.generations "
            "WHERE projection = $1 AND generation = $2 AND state <> 'live'",
            projection.name,
            generation,
        )
        table = tables.qualified(projection.table(generation))
        await connection.execute(f"DROP TABLE IF EXISTS {table}")


async def switch(connection: Connection, projection: Projection, generation: int) -> None:
    """Make a generation live and the live one `previous`; call it in a transaction.

    Waits for batches that are being applied, and makes later ones look again.
    """
    await connection.execute(
        "UPDATE orderlog.generations SET state = 'previous' "
        "WHERE projection = $1 AND state = 'live'",
        projection.name,
    )
    await connection.execute(
        "UPDATE orderlog.generations SET state = 'live', switched_at = now() "
        "WHERE projection = $1 AND generation = $2",
        projection.name,
        generation,
    )
    for statement in tables.view(projection, generation):
        await connection.execute(statement)
    await connection.execute("SELECT pg_notify($1, $2)", GENERATIONS_CHANNEL, projection.name)


async def rollback(connection: Connection, projection: Projection) -> tuple[Generation, Generation]:
    """Switch back to the generation before; return the one left and the one that is live now.

    Readers see the older rows at once; the projector brings them up to date from their own
    checkpoint.

    Raises:
        Incompatible: there is no generation to go back to.
    """
    async with connection.transaction():
        live = await require_live(connection, projection.name)
        previous = await find(connection, projection.name, "previous")
        if previous is None:
            raise Incompatible(
                f"{projection.name} has no previous generation: it was never rebuilt, or the one "
                "before was pruned"
            )
        await switch(connection, projection, previous.generation)
    return live, previous


async def prune(connection: Connection, projection: Projection) -> None:
    """Drop all previous generations but the one that was live last: it is kept for a rollback."""
    found = [
        g
        for g in await load(connection)
        if (g.projection, g.state) == (projection.name, "previous")
    ]
    for old in found[:-1]:
        await drop(connection, projection, old.generation)
