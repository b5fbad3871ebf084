"""Which partition an order lives in: Kafka's default for a record keyed by the order id.

And whether orders are there: a raised partition count moves most of them.
"""

import time
from collections.abc import Mapping
from functools import lru_cache
from struct import unpack_from

from eventlog.codec import is_event
from eventlog.log import LogUnavailable
from eventlog.reader import LogReader
from runtime.settings import LogSettings

_OFFSETS = 1_000
_RECORDS_MAX = 5_000
_POLL_S = 0.1

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995
_SEED = 0x9747B28C


@lru_cache(maxsize=16_384)
def partition_of(order_id: str, partitions: int) -> int:
    """Return murmur2 of the UTF-8 bytes of `order_id`, made positive, modulo `partitions`."""
    return (murmur2(order_id.encode()) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Hash as Kafka's Java client does (Austin Appleby's MurmurHash2, 32 bits, its seed)."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    whole = length & ~3
    for word in unpack_from(f"<{whole // 4}I", data):
        k = (word * _M) & _MASK
        k ^= k >> 24
        k = (k * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    if rest := data[whole:]:
        h ^= int.from_bytes(rest, "little")
        h = (h * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


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
