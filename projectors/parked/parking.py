"""Parked orders: an event that cannot be applied waits, and with it all later ones of its order.

What waits is kept by reference, the offsets in the log, so nothing is copied and nothing is lost.
All other orders go on.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg

from domain.events import Recorded
from projectors.checkpoints import Place
from projectors.database import Connection
from projectors.read_models.times import moment

_LOAD = "SELECT order_id FROM orderlog.parked WHERE projection = $1 AND generation = $2"
_PARK = """
INSERT INTO orderlog.parked
    (projection, generation, order_id, partition, offsets, error, stale_since)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_WAIT = """
UPDATE orderlog.parked p SET offsets = p.offsets || w.offsets
FROM (
    SELECT order_id, array_agg(next ORDER BY next) AS offsets
    FROM unnest($3::text[], $4::bigint[]) AS u (order_id, next) GROUP BY order_id
) w
WHERE p.projection = $1 AND p.generation = $2 AND p.order_id = w.order_id
RETURNING p.order_id
"""
_COUNT = """
UPDATE orderlog.checkpoints SET parked_orders = parked_orders + $4
WHERE projection = $1 AND generation = $2 AND partition = $3 RETURNING parked_orders
"""


class ParkedChanged(Exception):  # noqa: N818 - the name is the state
    """An order is not parked any more: load what is, and apply again. Nothing was written."""


class TooManyParked(Exception):  # noqa: N818
    """The partition's limit of parked orders is reached: the fault is in no single order."""


_REFUSALS = (
    TooManyParked,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    # Of what makes a row from a document, and of asyncpg when a value cannot be sent.
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that this release cannot read, or an event that Postgres refuses.

    `order_id` is taken from the key; a key that names no order gives one that no order has.
    """

    partition: int
    offset: int
    order_id: str
    recorded_at_us: int
    why: str


Item: TypeAlias = Recorded | Unreadable
"""What stands at one offset."""


@dataclass(slots=True)
class Parked:
    """An order that was parked just now: the offsets of its events that wait, and why."""

    order_id: str
    partition: int
    offsets: list[int]
    error: str
    stale_since_us: int


@dataclass(slots=True)
class Parking:
    """What one batch parks. `known` are the orders that are parked already."""

    known: AbstractSet[str] = frozenset()
    fresh: dict[str, Parked] = field(default_factory=dict)
    waiting: list[tuple[str, int]] = field(default_factory=list)
    """Events of orders that were parked before: order id and offset."""

    def each(self, items: Iterable[Item], apply: Callable[[Recorded], None]) -> None:
        """Apply one event after the other; whatever goes wrong concerns its own order alone."""
        known, fresh = self.known, self.fresh
        for item in items:
            if item.order_id in known:
                self.waiting.append((item.order_id, item.offset))
            elif fresh and item.order_id in fresh:
                fresh[item.order_id].offsets.append(item.offset)
            elif isinstance(item, Unreadable):
                self._park(item, item.why)
            else:
                try:
                    apply(item)
                except Exception as error:  # noqa: BLE001 - whatever the function raises
                    self._park(item, sentence(item, error))

    def _park(self, item: Item, why: str) -> None:
        self.fresh[item.order_id] = Parked(
            item.order_id, item.partition, [item.offset], why, item.recorded_at_us
        )

    async def save(self, connection: Connection, place: Place, orders_max: int) -> None:
        """Keep it, in the transaction that moves the checkpoint past these events.

        Raises:
            ParkedChanged: somebody has taken up an order of `known` again.
            TooManyParked: a partition has more than `orders_max` parked orders by now.
        """
        key = (place.projection, place.generation)
        if self.waiting:
            order_ids, offsets = zip(*self.waiting, strict=True)
            found = await connection.fetch(_WAIT, *key, list(order_ids), list(offsets))
            if len(found) != len(set(order_ids)):
                raise ParkedChanged(f"other orders of {place.projection} are parked by now")
        for one in self.fresh.values():
            stale_since = moment(one.stale_since_us)
            values = (one.order_id, one.partition, one.offsets, one.error, stale_since)
            await connection.execute(_PARK, *key, *values)
            parked = await count(connection, place, one.partition, 1)
            if parked > orders_max:
                raise TooManyParked(
                    f"{orders_max} orders of {place.projection} are parked in partition "
                    f"{one.partition}, which is the limit (ORDERLOG_PARKED_ORDERS_MAX); the next "
                    f"would be {one.order_id}: {one.error}. This is more than single orders: "
                    "correct the function or deploy the release that reads the log, then restart"
                )


async def load(connection: Connection, place: Place) -> set[str]:
    """Return the orders that are parked in a generation, discarded ones included."""
    found = await connection.fetch(_LOAD, place.projection, place.generation)
    return {row["order_id"] for row in found}


async def count(connection: Connection, place: Place, partition: int, more: int) -> int:
    """Change the number of parked orders beside the checkpoint; return it."""
    orders: int = await connection.fetchval(
        _COUNT, place.projection, place.generation, partition, more
    )
    return orders


def is_refusal(error: BaseException) -> bool:
    """Tell whether single events can be to blame, so that it helps to find them."""
    return isinstance(error, _REFUSALS)


def refused(recorded: Recorded, error: Exception) -> Unreadable:
    """Return an event that cannot be stored as what stands at its offset."""
    return Unreadable(
        recorded.partition,
        recorded.offset,
        recorded.order_id,
        recorded.recorded_at_us,
        sentence(recorded, error),
    )


def sentence(recorded: Recorded, error: Exception) -> str:
    """Say which event cannot be applied, and why."""
    return (
        f"cannot apply partition {recorded.partition} offset {recorded.offset} ({recorded.type} of "
        f"order {recorded.order_id}, version {recorded.version}): {error!r}"
    )
