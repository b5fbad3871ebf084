"""What cannot be applied parks its order, by reference, with a reason; nothing is skipped."""

import json
from dataclasses import replace

import pytest

from projectors.parked import redrive
from projectors.parked.parking import TooManyParked
from projectors.read_models import PROJECTIONS
from projectors.replay.rebuild import Rebuild

from .running import at, errors
from .unreadable import HOSTILE, ORDER, PARTITION, UNKNOWN, UNREADABLE, of_the_next_release

ORDERS = PROJECTIONS["orders"]
VERSION = "SELECT version FROM read_models.orders WHERE order_id = $1::text::uuid"


@pytest.fixture
def counted(connection):
    """Answer `await counted()`: how many parked orders the checkpoints count, over all."""

    async def ask() -> int:
        return await connection.fetchval("SELECT sum(parked_orders) FROM orderlog.live_checkpoints")

    return ask


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_its_order_is_parked_with_the_reason_and_all_else_is_applied(
    stage, projecting, counted, kind
):
    record, said = UNREADABLE[kind]
    offset = await stage.put(record)

    async with projecting() as projector:
        await projector.reach()
        assert set(projector.live.status().values()) == {None}

    found = await redrive.find(stage.connection, order_id=ORDER)
    assert {one.projection for one in found} == set(PROJECTIONS)
    for one in found:
        assert (one.partition, one.offsets) == (PARTITION, (offset,))
        assert f"partition {PARTITION} offset {offset}" in one.error
        assert said in one.error
    assert await counted() == len(await stage.parked())
    assert await stage.is_exact()


@pytest.mark.parametrize("kind", HOSTILE)
async def test_whatever_a_stranger_writes_stops_nobody(stage, projecting, kind):
    """Live, in a rebuild, and in both ways to verify."""
    offset = await stage.put(HOSTILE[kind])

    async with projecting() as projector:
        await projector.reach()
        assert set(projector.live.status().values()) == {None}

    found = await redrive.find(stage.connection)
    assert {one.offsets for one in found} <= {(offset,)}
    assert "timeline" in {one.projection for one in found}
    for verb in ("rebuild --workers 1", "verify --all --workers 1", "verify --sample 1000"):
        done = await stage.cli(*verb.split())
        assert done.exit_code == 0, done.output


async def test_a_record_that_names_no_order_is_parked_under_its_place(stage):
    offset = await stage.put(HOSTILE["no text"])

    await stage.project()

    place = f"record {PARTITION}/{offset}"
    assert await stage.parked() == {(name, place): [offset] for name in PROJECTIONS}
    assert await stage.is_exact()


async def test_later_events_of_a_parked_order_wait_in_order_across_restarts(stage, projecting):
    offsets = [await stage.put(UNKNOWN)]
    for _ in range(2):
        async with projecting(events_max=2) as projector:
            await projector.reach()
            offsets.append(await stage.put(UNKNOWN))
            await projector.reach()
        assert await stage.parked() == {(name, ORDER): offsets for name in PROJECTIONS}
    assert await stage.is_exact()


async def test_a_newer_release_takes_it_up_in_order_with_what_came_meanwhile(
    stage, projecting, newer_release, counted
):
    await stage.put(of_the_next_release)
    async with projecting() as projector:
        await projector.reach()
        waiting = await stage.parked()
        (order_id,) = {order_id for _, order_id in waiting}
        refused = await stage.cli("parked", "retry", "--all")
        assert (refused.exit_code, await stage.parked()) == (1, waiting)
        assert refused.stdout.count("still parked") == len(PROJECTIONS)

        with newer_release():
            done = await stage.cli("parked", "retry", order_id)
            assert done.exit_code == 0, done.output
            await stage.facts.happen(60)  # The projector has not heard yet that it may go on.
            await projector.reach()
            assert (await stage.parked(), await counted()) == ({}, 0)
            assert await stage.is_exact()


@pytest.fixture
def victim(facts):
    """Answer an order with two versions at least."""
    return lambda: next(
        one.order_id for batch in facts.decoded() for one in batch.records if one.version == 2
    )


