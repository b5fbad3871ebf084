"""How each figure is taken."""

import time
import uuid
from collections.abc import Callable

import orjson
import uvloop

from benchmarks import load
from benchmarks.load import Result
from benchmarks.servers import Servers
from eventlog.kafka import KafkaLog
from eventlog.log import Record
from eventlog.reader import LogReader
from eventlog.topics import Topics

ORDER = {
    "customer_id": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}],
}
_BODY = orjson.dumps(ORDER)
_BATCH = orjson.dumps([{"command": "place-order", "data": ORDER}] * 100)
_BATCH_ORDERS = 100
_BATCH_CONNECTIONS = 8
"""As many as keep the node busy: each partition has one batch under way and one that waits."""
_LONE = 200
_MANY = 2_000
_BUSY = (b"HTTP/1.1 429 ", b"HTTP/1.1 503 ")


def _limited(requests: int, make: Callable[[], bytes]) -> Callable[[], bytes | None]:
    left = iter(range(requests))
    return lambda: None if next(left, None) is None else make()


def _order() -> bytes:
    return load.post("/v1/orders", _BODY, f"idempotency-key: {uuid.uuid4()}")


def _batch() -> bytes:
    return load.post("/v1/commands", _BATCH, f"idempotency-key: {uuid.uuid4()}")


def _run(
    port: int, connections: int, requests: int, make: Callable[[], bytes], status: int = 201
) -> Result:
    result = uvloop.run(load.run(port, connections, _limited(requests, make), status=status))
    if result.wrong or result.answers != requests:
        raise AssertionError(f"{len(result.wrong)} wrong answers, like {result.wrong[:1]}")
    return result


def both(
    servers: Servers, connections: int, requests: int, *, is_ours_first: bool
) -> tuple[Result, Result]:
    """Send the same to both; return ours and the guide's."""
    ports = [servers.ours_port, servers.guide_port]
    order = ports if is_ours_first else ports[::-1]
    results = {port: _run(port, connections, requests, _order) for port in order}
    return results[servers.ours_port], results[servers.guide_port]


def batch_over_single(servers: Servers, requests: int) -> float:
    """Return how many times more orders come through in batches."""
    single = _run(servers.ours_port, 64, requests, _order)
    batches = _run(
        servers.ours_port, _BATCH_CONNECTIONS, max(16, requests // _BATCH_ORDERS), _batch, 200
    )
    return batches.rate * _BATCH_ORDERS / single.rate


def goodput(servers: Servers, requests: int) -> float:
    """Return orders a second at twice the rate that can be taken, over that rate."""
    peak = _run(servers.ours_port, 256, requests, _order).rate
    every_s = _MANY / (2 * peak)
    run = load.run(servers.ours_port, _MANY, _limited(4 * requests, _order), every_s=every_s)
    result = uvloop.run(run)
    refused = [one for one in result.wrong if one.startswith(_BUSY)]
    if len(refused) != len(result.wrong) or not refused:
        raise AssertionError(f"{len(refused)} of {len(result.wrong)} were refused as busy")
    return (result.answers - len(refused)) / result.seconds / peak


async def lone_over_bare(servers: Servers) -> float:
    """Return the p99 of one command at a time over that of one record in a bare transaction.

    The two take turns, on another topic with the same settings, so that both meet the same moments.
    """
    settings = servers.settings.model_copy(update={"kafka_topic": "guide.events"})
    bare: list[float] = []
    lone: list[float] = []
    client = await load.open_lone(servers.ours_port)
    async with KafkaLog(settings) as log:
        appender = await log.open_appender(0)
        record = Record(b"bare", b"x" * 400)
        for _ in range(_LONE):
            started = time.perf_counter()
            await appender.append([record])
            bare.append(time.perf_counter() - started)
            lone.append(await client.ask(_order()))
        await appender.close()
    place = int(_LONE * 0.99)
    return sorted(lone)[place] / sorted(bare)[place]


def place_many(servers: Servers, orders: int) -> float:
    """Place orders in batches; return orders a second."""
    batches = orders // _BATCH_ORDERS
    run = _run(servers.ours_port, _BATCH_CONNECTIONS, batches, _batch, 200)
    return run.rate * _BATCH_ORDERS


def consume_s(servers: Servers) -> float:
    """Return the seconds that plain consumption of all partitions takes, nothing decoded."""
    partitions = servers.settings.partitions
    ends = Topics(servers.settings).ends(partitions)
    started = time.monotonic()
    with LogReader(servers.settings) as reader:
        for partition, end in ends.items():
            for _ in reader.read_range(partition, 0, end):
                pass
    return time.monotonic() - started
