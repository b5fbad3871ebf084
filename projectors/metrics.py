"""What the projectors count, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

from runtime.telemetry import LATENCY_BUCKETS_S

EVENTS = Counter("orderlog_projection_events", "Events applied.", ["projection"])
RETRIES = Counter(
    "orderlog_projection_retries",
    "Transactions tried again after a database error.",
    ["projection"],
)
APPLY_SECONDS = Histogram(
    "orderlog_projection_apply_seconds",
    "One transaction: rows and checkpoint.",
    ["projection"],
    buckets=LATENCY_BUCKETS_S,
)
LAG = Gauge(
    "orderlog_projection_lag_records",
    "Offsets between the checkpoint and the end of the log.",
    ["projection", "partition"],
)
STUCK = Gauge(
    "orderlog_projection_stuck",
    "1: the partition has stopped, and says why at its checkpoint.",
    ["projection", "partition"],
)
PARKED = Gauge(
    "orderlog_projection_parked_orders",
    "Orders whose next event cannot be applied; those that were discarded are not counted.",
    ["projection", "partition"],
)


def forget() -> None:
    """Drop what gauges say of projections that this process may not apply any more."""
    LAG.clear()
    STUCK.clear()
    PARKED.clear()
