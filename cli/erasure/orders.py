"""What the read models and the key store say of one customer's orders."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from eventlog.log import LogIdentity
from eventlog.topics import Topics
from personal_data.keys import Keys
from projectors import binding
from projectors.database import Connection
from runtime.settings import LogSettings

_ORDERS = "SELECT order_id::text FROM read_models.orders WHERE customer_id = $1 ORDER BY order_id"
_FACTS = """
SELECT order_id::text, version, partition, log_offset, event_id::text
FROM read_models.timeline WHERE type = 'CustomerDataErased' AND order_id = ANY($1::uuid[])
"""
# Members of JSON without blanks, as the timeline keeps it; what is sealed is text, not an object.
_PLAIN = r"""
SELECT count(*) FROM read_models.timeline
WHERE order_id = ANY($1::uuid[]) AND (
    body ~ '"(contact|ship_to|bill_to)":\{'
    OR (type = 'NoteAdded' AND body !~ '"text":"sealed1:[A-Za-z0-9_-]{88,}"')
)
"""
_AT = """
SELECT projection, partition, next_offset FROM orderlog.live_checkpoints
WHERE projection IN ('orders', 'timeline')
"""
_NAMELESS = """
SELECT p.order_id FROM orderlog.live_parked p
WHERE p.projection IN ('orders', 'timeline') AND p.discarded_at IS NULL
AND NOT EXISTS (
    SELECT FROM read_models.orders o WHERE o.order_id::text = p.order_id
) ORDER BY 1
"""
_POLL_S = 0.05


class NotKnown(Exception):  # noqa: N818 - says what it is
    """Which orders a customer has cannot be said; the message has the remedy."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Where the log says that an order's personal data was erased."""

    version: int
    partition: int
    offset: int
    event_id: str


@dataclass(frozen=True, slots=True)
class OrderState:
    """How far one order's personal data is erased; None: the log does not say so."""

    order_id: str
    fact: Fact | None
    has_key: bool

    @property
    def is_erased(self) -> bool:
        """It is in the log, and nobody can open what was sealed."""
        return self.fact is not None and not self.has_key


class CustomerOrders:
    """Reads on one connection as the projectors' role."""

    def __init__(self, connection: Connection, log: LogSettings, keys: Keys) -> None:
        self._connection = connection
        self._log = log
        self._keys = keys

    async def projected(self, wait_s: float) -> LogIdentity:
        """Wait until the read models contain the log as it ends now; return which log it is.

        Raises:
            NotKnown: they do not within `wait_s`, or hold back orders without saying whose.
            projectors.database.Incompatible, eventlog.log.LogError: see there.
        """
        identity = await binding.bind(self._connection, self._log)
        ends = await asyncio.to_thread(Topics(self._log).ends, identity.partitions)
        deadline = time.monotonic() + wait_s
        while behind := await self._behind(ends):
            if time.monotonic() > deadline:
                raise NotKnown(
                    f"the read models are behind the log at partitions {behind}: is `orderlog "
                    "project` running? `orderlog lag` says more; orders could be missed"
                )
            await asyncio.sleep(_POLL_S)
        nameless = [row["order_id"] for row in await self._connection.fetch(_NAMELESS)]
        if nameless:
            raise NotKnown(
                f"{len(nameless)} parked orders may be anybody's, the first is {nameless[0]}: "
                "settle them first (`orderlog parked list`)"
            )
        return identity

    async def _behind(self, ends: dict[int, int]) -> list[int]:
        rows = await self._connection.fetch(_AT)
        at = {(row["projection"], row["partition"]): row["next_offset"] for row in rows}
        return sorted(
            {
                partition
                for partition, end in ends.items()
                for name in ("orders", "timeline")
                if at.get((name, partition), 0) < end
            }
        )

    async def of(self, customer_id: str) -> list[OrderState]:
        """Return the customer's orders as the read models know them.

        Raises:
            personal_data.keys.KeysUnavailable: see there.
        """
        rows = await self._connection.fetch(_ORDERS, customer_id)
        order_ids = [row["order_id"] for row in rows]
        facts = {
            row["order_id"]: Fact(
                row["version"], row["partition"], row["log_offset"], row["event_id"]
            )
            for row in await self._connection.fetch(_FACTS, order_ids)
        }
        keys = await self._keys.found(order_ids)
        return [OrderState(one, facts.get(one), one in keys) for one in order_ids]

    async def plain_events(self, order_ids: Iterable[str]) -> int:
        """Count events whose personal data was never sealed; no key erases those."""
        count: int = await self._connection.fetchval(_PLAIN, list(order_ids))
        return count
