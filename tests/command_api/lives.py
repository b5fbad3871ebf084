"""A life for every command: what an order went through before it, its data in full, its events."""

from collections.abc import Sequence
from dataclasses import dataclass

PLACING = {
    "customer_id": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}],
}
NOTE = {"note_id": "n-1", "text": "Please ring twice."}
PIECES = [{"line_id": "1", "quantity": 2}]
_P, _K, _S = {"payment_id": "p-1"}, {"capture_id": "k-1"}, {"shipment_id": "s-1"}
_AMOUNT = {"amount_minor": 2598}
_PAYING = (
    ("request-authorisation", {**_P, **_AMOUNT, "method": "card"}),
    (
        "record-authorisation",
        {**_P, **_AMOUNT, "psp_reference": "psp-1", "expires_at": "2026-12-01T00:00:00Z"},
    ),
    ("request-capture", {**_P, **_K, **_AMOUNT}),
    ("record-capture", {**_P, **_K, **_AMOUNT, "psp_reference": "psp-2"}),
)
_SENDING = (
    ("accept", {}),
    ("create-shipment", {**_S, "lines": PIECES, "carrier": "post"}),
    ("dispatch-shipment", {**_S, "tracking_number": "T-1"}),
    ("record-delivery", {**_S, "delivered_at": "2026-11-25T10:00:00Z"}),
)
_DRAFTING = (("add-line", {"line_id": "1", "sku": "A-1", "quantity": 2, "unit_price_minor": 1299}),)
_ADDRESS = {
    "name": "Zoë",
    "lines": ["Weg 1"],
    "postal_code": "10115",
    "city": "Berlin",
    "region": "BE",
    "country": "DE",
}
_CONTACT = {"contact": {"name": "Zoë", "email": "z@example.org", "phone": "+49 30 1"}}
_TAXES = [{"code": "VAT", "rate": "0.19", "amount_minor": 415, "included": True}]
_DISCOUNT = {"discount_id": "d-1", "amount_minor": 200}
_HOLD = {"hold_id": "h-1", "kind": "fraud", "reason": "Two cards, one address."}
_AMENDING = {
    "amendment_id": "a-1",
    "changes": {
        "add_lines": [{"sku": "B-1", "quantity": 1, "unit_price_minor": 500}],
        "quantities": [{"line_id": "1", "quantity": 1}],
    },
    "reason": "The customer called.",
}
_A, _F, _E = {"amendment_id": "a-1"}, {"refund_id": "f-1"}, {"return_id": "e-1"}
_REFUNDING = ("request-refund", {**_F, **_P, "amount_minor": 100, "reason": "broken"})
_RETURNING = (
    *_SENDING,
    ("request-return", {**_E, "lines": PIECES, "reason": "too small"}),
    ("approve-return", _E),
)
_RECEIVED = {
    **_E,
    "lines": [{"line_id": "1", "quantity": 1, "condition": "as new", "restock": True}],
}
_IMPORTING = {
    "source": "old shop",
    "lifecycle": "ACCEPTED",
    **PLACING,
    "past": [{"line_id": "1", "cancelled": 0, "delivered": 1, "returned": 1}],
    "payments": [
        {
            "payment_id": "p-1",
            "psp_reference": "psp-1",
            "method": "card",
            "authorised_minor": 2598,
            "captured_minor": 2598,
            "refunded_minor": 1299,
        }
    ],
}
_CANCELLING = {"lines": PIECES, "reason": "out of stock"}
_FAILURE = {**_P, "psp_reference": "psp-1", "reason": "insufficient funds"}


@dataclass(frozen=True)
class Life:
    """What an order went through before a command, its data in full, and its events."""

    before: Sequence[tuple[str, dict]]
    data: dict
    events: Sequence[str]
    is_draft: bool = False


