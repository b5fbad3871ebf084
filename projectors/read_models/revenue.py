"""`revenue`: per UTC day and currency, what was ordered and what was taken that day."""

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, Date, Index, MetaData, Numeric, Table, Text

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
    event = recorded.event
    if is_silent(event):
        return {}
    match event:
        case OrderPlaced():
            return {_key(recorded, event.currency): (1, event.total_minor, 0, 0)}
        case OrderImported(payments=payments):
            captured_minor = sum(payment.captured_minor for payment in payments)
            refunded_minor = sum(payment.refunded_minor for payment in payments)
            return {
                _key(recorded, event.currency): (
                    1,
                    event.total_minor,
                    captured_minor,
                    refunded_minor,
                )
            }
        case AmendmentApplied():
            return {_key(recorded, event.currency): (0, event.difference_minor, 0, 0)}
        case PaymentCaptured():
            return {_key(recorded, event.currency): (0, 0, event.amount_minor, 0)}
        case RefundCompleted() | ChargebackRecorded():
            return {_key(recorded, event.currency): (0, 0, 0, event.amount_minor)}
        case OrderCancelled() | LinesCancelled():
            return {}


def _key(recorded: Recorded, currency: str) -> Key:
    return (moment(recorded.occurred_at_us).date(), currency)


PROJECTION = Tally("revenue", 1, table, 2, deltas)