async def test_a_function_that_fails_parks_its_order_and_the_corrected_one_applies_it(
    stage, projecting, victim
):
    await stage.facts.happen(40)
    order_id = victim()

    def faulty(document, recorded):
        if (recorded.order_id, recorded.version) == (order_id, 2):
            raise KeyError("planted")
        return ORDERS.evolve(document, recorded)

    async def is_free() -> bool:
        return await stage.parked() == {}

    async with projecting(projections=[replace(ORDERS, evolve=faulty)]) as projector:
        await stage.facts.happen(40)
        await projector.reach(names=["orders"])
        before = await stage.connection.fetchval(VERSION, order_id)
        listed = json.loads((await stage.cli("parked", "list", "-o", "json")).stdout)
        shown = await stage.cli("parked", "show", order_id)
        fixed = await stage.cli("parked", "retry", "--all")
        await projector.until(is_free, "applied")
    await stage.project()

    assert before == 1
    assert [(one["projection"], one["order_id"]) for one in listed] == [("orders", order_id)]
    assert "planted" in listed[0]["error"]
    assert listed[0]["error"] in shown.stdout
    assert shown.stdout.count("offset") == 1 + len(listed[0]["offsets"])
    assert fixed.exit_code == 0, fixed.output
    assert await stage.is_exact()


async def test_a_value_that_postgres_refuses_parks_its_order_alone(stage, projecting, victim):
    """The database names no event, so that the batch is halved until it is found."""
    await stage.facts.happen(60)
    order_id = victim()

    def row(document, text, partition):
        values = list(ORDERS.row(document, text, partition))
        if document["order_id"] == order_id and document["version"] > 1:
            values[0] = "no UUID"
        return tuple(values)

    broken = replace(ORDERS, row=row)
    async with projecting(projections=[broken], events_max=500) as projector:
        await projector.reach(names=["orders"])
    found = await stage.parked()
    rebuild = Rebuild(stage.facts.settings, projector.database, [broken])
    (built,) = await rebuild.run(is_switching=False)
    done = await stage.cli("parked", "retry", order_id)
    await stage.project()

    assert found.keys() == {("orders", order_id)}
    assert built.report.is_equal
    assert done.exit_code == 0, done.output
    assert await stage.is_exact()


async def test_too_many_parked_orders_stop_the_partition_and_say_so(
    stage, projecting, database_settings
):
    """A systematic fault: nothing is hidden behind a growing list."""
    await stage.facts.happen(200)

    def faulty(document, recorded):
        raise KeyError("planted")

    broken = replace(ORDERS, evolve=faulty)
    with pytest.raises(TooManyParked, match="ORDERLOG_PARKED_ORDERS_MAX"):
        await Rebuild(stage.facts.settings, database_settings, [broken], parked_max=2).run()
    async with projecting(projections=[broken], parked_orders_max=2) as projector:

        async def have_stopped() -> bool:
            return len(await errors(stage.connection)) == 4

        await projector.until(have_stopped, "stopped")
        status = projector.live.status()
    lag = await stage.cli("lag")

    assert "ORDERLOG_PARKED_ORDERS_MAX" in status["orders"]
    assert len(await stage.parked()) == 4 * 2
    assert lag.exit_code == 3
    stopped = (await at(stage.connection))["orders"]
    assert all(stopped[partition] < end for partition, end in stage.facts.ends().items())


async def test_a_discarded_order_alarms_nobody_and_can_still_be_taken_up(
    stage, projecting, newer_release, counted
):
    await stage.put(of_the_next_release)
    await stage.project()
    ((_, order_id), *_) = await stage.parked()

    without = await stage.cli("parked", "discard", order_id)
    given_up = await stage.cli("parked", "discard", order_id, "--reason", "test data")
    again = await stage.cli("parked", "discard", order_id, "--reason", "test data")
    left = await stage.cli("parked", "retry", "--all")
    listed = await stage.cli("parked", "list")

    assert without.exit_code == 2
    assert (given_up.exit_code, again.exit_code, left.exit_code) == (0, 0, 0)
    assert "before" in again.stdout
    assert "discarded: test data" in listed.stdout
    assert await counted() == 0
    with newer_release():
        async with projecting() as projector:
            await stage.facts.happen(60)
            await projector.reach()
            done = await stage.cli("parked", "retry", order_id)
            assert done.exit_code == 0, done.output
            assert await stage.is_exact()
    assert (await stage.parked(), await counted()) == ({}, 0)


async def test_verbs_on_what_is_not_parked_say_so(stage):
    for arguments in (["show", ORDER], ["retry", ORDER], ["discard", ORDER, "--reason", "x"]):
        said = await stage.cli("parked", *arguments)
        assert said.exit_code == 1
        assert f"no order {ORDER} is parked" in said.stderr
    assert (await stage.cli("parked", "retry")).exit_code == 2
    assert (await stage.cli("parked", "list", "--projection", "none")).exit_code == 2
    assert (await stage.cli("parked", "list")).stdout.count("\n") == 1