LIVES = {
    "place-order": Life((), PLACING, ["OrderPlaced"]),
    "accept": Life((), {}, ["OrderAccepted"]),
    "reject": Life((), {"reason": "We do not deliver there."}, ["OrderRejected"]),
    "request-authorisation": Life((), _PAYING[0][1], ["PaymentAuthorisationRequested"]),
    "record-authorisation": Life(_PAYING[:1], _PAYING[1][1], ["PaymentAuthorised"]),
    "record-authorisation-failure": Life(_PAYING[:1], _FAILURE, ["PaymentAuthorisationFailed"]),
    "request-capture": Life(_PAYING[:2], _PAYING[2][1], ["CaptureRequested"]),
    "record-capture": Life(_PAYING[:3], _PAYING[3][1], ["PaymentCaptured"]),
    "create-shipment": Life(_SENDING[:1], _SENDING[1][1], ["ShipmentCreated"]),
    "dispatch-shipment": Life(_SENDING[:2], _SENDING[2][1], ["ShipmentDispatched"]),
    "record-delivery": Life(_SENDING[:3], _SENDING[3][1], ["ShipmentDelivered"]),
    "cancel-lines": Life((), _CANCELLING, ["LinesCancelled", "OrderCancelled"]),
    "cancel": Life((), {"reason": "ordered by mistake"}, ["OrderCancelled"]),
    "add-note": Life((), NOTE, ["NoteAdded"]),
    "create-draft": Life((), {"customer_id": "c-1", "currency": "EUR"}, ["OrderDrafted"]),
    "import-order": Life((), _IMPORTING, ["OrderImported"]),
    "expire": Life((), {}, ["OrderExpired"]),
    "hold": Life((), _HOLD, ["OrderHeld"]),
    "release-hold": Life((("hold", _HOLD),), {"hold_id": "h-1"}, ["OrderHoldReleased"]),
    "complete": Life((*_PAYING, *_SENDING), {}, ["OrderCompleted"]),
    "archive": Life((("cancel", {}),), {}, ["OrderArchived"]),
    "correct-contact": Life((), _CONTACT, ["ContactCorrected"]),
    "erase-customer-data": Life((), {}, ["CustomerDataErased"]),
    "add-line": Life(
        (),
        {**_DRAFTING[0][1], "name": "Cup", "taxes": _TAXES},
        ["LineAdded"],
        is_draft=True,
    ),
    "change-line-quantity": Life(
        _DRAFTING, {"line_id": "1", "quantity": 3}, ["LineQuantityChanged"], is_draft=True
    ),
    "remove-line": Life(_DRAFTING, {"line_id": "1"}, ["LineRemoved"], is_draft=True),
    "set-addresses": Life(
        (),
        {"ship_to": _ADDRESS, "bill_to": {**_ADDRESS, "name": "Max"}, **_CONTACT},
        ["AddressesSet"],
        is_draft=True,
    ),
    "select-shipping": Life(
        (), {"method": "express", "price_minor": 990}, ["ShippingSelected"], is_draft=True
    ),
    "apply-discount": Life(
        _DRAFTING, {**_DISCOUNT, "line_id": "1"}, ["DiscountApplied"], is_draft=True
    ),
    "remove-discount": Life(
        (*_DRAFTING, ("apply-discount", _DISCOUNT)),
        {"discount_id": "d-1"},
        ["DiscountRemoved"],
        is_draft=True,
    ),
    "reprice": Life(
        _DRAFTING,
        {"lines": [{"line_id": "1", "unit_price_minor": 1199, "taxes": _TAXES}]},
        ["OrderRepriced"],
        is_draft=True,
    ),
    "place": Life(_DRAFTING, {}, ["OrderPlaced"], is_draft=True),
    "propose-amendment": Life((), _AMENDING, ["AmendmentProposed"]),
    "approve-amendment": Life((("propose-amendment", _AMENDING),), _A, ["AmendmentApplied"]),
    "decline-amendment": Life((("propose-amendment", _AMENDING),), _A, ["AmendmentDeclined"]),
    "withdraw-amendment": Life((("propose-amendment", _AMENDING),), _A, ["AmendmentWithdrawn"]),
    "expire-authorisation": Life(_PAYING[:2], _P, ["PaymentAuthorisationExpired"]),
    "void-authorisation": Life(_PAYING[:2], _P, ["PaymentVoided"]),
    "record-capture-failure": Life(_PAYING[:3], {**_FAILURE, **_K}, ["CaptureFailed"]),
    "request-refund": Life(_PAYING, _REFUNDING[1], ["RefundRequested"]),
    "record-refund": Life(
        (*_PAYING, _REFUNDING),
        {**_F, "psp_reference": "psp-3", "amount_minor": 100},
        ["RefundCompleted"],
    ),
    "record-refund-failure": Life(
        (*_PAYING, _REFUNDING),
        {**_F, "psp_reference": "psp-3", "reason": "account closed"},
        ["RefundFailed"],
    ),
    "record-chargeback": Life(
        _PAYING, {**_P, **_AMOUNT, "psp_reference": "psp-4"}, ["ChargebackRecorded"]
    ),
    "record-allocation": Life((), {"lines": PIECES}, ["LinesAllocated"]),
    "record-backorder": Life((), {"lines": PIECES}, ["LinesBackordered"]),
    "update-tracking": Life(
        _SENDING[:3],
        {**_S, "tracking_number": "T-2", "status": "in transit"},
        ["ShipmentTrackingUpdated"],
    ),
    "record-delivery-failure": Life(
        _SENDING[:3], {**_S, "reason": "nobody at home"}, ["ShipmentDeliveryFailed"]
    ),
    "cancel-shipment": Life(_SENDING[:2], _S, ["ShipmentCancelled"]),
    "request-return": Life(_SENDING, _RETURNING[4][1], ["ReturnRequested"]),
    "approve-return": Life(_RETURNING[:5], _E, ["ReturnApproved"]),
    "reject-return": Life(_RETURNING[:5], {**_E, "reason": "worn"}, ["ReturnRejected"]),
    "receive-return-items": Life(_RETURNING, _RECEIVED, ["ReturnItemsReceived"]),
    "close-return": Life(_RETURNING, _E, ["ReturnClosed"]),
}
