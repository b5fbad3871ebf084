"""`customers`: what each customer ordered and paid, per currency."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Index, MetaData, Numeric, Table, Text

from domain.events import (
    AmendmentApplied,
    ChargebackRecorded,
    LinesCancelled,
    OrderCancelled,
    OrderImported,
    OrderPlaced,
    PaymentCaptured,
    Recorded,
    RefundCompleted,
)
from projectors.kinds import SCHEMA, Key, Tally, table_name
from projectors.read_models.silent import is_silent

Amounts = tuple[int, int, int, int, int]


def table(generation: int | None = None) -> Table:
    """Describe the table; sums may outgrow 64 bits, hence numeric."""
    name = table_name("customers", generation)
    return Table(
        name,
        MetaData(schema=SCHEMA),
        Column("customer_id", Text, nullable=False),
        Column("currency", Text, nullable=False),
        Column("orders", BigInteger, nullable=False),
        Column("gross_minor", Numeric(38, 0), nullable=False),
        Column("cancelled_minor", Numeric(38, 0), nullable=False),
        Column("captured_minor", Numeric(38, 0), nullable=False),
        Column("refunded_minor", Numeric(38, 0), nullable=False),
        Index(f"{name}_key", "customer_id", "currency", unique=True),
    )


def deltas(recorded: Recorded) -> Mapping[Key, Amounts]:
    """Return what the event adds: orders, gross, cancelled, captured, refunded."""
    event = recorded.event
    if is_silent(event):
        return {}
    match event:
        case OrderPlaced():
            return {(event.customer_id, event.currency): (1, event.total_minor, 0, 0, 0)}
        case OrderImported(payments=payments):
            captured_minor = sum(payment.captured_minor for payment in payments)
            refunded_minor = sum(payment.refunded_minor for payment in payments)
            return {
                (event.customer_id, event.currency): (
                    1,
                    event.total_minor,
                    event.cancelled_minor,
                    captured_minor,
                    refunded_minor,
                )
            }
        case AmendmentApplied():
            return {(event.customer_id, event.currency): (0, event.difference_minor, 0, 0, 0)}
        case OrderCancelled() | LinesCancelled():
            return {(event.customer_id, event.currency): (0, 0, event.amount_minor, 0, 0)}
        case PaymentCaptured():
            return {(event.customer_id, event.currency): (0, 0, 0, event.amount_minor, 0)}
        case RefundCompleted() | ChargebackRecorded():
            return {(event.customer_id, event.currency): (0, 0, 0, 0, event.amount_minor)}


PROJECTION = Tally("customers", 1, table, 2, deltas)
