"""The partition of an order is that of Kafka's Java client for the same key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.partitioner import murmur2, partition_of


# From Apache Kafka's own UtilsTest.testMurmur2 (as signed 32-bit numbers).
@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_kafkas(key, expected):
    assert murmur2(key) == expected & 0xFFFFFFFF


@given(st.uuids(), st.integers(1, 1000))
def test_a_partition_is_one_of_those_there_are(order_id, partitions):
    assert 0 <= partition_of(str(order_id), partitions) < partitions


def test_orders_spread():
    counts = [0] * 12
    for number in range(12_000):
        counts[partition_of(f"0193a5c0-7a2b-7c3d-8e4f-{number:012x}", 12)] += 1

    assert min(counts) > 800
    assert max(counts) < 1_200
