"""`orders`: one row per order: its complete answer as JSON, and the columns that lists need."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)

from domain.statuses import Lifecycle
from projectors.kinds import SCHEMA, Document, Fold, Row, table_name
from projectors.read_models.order_document import derived, evolve
from projectors.read_models.order_goods import OPEN_RETURNS


def table(generation: int | None = None) -> Table:
    """Describe the table; `document` is the JSON of `GET /v1/orders/{order_id}`, served as it is.

    `document` is text and not jsonb, so that the stored bytes are the bytes of the answer.
    """
    name = table_name("orders", generation)
    return Table(
        name,
        MetaData(schema=SCHEMA),
        Column("order_id", Uuid(as_uuid=False), nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("customer_id", Text, nullable=False),
        Column("currency", Text, nullable=False),
        Column("lifecycle", Text, nullable=False),
        Column("payment_status", Text, nullable=False),
        Column("fulfilment_status", Text, nullable=False),
        Column("return_status", Text, nullable=False),
        Column("on_hold", Boolean, nullable=False),
        Column("has_work", Boolean, nullable=False),
        Column("has_open_return", Boolean, nullable=False),
        Column("total_minor", BigInteger, nullable=False),
        Column("captured_minor", BigInteger, nullable=False),
        Column("refunded_minor", BigInteger, nullable=False),
        Column("placed_at", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        Column("partition", Integer, nullable=False),
        Column("document", Text, nullable=False),
        Index(f"{name}_key", "order_id", unique=True),
        Index(f"{name}_placed", "placed_at", "order_id"),
        Index(f"{name}_customer", "customer_id", "placed_at", "order_id"),
        Index(f"{name}_total", "total_minor", "order_id"),
        Index(f"{name}_updated", "updated_at", "order_id"),
        Index(f"{name}_status", "lifecycle", "fulfilment_status", "placed_at", "order_id"),
        Index(f"{name}_payment", "payment_status", "placed_at", "order_id"),
        Index(f"{name}_work", "placed_at", "order_id", postgresql_where=text("has_work")),
        Index(
            f"{name}_returns",
            "placed_at",
            "order_id",
            postgresql_where=text("has_open_return"),
        ),
    )


def row(order: Document, stored: str, partition: int) -> Row:
    """Return the columns of one order; `stored` is its JSON."""
    return (
        order["order_id"],
        order["version"],
        order["customer_id"],
        order["currency"],
        order["lifecycle"],
        order["payment_status"],
        order["fulfilment_status"],
        order["return_status"],
        order["on_hold"],
        _has_work(order),
        any(known["status"] in OPEN_RETURNS for known in order["returns"]),
        order["total_minor"],
        order["captured_minor"],
        order["refunded_minor"],
        datetime.fromisoformat(order["placed_at"]),
        datetime.fromisoformat(order["updated_at"]),
        partition,
        stored,
    )


def _has_work(order: Document) -> bool:
    """Tell whether pieces are to be sent: of an accepted order, not held, and not waited for."""
    if order["lifecycle"] != Lifecycle.ACCEPTED or order["on_hold"]:
        return False
    return any(
        line["quantity"] > line["cancelled"] + line["shipped"] + line["backordered"]
        for line in order["lines"]
    )


PROJECTION = Fold("orders", 1, table, evolve, derived, row)
