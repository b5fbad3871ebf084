"""When the outcome is unknown, or the fault is ours: say so, and nothing of what is inside."""

import asyncio
import uuid

import pytest

from domain.commands import AddNote
from domain.decide import DECIDER, decide
from domain.decider import Decider
from eventlog.log import Record
from eventlog.memory import Fault, MemoryLog
from eventlog.partitioner import partition_of

PARTITIONS = 4
SECRET = "the password is swordfish"


def order_in(partition: int) -> str:
    """Return the id of an order that lives there."""
    ids = (str(uuid.UUID(int=number)) for number in range(1_000))
    return next(each for each in ids if partition_of(each, PARTITIONS) == partition)


def faulty(state, command):
    """Fail on notes."""
    match command:
        case AddNote():
            raise RuntimeError(SECRET)
        case _:
            return decide(state, command)


FAULTY = Decider(DECIDER.initial, faulty, DECIDER.evolve)


@pytest.fixture
def broken_log() -> MemoryLog:
    """Partition 0 contradicts itself."""
    log = MemoryLog()
    log.commit(0, [Record(b"x/0000000001", b"\xff\xff")])
    return log


async def test_in_doubt_the_outcome_is_unknown_until_the_log_answers(serve, placing, wait_until):
    log = MemoryLog()
    async with serve(log) as api:
        order = {**placing, "order_id": order_in(1)}
        log.faults = lambda partition: Fault.LOST if partition == 1 else Fault.NONE
        waits = asyncio.create_task(api.post("/v1/orders", order, idempotency_key="k-1"))
        await wait_until(lambda: api.partitions.health()[1] == "in doubt")

        answer = await api.post(f"/v1/orders/{order_in(1)}/accept")
        elsewhere = await api.post("/v1/orders", {**placing, "order_id": order_in(2)})
        log.faults = lambda _: Fault.NONE

        assert (answer.status_code, answer.json()["code"]) == (503, "log-unavailable")
        assert answer.headers["retry-after"] == "1"
        assert elsewhere.status_code == 201
        assert ((await waits).status_code, (await waits).json()["replayed"]) == (201, False)
        assert [event.type for event in api.events(order_in(1))] == ["OrderPlaced"]


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.ANSWER_LOST, Fault.LATE])
async def test_a_doubt_is_settled_from_the_log_not_by_the_client(serve, placing, fault):
    log = MemoryLog()
    async with serve(log) as api:
        faults = iter([fault])
        log.faults = lambda _: next(faults, Fault.NONE)

        answer = await api.post("/v1/orders", placing, idempotency_key="k-1")

        assert (answer.status_code, answer.json()["replayed"]) == (201, False)
        assert len(api.events()) == 1


async def test_a_503_is_settled_by_the_same_key(serve, placing, wait_until):
    log = MemoryLog()
    async with serve(log) as api:
        order = {**placing, "order_id": order_in(1)}
        log.faults = lambda _: Fault.LOST
        waits = asyncio.create_task(api.post("/v1/orders", order, idempotency_key="k-1"))
        await wait_until(lambda: api.partitions.health()[1] == "in doubt")
        refused = await api.post("/v1/orders", order, idempotency_key="k-1")
        log.faults = lambda _: Fault.NONE
        first = await waits

        again = await api.post("/v1/orders", order, idempotency_key="k-1")

        assert refused.status_code == 503
        assert again.json() == {**first.json(), "replayed": True}
        assert len(api.events()) == 1


async def test_a_halted_partition_takes_nothing_and_the_others_go_on(serve, placing, broken_log):
    async with serve(broken_log, is_ready=False) as api:
        answer = await api.post("/v1/orders", {**placing, "order_id": order_in(0)})
        elsewhere = await api.post("/v1/orders", {**placing, "order_id": order_in(1)})

        assert (answer.status_code, answer.json()["code"]) == (503, "log-unavailable")
        assert answer.headers["retry-after"] == "30"
        assert "halted" not in answer.text
        assert "offset" not in answer.text
        assert elsewhere.status_code == 201


async def test_a_batch_tells_which_commands_are_put_off(serve, placing, broken_log):
    items = [
        {"command": "place-order", "order_id": order_in(partition), "data": placing}
        for partition in (0, 1)
    ]
    async with serve(broken_log, is_ready=False) as api:
        answer = await api.post("/v1/commands", items)

    halted, placed = answer.json()["results"]
    assert answer.status_code == 200
    assert (halted["status"], halted["code"], halted["retry_after"]) == (503, "log-unavailable", 30)
    assert placed["status"] == 201


async def test_a_fault_of_ours_is_told_without_its_words(serve, placing, note, refusal):
    async with serve(decider=FAULTY) as api:
        placed = (await api.post("/v1/orders", placing)).json()["order_id"]
        answer = await api.post(f"/v1/orders/{placed}/add-note", note)
        after = await api.post(f"/v1/orders/{placed}/accept")

        problem = refusal(answer)
        assert (problem["status"], problem["code"]) == (500, "internal-error")
        assert [
            word for word in ("swordfish", "RuntimeError", "Traceback") if word in answer.text
        ] == []
        assert after.status_code == 200
        assert [event.type for event in api.events(placed)] == ["OrderPlaced", "OrderAccepted"]


async def test_a_fault_in_a_batch_is_that_commands_own(serve, placing, note):
    async with serve(decider=FAULTY) as api:
        placed = (await api.post("/v1/orders", placing)).json()["order_id"]
        answer = await api.post(
            "/v1/commands",
            [
                {"command": "add-note", "order_id": placed, "data": note},
                {"command": "accept", "order_id": placed},
            ],
        )

    failed, accepted = answer.json()["results"]
    assert (failed["status"], failed["code"]) == (500, "internal-error")
    assert "swordfish" not in answer.text
    assert accepted["status"] == 200


async def test_what_is_in_flight_is_answered_before_the_end(placing, serve, held_log, wait_until):
    async with serve(held_log) as api:
        held_log.is_free.clear()
        waits = asyncio.create_task(api.post("/v1/orders", placing))
        await wait_until(lambda: held_log.waiting)
        closing = asyncio.create_task(api.partitions.close())
        await wait_until(lambda: "releasing" in api.partitions.health().values())
        late = await api.post("/v1/orders", placing)
        held_log.is_free.set()
        await closing

        assert late.status_code == 503
        assert (await waits).status_code == 201
        assert len(api.events()) == 1
