"""One node's place in the group of command nodes: what it should own, and where the others are.

The group's assignment is a hint that keeps things alive. Safety comes from fencing alone: see
`eventlog.writer`.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from aiokafka.errors import KafkaError

from eventlog.group.assignment import Member, Table, assign, table
from eventlog.log import LogUnavailable
from runtime.settings import LogSettings

_log = structlog.get_logger("orderlog.membership")

_NEVER_MS = 2**31 - 1
_VERSION = 0
_LEAVE_S = 8.0

Assigned = Callable[[frozenset[int], Table], None]
"""Is told what this node should own now, and where every partition is."""


class Membership:
    """Joins the group on `start`. `on_assigned` is called after every rebalance."""

    def __init__(
        self,
        settings: LogSettings,
        url: str,
        owned: Callable[[], Iterable[int]],
        on_assigned: Assigned,
        on_refused: Callable[[str], None],
    ) -> None:
        """`owned` is asked what this node owns, whenever the group is formed anew.

        `on_refused` is told why Kafka does not let this node into the group; it is tried again.
        """
        self._settings = settings
        self._url = url
        self._owned = owned
        self._on_assigned = on_assigned
        self._on_refused = on_refused
        self._watch: asyncio.Task[None] | None = None
        self._is_leaving = False
        self._is_new = True
        self._has_left = asyncio.Event()
        self._table = Table({}, {})
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Join; the first assignment comes within about a heartbeat.

        Raises:
            LogUnavailable: Kafka does not answer.
        """
        settings = self._settings
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap,
            group_id=f"orderlog.{settings.environment}.command",
            client_id="orderlog-command",
            # A node that was killed and comes back has its partitions at once (KIP-345), instead of
            # when the group has noticed that it was gone.
            group_instance_id=self._url.replace("://", "-").replace(":", "-"),
            partition_assignment_strategy=(self._assignor(),),
            session_timeout_ms=settings.group_session_timeout_ms,
            rebalance_timeout_ms=settings.group_session_timeout_ms,
            heartbeat_interval_ms=settings.group_heartbeat_ms,
            max_poll_interval_ms=_NEVER_MS,  # Nothing is ever polled: the log has other readers.
            request_timeout_ms=settings.request_timeout_ms + settings.group_session_timeout_ms,
            enable_auto_commit=False,
            auto_offset_reset="latest",
        )
        self._consumer.subscribe([settings.kafka_topic], listener=_Listener(self))
        try:
            await self._consumer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await self.stop()
            raise LogUnavailable(
                f"the group of command nodes cannot be joined: {error!r}"
            ) from error
        self._watch = asyncio.create_task(self._look_for_errors(self._consumer))

    async def _look_for_errors(self, consumer: AIOKafkaConsumer) -> None:
        """Take the errors that aiokafka keeps for whoever polls: without it, it waits for ever."""
        while True:
            await asyncio.sleep(self._settings.group_heartbeat_ms / 1000)
            try:
                consumer._coordinator.check_errors()  # noqa: SLF001 - nothing is ever polled
            except Exception as error:  # noqa: BLE001 - whatever it is, a person must know
                _log.error("group_refuses", why=repr(error))
                self._on_refused(f"Kafka refuses this node: {error!r}")

    async def leave(self) -> None:
        """Ask to own nothing any more, and wait until the others have what was ours."""
        is_alone = set(self._table.owners.values()) <= {self._url}
        if self._consumer is None or is_alone:
            return
        self._is_leaving = True
        self._rejoin()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await self._has_left.wait()

    def _rejoin(self) -> None:
        """Say anew what is owned; the group is formed anew when it is not what was said before."""
        if self._consumer is not None:
            self._consumer._coordinator.request_rejoin()  # noqa: SLF001 - no public way

    async def stop(self) -> None:
        """Leave the group."""
        if self._watch is not None:
            self._watch.cancel()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(TimeoutError, KafkaError, OSError):
                async with asyncio.timeout(_LEAVE_S):
                    await consumer.stop()

    def told(self, partitions: Iterable[int]) -> None:
        """Pass on what the group has come to."""
        mine = frozenset(partitions)
        _log.info(
            "partitions_assigned",
            partitions=sorted(mine),
            nodes=len(set(self._table.owners.values())),
        )
        if self._is_leaving and not mine:
            self._has_left.set()
        was_new, self._is_new = self._is_new, False
        if was_new and not mine:
            # One that left in order and is back at once gets what it had then, which is nothing,
            # and the group is not formed anew: Kafka keeps that for static members (KIP-345).
            # What it says of itself is now another word, and that does form it anew.
            asyncio.get_running_loop().call_later(
                self._settings.group_heartbeat_ms / 1000, self._rejoin
            )
        self._on_assigned(mine, self._table)

    def pause(self, partitions: Iterable[Any]) -> None:
        """Keep the consumer from fetching records that nobody asks it for."""
        if self._consumer is not None:
            self._consumer.pause(*partitions)

    def _member(self) -> Member:
        return Member(self._url, frozenset(self._owned()), self._is_leaving)

    def _assignor(self) -> type[AbstractPartitionAssignor]:
        """Make this node's assignor: aiokafka wants a class and calls class methods only."""
        this = self

        class Assignor(AbstractPartitionAssignor):  # type: ignore[misc]
            name = "orderlog"

            @classmethod
            def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
                said = _written(this._member(), is_new=this._is_new)
                return ConsumerProtocolMemberMetadata(_VERSION, list(topics), said)

            @classmethod
            def assign(
                cls,
                cluster: ClusterMetadata,
                members: Mapping[str, ConsumerProtocolMemberMetadata],
            ) -> dict[str, ConsumerProtocolMemberAssignment]:
                topic = this._settings.kafka_topic
                known = {key: _read(said.user_data) for key, said in members.items()}
                result = assign(known, cluster.partitions_for_topic(topic) or ())
                told = json.dumps(_plain(table(known, result))).encode()
                return {
                    key: ConsumerProtocolMemberAssignment(_VERSION, [(topic, sorted(mine))], told)
                    for key, mine in result.items()
                }

            @classmethod
            def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
                said = json.loads(assignment.user_data)
                this._table = Table(_by_number(said["owners"]), _by_number(said["before"]))

        return Assignor


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Writers go on while the group is formed anew: only what has changed is acted upon."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Do nothing: most of them come back in a moment."""

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Act on what is ours now."""
        self._membership.pause(assigned)
        self._membership.told(topic_partition.partition for topic_partition in assigned)


def _written(member: Member, *, is_new: bool) -> bytes:
    said = {
        "url": member.url,
        "owned": sorted(member.owned),
        "is_leaving": member.is_leaving,
        "is_new": is_new,
    }
    return json.dumps(said).encode()


def _read(user_data: bytes) -> Member:
    said = json.loads(user_data)
    return Member(said["url"], frozenset(said["owned"]), said["is_leaving"])


def _plain(known: Table) -> dict[str, dict[int, str]]:
    return {"owners": dict(known.owners), "before": dict(known.before)}


def _by_number(said: Mapping[str, str]) -> dict[int, str]:
    return {int(partition): url for partition, url in said.items()}
