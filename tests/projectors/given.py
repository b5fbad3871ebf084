"""One order, written by hand: its facts, and `history(...)`, which puts them into the log."""

from domain import events
from domain.events import OrderEvent, Recorded
from domain.values import (
    Actor,
    Address,
    Contact,
    Discount,
    ImportedLine,
    ImportedPayment,
    LineQuantity,
    PlacedLine,
    ReceivedLine,
    RepricedLine,
    Shipping,
    Tax,
)

ORDER = "0193a5c0-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
NINE_US = 1_795_424_400_000_000
"""2026-11-23T09:00:00Z"""
HOUR_US = 3_600_000_000

VAT = Tax("VAT", "0.19", 463, included=True)
DEPOSIT = Tax("DEPOSIT", "0.08", 80, included=False)
PLACED = events.OrderPlaced(
    customer_id="c-1",
    currency="EUR",
    lines=(
        PlacedLine("1", "A-1", "Cup", 3, 1_000, (VAT,), 100, 463, 2_900),
        PlacedLine("2", "B-2", "", 2, 500, (DEPOSIT,), 0, 80, 1_080),
    ),
    discounts=(Discount("SPRING", 100, "1"),),
    shipping=Shipping("standard", 490),
    contact=Contact("Zoë", "z@example.org", ""),
    ship_to=Address("Zoë", ("Weg 1", "Hof"), "10115", "Berlin", "", "DE"),
    bill_to=None,
    subtotal_minor=4_000,
    discount_minor=100,
    tax_minor=543,
    shipping_minor=490,
    total_minor=4_470,
)
ACCEPTED = events.OrderAccepted()
REQUESTED = events.PaymentAuthorisationRequested("p-1", 4_470, "card")
FAILED = events.PaymentAuthorisationFailed("p-1", "r-0", "no funds")
CAPTURE_REQUESTED = events.CaptureRequested("p-1", "k-1", 4_470)
DISPATCHED = events.ShipmentDispatched("s-1", "T-1")
DELIVERED = events.ShipmentDelivered("s-1")


def authorised(amount_minor: int, payment_id: str = "p-1", reference: str = "r-1") -> OrderEvent:
    return events.PaymentAuthorised(payment_id, reference, amount_minor, None)


def captured(
    amount_minor: int, currency: str = "EUR", customer_id: str = "c-1", reference: str = "r-2"
) -> OrderEvent:
    return events.PaymentCaptured("p-1", "k-1", reference, amount_minor, currency, customer_id)


def pieces(**quantities: int) -> tuple[LineQuantity, ...]:
    """Answer for example `pieces(_1=3, _2=2)`."""
    return tuple(LineQuantity(line_id[1:], quantity) for line_id, quantity in quantities.items())


def shipment(shipment_id: str = "s-1", **quantities: int) -> OrderEvent:
    return events.ShipmentCreated(shipment_id, pieces(**quantities), "DHL")


def lines_cancelled(amount_minor: int, **quantities: int) -> OrderEvent:
    return events.LinesCancelled(pieces(**quantities), "too many", amount_minor, "EUR", "c-1")


def cancelled(amount_minor: int = 4_470) -> OrderEvent:
    return events.OrderCancelled("changed my mind", amount_minor, "EUR", "c-1")


HELD = events.OrderHeld("h-1", "fraud", "two cards")
VOIDED = events.PaymentVoided("p-1", 4_470)
REFUND_REQUESTED = events.RefundRequested("f-1", "p-1", 1_000, "broken")
RETURN_REQUESTED = events.ReturnRequested("e-1", pieces(_1=2), "too small")
RECEIVED = events.ReturnItemsReceived(
    "e-1", (ReceivedLine("1", 2, "as new", restock=True),), 1_933, "EUR", "c-1"
)
DRAFTED = events.OrderDrafted("c-1", "EUR")
LINE_ADDED = events.LineAdded("1", "A-1", "Cup", 3, 1_000, (DEPOSIT,))
FEWER = PlacedLine("1", "A-1", "Cup", 2, 1_000, (), 66, 0, 1_934)
MORE = PlacedLine("3", "C-3", "", 1, 200, (), 0, 0, 200)
PROPOSED = events.AmendmentProposed("a-1", (FEWER, MORE), -766, "called")
APPLIED = events.AmendmentApplied("a-1", (FEWER, MORE), -766, "EUR", "c-1")
IMPORTED = events.OrderImported(
    "old shop",
    "ACCEPTED",
    "c-1",
    "EUR",
    PLACED.lines,
    (ImportedLine("1", 0, 3, 1),),
    (ImportedPayment("p-1", "r-1", "card", 4_470, 4_470, 966),),
    PLACED.discounts,
    PLACED.shipping,
    PLACED.contact,
    PLACED.ship_to,
    None,
    4_000,
    100,
    543,
    490,
    4_470,
    0,
    966,
)


