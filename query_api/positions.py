"""What a read model contains, as Postgres tells it beside the rows and as clients are told it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from query_api.problems import Problem, invalid
from runtime.position import Position, PositionError, log_id

HEADER = "Orders-Min-Position"

CONTAINED = (
    "string_agg(partition || ':' || next_offset || CASE WHEN error IS NOT NULL THEN '!' "
    "WHEN parked_orders > 0 THEN '?' ELSE '' END, ' ' ORDER BY partition) AS contained "
    "FROM orderlog.live_checkpoints"
)
"""Selects per projection one text: `partition:next_offset`, then `!` when the partition is stuck,
or `?` when orders of it are parked."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The log that the database was built from."""

    log_id: bytes
    topic: str
    partitions: int

    @classmethod
    def of(cls, cluster_id: str, topic: str, topic_id: str, partitions: int) -> "Identity":
        """Name it from the row of `orderlog.log_identity`."""
        return cls(log_id(cluster_id, topic_id), topic, partitions)


@dataclass(frozen=True, slots=True)
class Contained:
    """What is contained: as Postgres wrote it, as a position, and as a token.

    `stuck` are the partitions that have stopped, `parked` those and the ones with parked orders.
    """

    text: str
    position: Position
    token: str
    stuck: frozenset[int]
    parked: frozenset[int]


def contained_sql(projection: str) -> str:
    """Return a query of one row, `CONTAINED` of one of our projections; null: it has none."""
    return f"SELECT {CONTAINED} WHERE projection = '{projection}'"


@lru_cache(maxsize=1024)
def contained(identity: Identity, text: str) -> Contained:
    """Read the text of `CONTAINED`."""
    offsets: dict[int, int] = {}
    stuck, parked = set(), set()
    for entry in text.split():
        partition, _, offset = entry.partition(":")
        offsets[int(partition)] = int(offset.rstrip("!?"))
        if not offset[-1].isdigit():
            parked.add(int(partition))
        if offset.endswith("!"):
            stuck.add(int(partition))
    return of_offsets(identity, offsets, text, frozenset(stuck), frozenset(parked))


def of_offsets(
    identity: Identity,
    offsets: Mapping[int, int],
    text: str = "",
    stuck: frozenset[int] = frozenset(),
    parked: frozenset[int] = frozenset(),
) -> Contained:
    """Make it from offsets per partition."""
    position = Position(identity.log_id, offsets)
    return Contained(text, position, position.encode(), stuck, parked)


def wanted(identity: Identity, token: str, field: str = HEADER) -> Position:
    """Read a token that a client sent in `field`.

    Raises:
        Problem: `invalid-query`, it is no token; `other-log`, it is not of this log.
    """
    try:
        position = Position.decode(token)
    except PositionError as error:
        raise invalid([(field, str(error))]) from error
    if position.log_id != identity.log_id:
        raise Problem(
            "other-log",
            f"the token in {field} was given for another log than the topic {identity.topic} that "
            "these read models are built from; begin again with a position from this service",
        )
    unknown = [partition for partition in position.offsets if partition >= identity.partitions]
    if unknown:
        raise invalid([(field, f"the log has {identity.partitions} partitions, no {unknown[0]}")])
    return position
