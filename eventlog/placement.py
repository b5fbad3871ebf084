"""Whether orders are where their id puts them: a raised partition count moves most of them."""

import time
from collections.abc import Mapping

from eventlog.codec import is_event
from eventlog.log import LogUnavailable
from eventlog.partitioner import partition_of
from eventlog.reader import LogReader
from runtime.settings import LogSettings

_OFFSETS = 1_000
_RECORDS_MAX = 5_000
_POLL_S = 0.1


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
            while any(offset < min(ends[p], _OFFSETS) for p, offset in at.items()):
                for batch in reader.poll(_RECORDS_MAX, _POLL_S):
                    at[batch.partition] = batch.next_offset
                    deadline = time.monotonic() + timeout_s
                    seen |= {
                        (batch.partition, _order_of(record.key))
                        for record in batch.records
                        if is_event(record.key)
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
