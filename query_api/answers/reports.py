"""Answers about customers, days, events, and the read models themselves."""

from typing import Any, Literal

from pydantic import Field

from query_api.answers.answer import Answer, Minor, Moment


class CustomerTotals(Answer):
    """What a customer ordered and paid in one currency."""

    currency: str
    orders: int
    gross_minor: Minor
    cancelled_minor: Minor
    captured_minor: Minor
    refunded_minor: Minor


class Customer(Answer):
    """What a customer ordered and paid."""

    customer_id: str
    totals: list[CustomerTotals]


class RevenueOfDay(Answer):
    """What happened on one UTC day, in one currency."""

    day: str = Field(json_schema_extra={"format": "date"})
    currency: str
    orders: int
    gross_minor: Minor
    captured_minor: Minor
    refunded_minor: Minor


class Revenue(Answer):
    """Revenue of days, as asked for."""

    from_: str | None = Field(alias="from", json_schema_extra={"format": "date"})
    to: str | None = Field(json_schema_extra={"format": "date"})
    currency: str | None
    days: list[RevenueOfDay]


class Actor(Answer):
    """Who asked for it."""

    kind: str
    id: str


class Event(Answer):
    """One event, with its provenance; `body` has the fields of its type."""

    event_id: str = Field(json_schema_extra={"format": "uuid"})
    type: str
    order_id: str = Field(json_schema_extra={"format": "uuid"})
    version: int
    occurred_at: Moment
    recorded_at: Moment
    actor: Actor
    correlation_id: str
    causation_id: str
    reason: str
    command_id: str
    partition: int
    offset: int
    body: dict[str, Any]


class Timeline(Answer):
    """One page of an order's events."""

    order_id: str = Field(json_schema_extra={"format": "uuid"})
    events: list[Event]
    next_cursor: str | None = Field(description="null: this is the last page")
    stale_since: Moment | None = Field(description="when not null: later events are parked")


class Partition(Answer):
    """How far a read model is in one partition of the log."""

    partition: int
    next_offset: int
    end_offset: int
    lag_records: int
    lag_seconds: float | None
    last_recorded_at: Moment | None
    moved_at: Moment
    held_since: Moment | None = Field(
        description="since when a transaction that nobody ends keeps readers from going on"
    )
    updated_at: Moment
    error: str | None
    parked_orders: int


class Generation(Answer):
    """One generation of a read model."""

    projection: str
    generation: int
    state: Literal["building", "live", "previous"]
    function_version: int
    checkpoint: str
    lag_records: int
    lag_seconds: float | None
    error: str | None
    parked_orders: int
    verified_at: Moment | None = Field(description="when `orderlog verify` last compared it")
    drift_rows: int | None = Field(description="rows that differed from the log then")
    partitions: list[Partition]


class Projections(Answer):
    """The generations of all read models."""

    projections: list[Generation]
