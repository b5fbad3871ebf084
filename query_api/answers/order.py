"""The answer about one order, and a page of them."""

from pydantic import Field

from domain.statuses import FulfilmentStatus, Lifecycle, PaymentStatus, ReturnStatus
from query_api.answers import parts
from query_api.answers.answer import Answer, Minor, Moment


class Order(Answer):
    """One order: statuses, lines, sums, and everything that belongs to it."""

    order_id: str = Field(json_schema_extra={"format": "uuid"})
    version: int
    customer_id: str
    currency: str
    lifecycle: Lifecycle = Field(strict=False)
    is_placed: bool
    on_hold: bool
    payment_status: PaymentStatus = Field(strict=False)
    fulfilment_status: FulfilmentStatus = Field(strict=False)
    return_status: ReturnStatus = Field(strict=False)
    lines: list[parts.Line]
    subtotal_minor: Minor
    discount_minor: Minor
    tax_minor: Minor
    shipping_minor: Minor
    total_minor: Minor
    cancelled_minor: Minor
    returned_minor: Minor
    authorised_minor: Minor
    captured_minor: Minor
    refunded_minor: Minor
    charged_back_minor: Minor
    balance_minor: Minor
    placed_at: Moment
    updated_at: Moment
    end_reason: str | None
    replaces_order_id: str | None
    imported_from: str | None
    contact: parts.Contact | None
    ship_to: parts.Address | None
    bill_to: parts.Address | None
    shipping: parts.Shipping | None
    discounts: list[parts.Discount]
    payments: list[parts.Payment]
    refunds: list[parts.Refund]
    shipments: list[parts.Shipment]
    returns: list[parts.Return]
    holds: list[parts.Hold]
    amendments: list[parts.Amendment]
    notes: list[parts.Note]
    stale_since: Moment | None = Field(
        description="when not null: the order is parked, and this is how it was before then"
    )


class Orders(Answer):
    """One page of orders."""

    orders: list[Order]
    next_cursor: str | None = Field(description="null: this is the last page")
