"""`revenue`: per UTC day and currency, what was ordered and what was taken that day."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Date, Index, MetaData, Numeric, Table, Text

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
from projectors.read_models.times import moment

Amounts = tuple[int, int, int, int]


def table(generation: int | None = None) -> Table:
    """Describe the table; `day` is the UTC date on which the fact occurred."""
    name = table_name("revenue", generation)
    return Table(
        name,
        MetaData(schema=SCHEMA),
        Column("day", Date, nullable=False),
        Column("currency", Text, nullable=False),
        Column("orders", BigInteger, nullable=False),
        Column("gross_minor", Numeric(38, 0), nullable=False),
        Column("captured_minor", Numeric(38, 0), nullable=False),
        Column("refunded_minor", Numeric(38, 0), nullable=False),
        Index(f"{name}_key", "day", "currency", unique=True),
    )


def deltas(recorded: Recorded) -> Mapping[Key, Amounts]:
    """Return what the event adds to its day: orders, gross, captured, refunded."""
    match recorded.event:
        case OrderPlaced(currency=currency, total_minor=total_minor):
            return {_key(recorded, currency): (1, total_minor, 0, 0)}
        case PaymentCaptured(currency=currency, amount_minor=amount_minor):
            return {_key(recorded, currency): (0, 0, amount_minor, 0)}
        case (
            OrderAccepted()
            | OrderRejected()
            | OrderCancelled()
            | LinesCancelled()
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


def _key(recorded: Recorded, currency: str) -> Key:
    return (moment(recorded.occurred_at_us).date(), currency)


PROJECTION = Tally("revenue", 1, table, 2, deltas)
