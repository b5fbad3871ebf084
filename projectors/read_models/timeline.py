"""`timeline`: every event of every order, decoded, with its provenance and its place in the log."""

import orjson
from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, MetaData, Table, Text, Uuid

from domain.events import Recorded
from projectors.kinds import SCHEMA, Append, Row, table_name
from projectors.read_models.times import moment


def table(generation: int | None = None) -> Table:
    """Describe the table; `body` is the event's JSON with the field names of the schema."""
    name = table_name("timeline", generation)
    return Table(
        name,
        MetaData(schema=SCHEMA),
        Column("order_id", Uuid(as_uuid=False), nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("log_offset", BigInteger, nullable=False),
        Column("event_id", Uuid(as_uuid=False), nullable=False),
        Column("type", Text, nullable=False),
        Column("occurred_at", DateTime(timezone=True), nullable=False),
        Column("recorded_at", DateTime(timezone=True), nullable=False),
        Column("actor_kind", Text, nullable=False),
        Column("actor_id", Text, nullable=False),
        Column("correlation_id", Text, nullable=False),
        Column("causation_id", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("command_id", Text, nullable=False),
        Column("body", Text, nullable=False),
        Index(f"{name}_key", "order_id", "version", unique=True),
        Index(f"{name}_place", "partition", "log_offset", unique=True),
    )


def rows(recorded: Recorded) -> tuple[Row, ...]:
    """Return the event's one row."""
    occurred_at = recorded_at = moment(recorded.recorded_at_us)
    if recorded.occurred_at_us != recorded.recorded_at_us:
        occurred_at = moment(recorded.occurred_at_us)
    return (
        (
            recorded.order_id,
            recorded.version,
            recorded.partition,
            recorded.offset,
            recorded.event_id,
            recorded.type,
            occurred_at,
            recorded_at,
            recorded.actor.kind,
            recorded.actor.id,
            recorded.correlation_id,
            recorded.causation_id,
            recorded.reason,
            recorded.command_id,
            orjson.dumps(recorded.event).decode(),
        ),
    )


PROJECTION = Append("timeline", 2, table, rows)
