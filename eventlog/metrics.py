"""What the owners of partitions measure, for Prometheus. Counts per partition: `Counts`."""

from prometheus_client import Histogram

from runtime.telemetry import LATENCY_BUCKETS_S

TRANSACTION_SECONDS = Histogram(
    "orderlog_transaction_seconds",
    "From the begin of a group's transaction to its commit.",
    buckets=LATENCY_BUCKETS_S,
)
GROUP_COMMANDS = Histogram(
    "orderlog_group_commands",
    "Commands that were decided and answered together.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000),
)
DOUBT_SECONDS = Histogram(
    "orderlog_doubt_seconds",
    "From the doubt about a transaction to serving again.",
    buckets=LATENCY_BUCKETS_S,
)
