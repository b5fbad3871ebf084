"""Which log a database was built from. Another log is refused, never read on from old offsets."""

import asyncio

import asyncpg

from eventlog import topics
from eventlog.log import LogIdentity, TopicMismatch
from eventlog.topics import Topics
from projectors.database import NEWEST_RELATION, Connection, Incompatible
from runtime.settings import LogSettings

_BIND = """
INSERT INTO orderlog.log_identity (cluster_id, topic, topic_id, partitions)
VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
_LOAD = "SELECT cluster_id, topic, topic_id, partitions FROM orderlog.log_identity"


async def bind(connection: Connection, settings: LogSettings) -> LogIdentity:
    """Return the log's identity; the first call ties the database to it for good.

    Raises:
        Incompatible: the database is not migrated, the topic is unfit, or it is another log.
        LogUnavailable: the brokers do not answer.
    """
    try:
        identity = await asyncio.to_thread(topics.check, settings)
    except TopicMismatch as error:
        raise Incompatible(str(error)) from error
    wanted = (identity.cluster_id, identity.topic, identity.topic_id, identity.partitions)
    try:
        await connection.execute(_BIND, *wanted)
        found = tuple(await connection.fetchrow(_LOAD) or ())
        if await connection.fetchval("SELECT to_regclass($1)", NEWEST_RELATION) is None:
            raise Incompatible("the database is of an older release: run `orderlog migrate`")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
        raise Incompatible(f"the database is not migrated: run `orderlog migrate` ({error})") from (
            error
        )
    names = ("cluster id", "topic", "topic id", "partition count")
    differences = [
        f"{name} was {old}, is {new}"
        for name, old, new in zip(names, found, wanted, strict=True)
        if old != new
    ]
    if differences:
        raise Incompatible(
            "this database was built from another log: "
            + ", ".join(differences)
            + ". Check ORDERLOG_KAFKA_BOOTSTRAP and ORDERLOG_DATABASE_URL; for a new log use a new "
            "database"
        )
    return identity


async def require_same(topics: Topics, identity: LogIdentity) -> None:
    """Make sure that the topic is still the one that `bind` has found.

    Raises:
        Incompatible: it was deleted, made again, or got partitions.
        LogUnavailable: the brokers do not answer.
    """
    try:
        now = await asyncio.to_thread(topics.identity)
    except TopicMismatch as error:
        raise Incompatible(str(error)) from error
    if now != identity:
        raise Incompatible(
            f"topic {now.topic} was made again or changed while it was read: it had id "
            f"{identity.topic_id} and {identity.partitions} partitions, now it has id "
            f"{now.topic_id} and {now.partitions}; for a new log use a new database"
        )
