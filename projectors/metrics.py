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
LAG_SECONDS = Gauge(
    "orderlog_projection_lag_seconds",
    "How long ago the checkpoint was at the end of the log; 0 while it is there.",
    ["projection", "partition"],
)
OPEN_TRANSACTION = Gauge(
    "orderlog_log_open_transaction_seconds",
    "For how long one transaction has kept all readers of the partition where they are.",
    ["partition"],
)
DRIFT = Gauge(
    "orderlog_projection_drift_rows",
    "Live rows that were not what the log says, when `orderlog verify` last compared them.",
    ["projection"],
)
VERIFIED = Gauge(
    "orderlog_projection_verified_timestamp_seconds",
    "When `orderlog verify` last compared the live rows.",
    ["projection"],
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
    for gauge in (LAG, LAG_SECONDS, OPEN_TRANSACTION, DRIFT, VERIFIED, STUCK, PARKED):
        gauge.clear()
