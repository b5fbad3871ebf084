"""A rebuild after something has changed under it: functions corrected, live rows rolled back."""

from dataclasses import replace

import pytest

from projectors.read_models import PROJECTIONS
from projectors.replay.rebuild import Rebuild
from tests.projectors.checking import Exact, look
from tests.projectors.running import at

NAMES = ("orders", "timeline", "customers")
FUNCTIONS = {"orders": "evolve", "timeline": "rows", "customers": "deltas"}


@pytest.fixture
def rebuild(facts, database_settings):
    return lambda projection, **more: Rebuild(facts.settings, database_settings, [projection]).run(
        **more
    )


def failing(name: str, order_id: str, versions: set[int]):
    projection = PROJECTIONS[name]
    function = getattr(projection, FUNCTIONS[name])

    def apply(*arguments):
        recorded = arguments[-1]
        if recorded.order_id == order_id and recorded.version in versions:
            raise KeyError("planted")
        return function(*arguments)

    return replace(projection, **{FUNCTIONS[name]: apply})


@pytest.mark.parametrize("name", NAMES)
async def test_an_order_with_two_faults_of_which_one_is_corrected_is_applied_that_far(
    facts, projecting, connection, rebuild, name
):
    """Parked before and after, but from a later event on: the gate must not call that wrong."""
    await facts.happen(100)
    orders = [one.order_id for batch in facts.decoded() for one in batch.records]
    order_id = max(sorted(set(orders)), key=orders.count)
    versions = {2, orders.count(order_id)}
    async with projecting(projections=[failing(name, order_id, versions)]) as projector:
        await projector.reach(names=[name])
    before = (await look(connection, [name])).parked[name, order_id]

    (built,) = await rebuild(failing(name, order_id, {max(versions)}))

    after = await look(connection, [name])
    assert built.is_live
    assert after.parked == {(name, order_id): before[-1:]}
    assert len(before) > 1
    Exact().require(after, facts.decoded())


@pytest.mark.parametrize("name", ["orders", "customers"])
async def test_what_was_built_before_a_rollback_is_not_compared_with_older_rows(
    facts, projecting, connection, rebuild, cli, name
):
    """What a `--no-switch` has left is ahead of the generation that somebody went back to."""
    projection = PROJECTIONS[name]
    await facts.happen(40)
    async with projecting() as projector:
        await projector.reach()
    await rebuild(projection)
    await facts.happen(40)
    async with projecting() as projector:
        await projector.reach()
    await rebuild(projection, is_switching=False)
    assert (await cli("rollback", "--projection", name)).exit_code == 0
    assert (await at(connection))[name] != facts.ends()

    (built,) = await rebuild(projection)

    assert built.is_live
    assert built.report.is_equal
    Exact().require(await look(connection), facts.decoded())
