"""Examples of answers, for the OpenAPI document."""

ORDER_ID = "0193a5c0-7d1e-7c3a-9d7e-2f6f0a1b2c3d"
POSITION = "AQjMHeYAAgEAAgADAA"

_LINE = {
    "line_id": "1",
    "sku": "A-1",
    "name": "Cup",
    "quantity": 2,
    "cancelled": 0,
    "shipped": 0,
    "delivered": 0,
    "returned": 0,
    "allocated": 0,
    "backordered": 0,
    "delivered_before": 0,
    "unit_price_minor": 1299,
    "discount_minor": 0,
    "tax_minor": 0,
    "total_minor": 2598,
    "taxes": [],
}
ORDER_EXAMPLE = {
    "order_id": ORDER_ID,
    "version": 1,
    "customer_id": "c-1",
    "currency": "EUR",
    "lifecycle": "PLACED",
    "is_placed": True,
    "on_hold": False,
    "payment_status": "NONE",
    "fulfilment_status": "NONE",
    "return_status": "NONE",
    "lines": [_LINE],
    "subtotal_minor": 2598,
    "discount_minor": 0,
    "tax_minor": 0,
    "shipping_minor": 490,
    "total_minor": 3088,
    "cancelled_minor": 0,
    "returned_minor": 0,
    "authorised_minor": 0,
    "captured_minor": 0,
    "refunded_minor": 0,
    "charged_back_minor": 0,
    "balance_minor": 3088,
    "placed_at": "2026-11-23T09:00:00Z",
    "updated_at": "2026-11-23T09:00:00.017212Z",
    "end_reason": None,
    "replaces_order_id": None,
    "imported_from": None,
    "contact": None,
    "ship_to": None,
    "bill_to": None,
    "shipping": {"method": "standard", "price_minor": 490},
    "discounts": [],
    "payments": [],
    "refunds": [],
    "shipments": [],
    "returns": [],
    "holds": [],
    "amendments": [],
    "notes": [],
    "stale_since": None,
}
EVENT_EXAMPLE = {
    "event_id": "0193a5c0-7d20-7f11-8a44-6d0c2b9e1f00",
    "type": "OrderAccepted",
    "order_id": ORDER_ID,
    "version": 2,
    "occurred_at": "2026-11-23T09:05:00Z",
    "recorded_at": "2026-11-23T09:05:00.001204Z",
    "actor": {"kind": "user", "id": "u-1"},
    "correlation_id": "checkout-42",
    "causation_id": "accept-1",
    "reason": "stock is there",
    "command_id": "accept-1",
    "partition": 0,
    "offset": 2,
    "body": {},
}
EXPORT_EXAMPLE = (
    '{"partition":0,"offset":2,"type":"OrderAccepted","version":2,"stored":"CiQw…"}\n'
    '{"manifest":{"format":"orderlog-audit/1","events":1},"descriptors":"Cqsf…"}\n'
)
CUSTOMER_EXAMPLE = {
    "customer_id": "c-1",
    "totals": [
        {
            "currency": "EUR",
            "orders": 1,
            "gross_minor": 3088,
            "cancelled_minor": 0,
            "captured_minor": 0,
            "refunded_minor": 0,
        }
    ],
}
REVENUE_EXAMPLE = {
    "from": "2026-11-23",
    "to": "2026-11-23",
    "currency": None,
    "days": [
        {
            "day": "2026-11-23",
            "currency": "EUR",
            "orders": 1,
            "gross_minor": 3088,
            "captured_minor": 0,
            "refunded_minor": 0,
        }
    ],
}
PROJECTION_EXAMPLE = {
    "projection": "orders",
    "generation": 1,
    "state": "live",
    "function_version": 1,
    "checkpoint": POSITION,
    "lag_records": 0,
    "lag_seconds": 0.0,
    "error": None,
    "parked_orders": 0,
    "verified_at": "2026-11-23T08:00:00.5Z",
    "drift_rows": 0,
    "partitions": [
        {
            "partition": 0,
            "next_offset": 2,
            "end_offset": 2,
            "lag_records": 0,
            "lag_seconds": 0.0,
            "last_recorded_at": "2026-11-23T09:00:00.017212Z",
            "moved_at": "2026-11-23T09:00:00.1Z",
            "held_since": None,
            "updated_at": "2026-11-23T09:00:01.2Z",
            "error": None,
            "parked_orders": 0,
        }
    ],
}
