"""How far behind, how stuck, and which transaction hangs: said by number, and in words."""

import json

import pytest

from cli.read_models import lag
from projectors import generations, metrics
from projectors.lag import Lags
from projectors.read_models import PROJECTIONS

PARTITION = 1


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_seconds_count_from_the_last_time_it_was_at_the_end(clock):
    lags, at = Lags(clock), {"orders": {0: 5, 1: 5}}
    lags.note({0: 5, 1: 5}, {0: 5, 1: 5}, at)
    clock.now_s += 10
    lags.note({0: 9, 1: 5}, {0: 9, 1: 5}, at)
    clock.now_s += 5

    assert lags.records() == {("orders", 0): 4, ("orders", 1): 0}
    assert lags.seconds() == {("orders", 0): 15.0, ("orders", 1): 0.0}


@pytest.mark.parametrize(
    ("limit_s", "position", "words"),
    [
        (60, 5, "70 s behind the log at partition 0, and has stood still for 70 s"),
        (60, 7, "70 s behind the log at partition 0 (ORDERLOG_LAG_SECONDS_MAX)"),
        (0, 5, None),
        (90, 5, None),
    ],
)
def test_what_is_too_late_is_said_and_whether_it_moves(clock, limit_s, position, words):
    lags = Lags(clock)
    lags.note({0: 5}, {0: 5}, {"orders": {0: 5}})
    clock.now_s += 50
    lags.note({0: 9}, {0: 9}, {"orders": {0: position}})
    clock.now_s += 20

    said = lags.troubles(limit_s, 20.0).get("orders")

    assert (said or "").startswith(words or "")
    assert (said is None) == (words is None)


def test_only_a_transaction_that_stays_open_hangs(clock):
    lags = Lags(clock)
    for end in range(10):  # One after the other: each is open at the moment of looking.
        lags.note({0: end, 1: 0}, {0: end + 1, 1: 1}, {})
        clock.now_s += 5

    assert lags.held_s() == {0: 5.0, 1: 50.0}
    assert lags.troubles(0, 20.0).keys() == {"transactions"}
    assert "partition 1 at offset 0 since 50 s" in lags.troubles(0, 20.0)["transactions"]
    lags.note({0: 10, 1: 1}, {0: 10, 1: 1}, {})
    assert lags.held_s() == {}


async def test_a_hanging_transaction_is_named_by_the_verb_the_projector_and_the_database(
    facts, projecting, cli, connection, environment, eventually
):
    await facts.happen(20)
    environment["ORDERLOG_TRANSACTION_TIMEOUT_MS"] = "1000"  # What is older than two seconds hangs.
    partition, records = facts.histories.group()
    appender = await facts.begin(partition, records)
    patient = facts.settings.model_copy(update={"transaction_timeout_ms": 1_000})
    async with projecting(log=patient) as projector:

        async def is_named() -> bool:
            return "find-hanging" in (projector.live.status()["transactions"] or "")

        await projector.until(is_named, "a hanging transaction")
        done = await cli("lag")
        counted = json.loads((await cli("lag", "-o", "json")).stdout)
        held = await connection.fetchval(
            "SELECT count(*) FROM orderlog.live_checkpoints WHERE held_since < now()"
        )
        assert metrics.OPEN_TRANSACTION.labels(partition)._value.get() > 0
    await appender.close()

    assert done.exit_code == 3
    assert f"holds partition {partition} at offset" in done.stderr
    ages_s = {one["partition"]: one["open_transaction_seconds"] for one in counted}
    assert ages_s[partition] > 2
    assert sum(ages_s.values()) == ages_s[partition]
    assert held == len(PROJECTIONS)


async def test_whoever_does_not_move_though_there_is_more_is_stuck(
    facts, projecting, cli, monkeypatch
):
    await facts.happen(10)
    async with projecting() as projector:
        await projector.reach()
    fine = await cli("lag")
    await facts.happen(40)
    monkeypatch.setattr(lag, "_STILL_S", 0.0)

    stuck = await cli("lag")

    assert fine.exit_code == 0
    assert stuck.exit_code == 3
    assert "is `orderlog project` running" in stuck.stderr


async def test_drift_is_kept_and_shown_until_it_is_compared_again(
    facts, projecting, cli, connection, owner, eventually
):
    await facts.happen(30)
    async with projecting() as projector:
        await projector.reach()
        first = "SELECT day, currency FROM read_models.revenue_g1 ORDER BY 1, 2 LIMIT 1"
        row = f"WHERE (day, currency) = ({first})"
        await owner.execute(f"UPDATE read_models.revenue_g1 SET orders = orders + 1 {row}")
        differing = await cli("verify", "--all", "--workers", "1")

        async def shown(drift: float) -> bool:
            return metrics.DRIFT.labels("revenue")._value.get() == drift

        await eventually(lambda: shown(1.0), "the drift in the metrics")
        await owner.execute(f"UPDATE read_models.revenue_g1 SET orders = orders - 1 {row}")
        equal = await cli("verify", "--all", "--workers", "1")
        await eventually(lambda: shown(0.0), "no drift in the metrics")

    assert (differing.exit_code, equal.exit_code) == (5, 0), differing.output + equal.output
    found = await generations.verified_rows(connection, list(PROJECTIONS))
    assert found.keys() == PROJECTIONS.keys()
    assert all(one.differing == 0 and one.compared > 0 for one in found.values())