def refunded(amount_minor: int, reference: str = "r-4") -> OrderEvent:
    return events.RefundCompleted("f-1", "p-1", reference, amount_minor, "EUR", "c-1")


def charged_back(amount_minor: int) -> OrderEvent:
    return events.ChargebackRecorded("p-1", "r-5", amount_minor, "EUR", "c-1")


ONE_OF_EACH = (
    PLACED,
    ACCEPTED,
    events.OrderRejected("sold out"),
    cancelled(),
    lines_cancelled(967, _1=1),
    events.NoteAdded("n-1", "call first"),
    REQUESTED,
    authorised(4_470),
    FAILED,
    CAPTURE_REQUESTED,
    captured(4_470),
    shipment(_1=3),
    DISPATCHED,
    DELIVERED,
    events.OrderExpired(),
    HELD,
    events.OrderHoldReleased("h-1"),
    events.OrderCompleted(),
    events.OrderArchived(),
    events.ContactCorrected(Contact("Zoe", "zoe@example.org", "")),
    events.CustomerDataErased(),
    IMPORTED,
    VOIDED,
    events.PaymentAuthorisationExpired("p-1", 4_470),
    events.CaptureFailed("p-1", "k-1", "r-3", "expired card"),
    REFUND_REQUESTED,
    refunded(1_000),
    events.RefundFailed("f-1", "p-1", "r-6", "account closed"),
    charged_back(500),
    events.LinesAllocated(pieces(_1=1)),
    events.LinesBackordered(pieces(_1=2)),
    events.ShipmentTrackingUpdated("s-1", "T-2", "in transit"),
    events.ShipmentDeliveryFailed("s-1", "nobody at home"),
    events.ShipmentCancelled("s-1"),
    RETURN_REQUESTED,
    events.ReturnApproved("e-1"),
    events.ReturnRejected("e-1", "worn"),
    RECEIVED,
    events.ReturnClosed("e-1"),
    DRAFTED,
    LINE_ADDED,
    events.LineQuantityChanged("1", 2),
    events.LineRemoved("1"),
    events.AddressesSet(None, None, Contact("Zoë", "", "")),
    events.ShippingSelected("standard", 490),
    events.DiscountApplied("SPRING", 100, None),
    events.DiscountRemoved("SPRING"),
    events.OrderRepriced((RepricedLine("1", 900, (VAT,)),)),
    PROPOSED,
    APPLIED,
    events.AmendmentDeclined("a-1"),
    events.AmendmentWithdrawn("a-1"),
)


def history(*facts: OrderEvent, from_us: int = NINE_US, order_id: str = ORDER) -> list[Recorded]:
    """Return the facts as the log has them: one an hour, recorded half a second after it was."""
    return [
        Recorded(
            partition=2,
            offset=10 * version,
            event_id=f"0193a5c0-0000-7000-8000-{version:012d}",
            tenant_id="default",
            order_id=order_id,
            version=version,
            occurred_at_us=from_us + HOUR_US * (version - 1),
            recorded_at_us=from_us + HOUR_US * (version - 1) + 500_000,
            command_id=f"key-{version}",
            fingerprint=bytes(32),
            correlation_id="corr",
            causation_id="cause",
            reason="why",
            actor=Actor("user", "u-1"),
            prev_hash=bytes(32),
            command_index=0,
            command_size=1,
            event=event,
            value=b"",
        )
        for version, event in enumerate(facts, 1)
    ]
