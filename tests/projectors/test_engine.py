"""Rows and checkpoint move together, once, or not at all: on a real Postgres."""

import asyncio

import asyncpg
import pytest

from projectors import checkpoints, folding
from projectors.checkpoints import CheckpointTaken, GenerationChanged
from projectors.database import connect
from projectors.engine import Engine, Move
from projectors.read_models import PROJECTIONS

pytestmark = pytest.mark.usefixtures("live_tables")


def moves(decoded, positions):
    """Return one move per batch; `positions` are moved along."""
    for batch in decoded:
        old, positions[batch.partition] = positions[batch.partition], batch.next_offset
        yield Move(batch.partition, old, batch.next_offset, batch.records)


async def apply_all(connection, decoded):
    for projection in PROJECTIONS.values():
        engine = Engine(projection, 1)
        for move in moves(decoded, dict.fromkeys(range(4), 0)):
            await engine.apply(connection, [move])


@pytest.mark.parametrize("seed", range(6))
async def test_the_tables_equal_the_functions(connection, served, histories, expected, seed):
    decoded = [folding.decode(batch) for batch in histories(seed).batches(200)]

    await apply_all(connection, decoded)

    assert await served() == expected(decoded)
    for name in PROJECTIONS:
        place = Engine(PROJECTIONS[name], 1).place
        ends = {batch.partition: batch.next_offset for batch in decoded}
        assert await checkpoints.load(connection, place) == dict.fromkeys(range(4), 0) | ends


async def test_how_the_log_is_cut_into_transactions_changes_nothing(
    connection, served, histories, expected
):
    history = histories(7)
    decoded = [folding.decode(batch) for batch in history.batches(200)]
    for projection in PROJECTIONS.values():
        engine, positions = Engine(projection, 1), dict.fromkeys(range(4), 0)
        rest = list(moves(decoded, positions))
        while rest:
            taken = {}
            while rest and len(taken) < history.rng.randint(1, 4):
                move = rest.pop(0)
                known = taken.get(move.partition)
                taken[move.partition] = (
                    Move(move.partition, known.old, move.new, known.records + move.records)
                    if known
                    else move
                )
            await engine.apply(connection, list(taken.values()))

    assert await served() == expected(decoded)


@pytest.mark.parametrize("name", PROJECTIONS)
async def test_a_batch_that_was_applied_is_refused_whole(connection, served, histories, name):
    decoded = [folding.decode(batch) for batch in histories(1).batches(40)]
    engine = Engine(PROJECTIONS[name], 1)
    first = next(moves(decoded, dict.fromkeys(range(4), 0)))
    await engine.apply(connection, [first])
    before = await served()

    with pytest.raises(CheckpointTaken, match=name):
        await engine.apply(connection, [first])

    assert await served() == before


@pytest.mark.parametrize("name", PROJECTIONS)
async def test_a_failure_after_the_rows_rolls_back_rows_and_checkpoint(
    connection, served, histories, name
):
    """The trigger fails the transaction at its commit: all statements had succeeded."""
    await connection.execute(
        "CREATE FUNCTION read_models.fail() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$"
    )
    await connection.execute(
        f"CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON read_models.{name}_g1 "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION read_models.fail()"
    )
    decoded = [folding.decode(batch) for batch in histories(2).batches(2_000)]
    engine = Engine(PROJECTIONS[name], 1)
    before = None

    async def apply_all():
        nonlocal before
        for move in moves(decoded, dict.fromkeys(range(4), 0)):
            before = await checkpoints.load(connection, engine.place)
            await engine.apply(connection, [move])

    with pytest.raises(asyncpg.DiskFullError):
        await apply_all()

    assert (await served())[name] == []
    assert await checkpoints.load(connection, engine.place) == before


async def test_of_two_writers_one_wins_and_the_other_writes_nothing(
    connection, database_settings, served, histories, expected
):
    decoded = [folding.decode(batch) for batch in histories(3).batches(60)]
    rival = await connect(database_settings)
    losses = 0
    try:
        for projection in PROJECTIONS.values():
            engine = Engine(projection, 1)
            for move in moves(decoded, dict.fromkeys(range(4), 0)):
                results = await asyncio.gather(
                    engine.apply(connection, [move]),
                    engine.apply(rival, [move]),
                    return_exceptions=True,
                )
                losses += sum(isinstance(result, CheckpointTaken) for result in results)
                assert results.count([]) == 1, results
    finally:
        await rival.close()

    assert losses == len(decoded) * len(PROJECTIONS)
    assert await served() == expected(decoded)


async def test_a_generation_that_is_not_live_any_more_is_not_written(connection, histories):
    decoded = [folding.decode(batch) for batch in histories(4).batches(20)]
    engine = Engine(PROJECTIONS["orders"], 1)
    await connection.execute(
        "UPDATE orderlog.generations SET state = 'previous' WHERE projection = 'orders'"
    )

    with pytest.raises(GenerationChanged):
        await engine.apply(connection, list(moves(decoded[:1], dict.fromkeys(range(4), 0))))

    assert await connection.fetchval("SELECT count(*) FROM read_models.orders_g1") == 0


async def test_an_event_that_does_not_follow_parks_its_order(connection, histories, served):
    decoded = [folding.decode(batch) for batch in histories(5).batches(60)]
    move = next(m for m in moves(decoded, dict.fromkeys(range(4), 0)) if len(m.records) > 1)
    engine = Engine(PROJECTIONS["orders"], 1)
    twice = Move(move.partition, move.old, move.new, (*move.records, move.records[-1]))

    (parked,) = await engine.apply(connection, [twice])

    last = move.records[-1]
    assert (parked.order_id, parked.offsets) == (last.order_id, [last.offset])
    assert f"version {last.version} follows version {last.version}" in parked.error
    assert await connection.fetchval("SELECT count(*) FROM read_models.orders_g1") > 0


async def test_sums_outgrow_64_bits(connection, served):
    engine = Engine(PROJECTIONS["customers"], 1)
    most = 2**63 - 1
    async with connection.transaction():
        await engine.upsert(connection, [("c", "EUR", 1, most, 0, most, 0)])
        await engine.upsert(connection, [("c", "EUR", 1, most, 0, 0, 0)])

    assert (await served())["customers"] == [("c", "EUR", 2, 2 * most, 0, most, 0)]
