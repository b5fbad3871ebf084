"""What the command API counts, for Prometheus."""

import time
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from eventlog.ownership import Partitions
from runtime.telemetry import LATENCY_BUCKETS_S

COMMANDS = Counter("orderlog_commands", "Commands by what came of them.", ["command", "result"])
_counters = cache(COMMANDS.labels)
"""Looking for a counter each time would cost more."""
SECONDS = Histogram(
    "orderlog_command_seconds",
    "From the owner's queue to the durable answer, of accepted commands.",
    buckets=LATENCY_BUCKETS_S,
)


def count(command: str, result: str) -> None:
    """Count a command by what came of it."""
    _counters(command, result).inc()


def count_answered(command: str, answer: Mapping[str, Any], started: float) -> None:
    """Count a command that was accepted, now or before; `started` is by `time.perf_counter`."""
    count(command, "replayed" if answer["replayed"] else "accepted")
    SECONDS.observe(time.perf_counter() - started)


class PartitionCollector(Collector):
    """Tells how the partitions' writers are doing, when asked."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions

    def collect(self) -> Iterator[Metric]:
        """Yield one sample per partition and metric."""
        serving = GaugeMetricFamily(
            "orderlog_partition_serving", "1: commands are taken.", labels=["partition"]
        )
        for partition, state in self._partitions.health().items():
            serving.add_metric([str(partition)], float(state == "serving"))
        yield serving
        halted = GaugeMetricFamily(
            "orderlog_partition_halted",
            "1: the log contradicts itself; a person must look.",
            labels=["partition"],
        )
        orders = GaugeMetricFamily(
            "orderlog_partition_orders", "Orders held in memory.", labels=["partition"]
        )
        for partition, writer in self._partitions.writers.items():
            halted.add_metric([str(partition)], float(writer.health.startswith("halted")))
            orders.add_metric([str(partition)], writer.orders)
        yield halted
        yield orders
        for name, text in (
            ("transactions", "Transactions committed."),
            ("commands", "Commands answered."),
            ("doubts", "Transactions whose outcome had to be read from the log."),
            ("fences", "Times another owner took the partition over unasked."),
            ("acquisitions", "Times the partition was taken over."),
            ("snapshots", "Snapshots written."),
        ):
            counter = CounterMetricFamily(f"orderlog_partition_{name}", text, labels=["partition"])
            for partition, writer in self._partitions.writers.items():
                counter.add_metric([str(partition)], getattr(writer.counts, name))
            yield counter
