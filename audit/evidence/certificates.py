"""Certificates of erasure: which orders' personal data was erased, and where the log says so.

Whoever has an export can look at the places: each holds the fact `CustomerDataErased`. That no key
is left is the word of whoever signs.
"""

from typing import Any, Literal, Self

from pydantic import model_validator

from audit.evidence.signing import Stamped
from audit.manifest import Log, Tool
from audit.strict import Count, Strict


class ErasedOrder(Strict):
    """One order and its fact in the log."""

    order_id: str
    version: Count
    partition: Count
    offset: Count
    event_id: str


class Certificate(Stamped):
    """All orders of one customer, as of `erased_at_us` (microseconds since 1970 UTC).

    `plain_events` were stored before personal data was sealed, and still hold it.
    """

    format: Literal["orderlog-erasure/1"] = "orderlog-erasure/1"
    tool: Tool
    log: Log
    customer_id: str
    actor: str
    reason: str
    erased_at_us: Count
    orders: tuple[ErasedOrder, ...]
    plain_events: Count

    @model_validator(mode="after")
    def _lists_orders_once(self) -> Self:
        order_ids = [order.order_id for order in self.orders]
        if order_ids != sorted(set(order_ids)):
            raise ValueError("orders are not listed once, ascending")
        return self

    def statement(self) -> dict[str, Any]:
        """Return what is signed: all of it, by its hash."""
        return {"format": self.format, "content_sha256": self.stamp.content_sha256}
