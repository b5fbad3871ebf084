"""`customers`: what each customer ordered and paid, per currency."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Index, MetaData, Numeric, Table, Text

from domain.events import (
    CaptureRequested,
    LinesCancelled,
    NoteAdded,
    OrderAccepted,
    OrderCancelled,
    OrderPlaced,
    OrderRejected,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentCaptured,
    Recorded,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
)
from projectors.kinds import SCHEMA, Key, Tally, table_name

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
    match recorded.event:
        case OrderPlaced(customer_id=customer_id, currency=currency, total_minor=total_minor):
            return {(customer_id, currency): (1, total_minor, 0, 0, 0)}
        case (
            OrderCancelled(customer_id=customer_id, currency=currency, amount_minor=amount_minor)
            | LinesCancelled(customer_id=customer_id, currency=currency, amount_minor=amount_minor)
        ):
            return {(customer_id, currency): (0, 0, amount_minor, 0, 0)}
        case PaymentCaptured(customer_id=customer_id, currency=currency, amount_minor=amount_minor):
            return {(customer_id, currency): (0, 0, 0, amount_minor, 0)}
        case (
            OrderAccepted()
            | OrderRejected()
            | NoteAdded()
            | PaymentAuthorisationRequested()
            | PaymentAuthorised()
            | PaymentAuthorisationFailed()
            | CaptureRequested()
            | ShipmentCreated()
            | ShipmentDispatched()
            | ShipmentDelivered()
        ):
            return {}


PROJECTION = Tally("customers", 1, table, 2, deltas)
