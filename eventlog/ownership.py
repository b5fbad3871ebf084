"""Who owns which partition, and the way of a command to its owner.

In this release one node owns every partition. Here ownership by a consumer group and forwarding
to other nodes will enter: everything else asks `Partitions` and does not know where the owner is.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import uuid_utils

from domain.decider import Decider
from eventlog.log import EventLog, LogIdentity, LogUnavailable
from eventlog.partitioner import partition_of
from eventlog.submission import Outcome, Submission
from eventlog.writer import PartitionWriter, WriterOptions
from runtime.settings import LogSettings

_CLOSE_S = 8.0


def now_us() -> int:
    """Return the time in microseconds UTC."""
    return time.time_ns() // 1000


def new_event_id() -> str:
    """Return a UUIDv7 as text."""
    return str(uuid_utils.uuid7())


class Partitions:
    """The partitions of one log, each with its writer. An async context manager."""

    def __init__(self, identity: LogIdentity, writers: Mapping[int, PartitionWriter[Any]]) -> None:
        self.identity = identity
        self.writers = writers
        self._tasks = [asyncio.create_task(writer.run()) for writer in writers.values()]

    @classmethod
    async def open(
        cls,
        log: EventLog,
        decider: Decider[Any, Any, Any],
        *,
        settings: LogSettings,
        node: str,
        clock_us: Callable[[], int] = now_us,
        new_event_id: Callable[[], str] = new_event_id,
    ) -> "Partitions":
        """Start a writer for every partition; `wait_ready` tells when all serve."""
        identity = await log.identity()
        options = WriterOptions(
            node=node,
            source=f"orderlog/{settings.environment}",
            group_commands_max=settings.group_commands_max,
            group_bytes_max=settings.group_bytes_max,
            queue_commands_max=settings.queue_commands_max,
        )
        writers = {
            partition: PartitionWriter(
                log, partition, decider, options, clock_us=clock_us, new_event_id=new_event_id
            )
            for partition in range(identity.partitions)
        }
        return cls(identity, writers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def submit(self, submission: Submission) -> Outcome:
        """Hand a command to the owner of its order and wait for the durable answer.

        Raises:
            domain.errors.Refused: the command's own answer; nothing was appended.
            eventlog.submission.Overloaded: send again later.
            eventlog.submission.PartitionUnavailable: unknown outcome: send again, same key.
        """
        partition = partition_of(submission.order_id, self.identity.partitions)
        return await self.writers[partition].submit(submission)

    def health(self) -> dict[int, str]:
        """Return the state of each partition; `serving` is the good one."""
        return {partition: writer.health for partition, writer in self.writers.items()}

    async def wait_ready(self, deadline_s: float) -> None:
        """Wait until every partition is served.

        Raises:
            LogUnavailable: not within `deadline_s`; the message names the states.
        """
        deadline = time.monotonic() + deadline_s
        while any(state != "serving" for state in self.health().values()):
            if time.monotonic() > deadline:
                raise LogUnavailable(f"partitions not served in time: {self.health()}")
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Commit what is queued and release every partition."""
        for writer in self.writers.values():
            writer.close()
        _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
