"""T3: a client's own partitioner would hash `<order>/<version>`, and scatter every order."""

import asyncio
from collections import defaultdict

from aiokafka.partitioner import murmur2

from domain.commands import Accept
from eventlog.codec import decode, is_event
from eventlog.kafka import KafkaLog
from eventlog.topics import Topics
from tests.submissions import submission as submit

from .given import PARTITIONS, PLACING, READY_S, note, opened

ORDERS = 1_000


def by_another(key: bytes) -> int:
    """Where somebody else's murmur2 puts a key; no line of it is ours."""
    return (murmur2(key) & 0x7FFFFFFF) % PARTITIONS


async def test_a_thousand_orders_are_where_another_murmur2_puts_them(log_settings, kafka_log):
    orders = [f"0193a5c0-7a2b-7c3d-8e4f-{number:012d}" for number in range(ORDERS)]
    async with opened(kafka_log, log_settings) as partitions:
        await partitions.wait_ready(READY_S)
        for command in (PLACING, Accept(), note()):
            await asyncio.gather(
                *(partitions.submit(submit(command, order_id)) for order_id in orders)
            )

    places, scattered = defaultdict(list), defaultdict(set)
    async with KafkaLog(log_settings) as log:
        for partition, end in Topics(log_settings).ends(PARTITIONS).items():
            async for batch in log.read(partition, 0, end):
                for record in filter(lambda record: is_event(record.key), batch.records):
                    order_id = decode(record).order_id
                    places[order_id].append(partition)
                    scattered[order_id].add(by_another(record.key))

    assert places == {order_id: [by_another(order_id.encode())] * 3 for order_id in orders}
    assert len({places[order_id][0] for order_id in orders}) == PARTITIONS
    assert sum(len(found) > 1 for found in scattered.values()) > ORDERS / 2, "the trap is there"
