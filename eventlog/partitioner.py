"""Which partition an order lives in: Kafka's default for a record keyed by the order id."""

from functools import lru_cache
from struct import unpack_from

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
    h = _SEED ^ length
    whole = length & ~3
    for word in unpack_from(f"<{whole // 4}I", data):
        k = word * _M & _MASK
        h = (h * _M ^ (k ^ k >> 24) * _M) & _MASK
    if rest := data[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
