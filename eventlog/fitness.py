"""What a topic must be: its settings, and orders that are where their id puts them."""

import time
from collections.abc import Mapping

from eventlog.codec import is_event
from eventlog.log import LogUnavailable
from eventlog.partitioner import partition_of
from eventlog.reader import LogReader
from runtime.settings import LogSettings

FIRST_OFFSETS = 1_000
"""How many offsets of each partition `misplaced` looks at."""

_DAY_MS = 86_400_000
_RECORDS_MAX = 1_000
_POLL_S = 0.1


def needed(settings: LogSettings) -> dict[str, str]:
    """Return the settings that the guarantees rest on; `differences` insists on them."""
    return {
        "cleanup.policy": "compact",
        "min.insync.replicas": str(settings.min_insync_replicas),
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "LogAppendTime",
    }


def chosen() -> dict[str, str]:
    """Return settings that are good but may be tuned."""
    return {
        "min.cleanable.dirty.ratio": "0.8",
        "min.compaction.lag.ms": str(_DAY_MS),
        "delete.retention.ms": str(7 * _DAY_MS),
        "segment.bytes": str(256 * 1024 * 1024),
        "segment.ms": str(_DAY_MS),
        "compression.type": "producer",
    }


def of_snapshots(settings: LogSettings) -> dict[str, str]:
    """Return the settings of a cache: what was written again is gone within minutes."""
    return {
        "cleanup.policy": "compact",
        "min.insync.replicas": str(settings.min_insync_replicas),
        "min.cleanable.dirty.ratio": "0.2",
        "min.compaction.lag.ms": "60000",
        "max.compaction.lag.ms": str(_DAY_MS),
        "segment.bytes": str(64 * 1024 * 1024),
        "segment.ms": str(_DAY_MS // 4),
        "compression.type": "producer",
    }


def of_accesses(settings: LogSettings) -> dict[str, str]:
    """Return the settings of the log of accesses, of which nothing is ever removed."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "min.insync.replicas": str(settings.min_insync_replicas),
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "LogAppendTime",
    }


def access_topic(events: str) -> str:
    """Return the name of the topic with who read the audit trail of a topic of events."""
    return f"{events.removesuffix('.events')}.audit-access"


def unlike(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Say which settings of a topic are not as they must be; more copies in sync are welcome."""
    minimum = "min.insync.replicas"
    wrong = [
        f"{name} is {found.get(name)}, needed is {value}: change the topic's setting back"
        for name, value in wanted.items()
        if name != minimum and found.get(name) != value
    ]
    actual_isr, wanted_isr = int(found.get(minimum, "0")), int(wanted[minimum])
    if actual_isr < wanted_isr:
        wrong.append(
            f"{minimum} is {actual_isr}, needed is {wanted_isr} (ORDERLOG_MIN_INSYNC_REPLICAS)"
        )
    return wrong


def snapshot_topic(events: str) -> str:
    """Return the name of the topic with the snapshots of a topic of events."""
    return f"{events.removesuffix('.events')}.snapshots"


def misplaced(settings: LogSettings, ends: Mapping[int, int]) -> tuple[int, int]:
    """Look at the beginning of every partition; return how many orders, and how many misplaced.

    `ends` has every partition's last stable offset.

    Raises:
        LogUnavailable: nothing came within the request timeout.
        IntegrityError: the log does not begin at offset 0.
    """
    at = {partition: 0 for partition, end in ends.items() if end}
    seen: set[tuple[int, str]] = set()
    if at:
        with LogReader(settings) as reader:
            reader.assign(at)
            timeout_s = settings.request_timeout_ms / 1000
            deadline = time.monotonic() + timeout_s
            while any(offset < min(ends[p], FIRST_OFFSETS) for p, offset in at.items()):
                for batch in reader.poll(_RECORDS_MAX, _POLL_S):
                    at[batch.partition] = batch.next_offset
                    deadline = time.monotonic() + timeout_s
                    seen |= {
                        (batch.partition, _order_of(record.key))
                        for record in batch.records
                        if record.offset < FIRST_OFFSETS and is_event(record.key)
                    }
                if time.monotonic() > deadline:
                    raise LogUnavailable(
                        f"the first records of {settings.kafka_topic} did not come within "
                        f"{timeout_s:g} s (ORDERLOG_REQUEST_TIMEOUT_MS)"
                    )
    moved = sum(partition_of(order_id, len(ends)) != partition for partition, order_id in seen)
    return len(seen), moved


def _order_of(key: bytes) -> str:
    return key.rpartition(b"/")[0].decode(errors="replace")
