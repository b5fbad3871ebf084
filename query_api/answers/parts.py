"""What an order's answer consists of besides its own fields."""

from typing import Literal

from query_api.answers.answer import Answer, Minor, Moment

PaymentState = Literal[
    "NONE",
    "PENDING",
    "FAILED",
    "PARTIALLY_AUTHORISED",
    "AUTHORISED",
    "PARTIALLY_CAPTURED",
    "CAPTURED",
    "PARTIALLY_REFUNDED",
    "REFUNDED",
    "OVERCHARGED",
    "VOIDED",
]


class Tax(Answer):
    """One tax on a whole line."""

    code: str
    rate: str
    amount_minor: Minor
    included: bool


class Line(Answer):
    """One line: prices as frozen at placement, and how many of its pieces went which way."""

    line_id: str
    sku: str
    name: str
    quantity: int
    cancelled: int
    shipped: int
    delivered: int
    returned: int
    allocated: int
    backordered: int
    delivered_before: int
    unit_price_minor: Minor
    discount_minor: Minor
    tax_minor: Minor
    total_minor: Minor
    taxes: list[Tax]


class Contact(Answer):
    """How to reach the customer."""

    name: str
    email: str
    phone: str


class Address(Answer):
    """A postal address."""

    name: str
    lines: list[str]
    postal_code: str
    city: str
    region: str
    country: str


class Shipping(Answer):
    """The way of delivery and its price."""

    method: str
    price_minor: Minor


class Discount(Answer):
    """Money off one line, or off the whole order (`line_id` null)."""

    discount_id: str
    amount_minor: Minor
    line_id: str | None


class Authorisation(Answer):
    """Money that the PSP set aside."""

    psp_reference: str
    amount_minor: Minor
    expires_at: Moment | None


class Failure(Answer):
    """The PSP's no."""

    psp_reference: str
    reason: str


class Released(Answer):
    """Money that is set aside no longer."""

    kind: Literal["EXPIRED", "VOIDED"]
    amount_minor: Minor


class Capture(Answer):
    """Money that was asked for, and what the PSP took; null: not (yet)."""

    capture_id: str
    requested_minor: Minor | None
    captured_minor: Minor | None
    psp_references: list[str]
    failure: str | None


class Chargeback(Answer):
    """Money that the customer's bank took back."""

    psp_reference: str
    amount_minor: Minor


class Payment(Answer):
    """One payment: what was asked of the PSP, and each thing that it told."""

    payment_id: str
    method: str | None
    status: PaymentState
    requested_minor: Minor | None
    authorised_minor: Minor
    capture_requested_minor: Minor
    captured_minor: Minor
    refunded_minor: Minor
    charged_back_minor: Minor
    authorisations: list[Authorisation]
    failures: list[Failure]
    released: list[Released]
    captures: list[Capture]
    chargebacks: list[Chargeback]


class Refund(Answer):
    """Money that is to be given back, and what the PSP gave; null: not (yet)."""

    refund_id: str
    payment_id: str | None
    status: Literal["REQUESTED", "COMPLETED", "FAILED"]
    requested_minor: Minor | None
    refunded_minor: Minor | None
    reason: str | None
    psp_references: list[str]
    failure: str | None


class Pieces(Answer):
    """So many pieces of one line."""

    line_id: str
    quantity: int


class Shipment(Answer):
    """One parcel."""

    shipment_id: str
    carrier: str | None
    tracking_number: str | None
    tracking_status: str | None
    status: Literal["CREATED", "DISPATCHED", "DELIVERED", "DELIVERY_FAILED", "CANCELLED"]
    lines: list[Pieces]
    created_at: Moment
    dispatched_at: Moment | None
    delivered_at: Moment | None
    failure: str | None


class ReturnedLine(Answer):
    """Pieces that are to come back, and how many have."""

    line_id: str
    quantity: int
    received: int


class Received(Answer):
    """Pieces that came back, and in what condition."""

    line_id: str
    quantity: int
    condition: str
    restock: bool


class Return(Answer):
    """Pieces on their way back."""

    return_id: str
    reason: str | None
    status: Literal["REQUESTED", "APPROVED", "REJECTED", "CLOSED"]
    lines: list[ReturnedLine]
    received: list[Received]
    requested_at: Moment
    rejection: str | None


class Hold(Answer):
    """A reason why nothing leaves the house."""

    hold_id: str
    kind: str
    reason: str | None
    is_released: bool


class Amendment(Answer):
    """A proposal: these lines would have (or have) so many pieces."""

    amendment_id: str
    status: Literal["OPEN", "APPLIED", "DECLINED", "WITHDRAWN"]
    difference_minor: Minor
    reason: str | None
    lines: list[Pieces]


class Note(Answer):
    """Something to remember; `text` is null once the customer's data was erased."""

    note_id: str
    text: str | None
    at: Moment
