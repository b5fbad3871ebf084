"""What we compare with: the projector of the tutorials. aiokafka, asyncpg, an event at a time.

Each event is one transaction: read the order's row, fold the event into it, upsert it, and upsert
the offset; after a crash it goes on from the offsets in the database. It keeps an `orders` row that
is equal to ours, column by column and with the same indexes, since it folds with the same function;
it has none of the other read models, no generations, and tells nobody that it has moved on.

`python benchmarks/guide_projector.py BOOTSTRAP TOPIC PARTITIONS DATABASE_URL EVENTS` makes its
tables anew, applies so many events, and prints how many seconds that took.
"""

import sys
import time
from typing import TypeAlias

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from eventlog import codec
from eventlog.log import StoredRecord
from projectors.engine import document_row
from projectors.read_models import orders

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

TABLE = "guide_orders"
_COLUMNS = [column.name for column in orders.table().columns]
_OURS = (
    "SELECT 'read_models.orders_g' || generation FROM orderlog.generations "
    "WHERE projection = 'orders' AND state = 'live'"
)
_TABLES = (
    f"DROP TABLE IF EXISTS {TABLE}, guide_offsets",
    f"CREATE TABLE {TABLE} (LIKE {{ours}} INCLUDING ALL)",
    "CREATE TABLE guide_offsets (partition int PRIMARY KEY, next_offset bigint NOT NULL)",
)
_OFFSETS = "SELECT partition, next_offset FROM guide_offsets"
_SELECT = f"SELECT document FROM {TABLE} WHERE order_id = $1"
_UPSERT = (
    f"INSERT INTO {TABLE} ({', '.join(_COLUMNS)}) "
    f"VALUES ({', '.join(f'${place}' for place in range(1, len(_COLUMNS) + 1))}) "
    f"ON CONFLICT (order_id) DO UPDATE SET "
    f"{', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)
_SAVE_OFFSET = (
    "INSERT INTO guide_offsets (partition, next_offset) VALUES ($1, $2) "
    "ON CONFLICT (partition) DO UPDATE SET next_offset = excluded.next_offset"
)


async def apply(connection: Connection, message: ConsumerRecord) -> bool:
    """Apply one record in one transaction; tell whether it was an event of an order."""
    async with connection.transaction():
        is_event = codec.is_event(message.key)
        if is_event:
            stored = StoredRecord(
                message.partition, message.offset, message.timestamp, message.key, message.value
            )
            recorded = codec.decode(stored)
            found = await connection.fetchval(_SELECT, recorded.order_id)
            before = None if found is None else orjson.loads(found)
            document = orders.PROJECTION.evolve(before, recorded)
            row = document_row(orders.PROJECTION, document, recorded.partition)
            await connection.execute(_UPSERT, *row)
        await connection.execute(_SAVE_OFFSET, message.partition, message.offset + 1)
    return is_event


async def project(
    bootstrap: str, topic: str, partitions: int, connection: Connection, events: int
) -> float:
    """Apply so many events from where the database is; return the seconds from the first one on."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(places)
        saved = {row["partition"]: row["next_offset"] for row in await connection.fetch(_OFFSETS)}
        for place in places:
            consumer.seek(place, saved.get(place.partition, 0))
        done, started = 0, time.perf_counter()
        async for message in consumer:
            done += await apply(connection, message)
            if done == events:
                break
        return time.perf_counter() - started
    finally:
        await consumer.stop()


async def _main(bootstrap: str, topic: str, partitions: int, url: str, events: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        ours = await connection.fetchval(_OURS)
        for statement in _TABLES:
            await connection.execute(statement.format(ours=ours))
        print(await project(bootstrap, topic, partitions, connection, events))
    finally:
        await connection.close()


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])))
