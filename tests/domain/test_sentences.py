"""What a refusal says to the person who asked: the right number, in the right money."""

import pytest

from domain.commands import (
    ApproveAmendment,
    Archive,
    Complete,
    CreateShipment,
    PlaceOrder,
    ProposeAmendment,
    RecordCapture,
    RecordRefund,
    RequestCapture,
    RequestRefund,
    RequestReturn,
)
from domain.decide import decide
from domain.errors import Rejected
from domain.events import (
    AmendmentDeclined,
    AmendmentProposed,
    LinesCancelled,
    OrderAccepted,
    OrderRejected,
    PaymentAuthorised,
    PaymentCaptured,
    RefundCompleted,
    RefundRequested,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
)
from domain.order import Order
from domain.values import Discount, Line, LineQuantity

[PLACED] = decide(Order(), PlaceOrder("c-1", "KWD", (Line("A-1", 3, 1000),)))
ACCEPTED, REJECTED = OrderAccepted(), OrderRejected("no")
ALL = (LineQuantity("1", 3),)
DELIVERED = [
    ShipmentCreated("s-1", ALL, None),
    ShipmentDispatched("s-1", None),
    ShipmentDelivered("s-1"),
]
AUTHORISED = PaymentAuthorised("p-1", "r-1", 3000, None)


def captured(amount_minor):
    return PaymentCaptured("p-1", "k-1", "r-2", amount_minor, "KWD", "c-1")


def refunded(amount_minor):
    return RefundCompleted("f-1", "p-1", "r-3", amount_minor, "KWD", "c-1")


ONE_GONE = LinesCancelled((LineQuantity("1", 1),), None, 1000, "KWD", "c-1")
ONE_PACKED = ShipmentCreated("s-1", (LineQuantity("1", 1),), None)


@pytest.mark.parametrize(
    ("history", "command", "sentence"),
    [
        (
            [],
            PlaceOrder("c-1", "KWD", (Line("A", 1, 1000),), (Discount("d", 1001, None),)),
            "1.001 KWD off the order is more than the 1.000 KWD that its goods cost.",
        ),
        (
            [],
            PlaceOrder("c-1", "KWD", (Line("A", 1, 1000),), (Discount("d", 1001, "1"),)),
            "1.001 KWD off line 1 is more than the 1.000 KWD that its goods cost.",
        ),
        ([], PlaceOrder("c-1", "EUX", (Line("A", 1, 1),)), "'EUX' is no ISO 4217 currency."),
        (
            [PLACED, AUTHORISED, captured(1200)],
            RequestCapture("p-1", "k-2", 1801),
            (
                "1.801 KWD cannot be taken: of the 3.000 KWD set aside for this payment only "
                "1.800 KWD are left."
            ),
        ),
        (
            [PLACED, captured(1200)],
            RecordCapture("p-1", "k-1", "r-2", 1201),
            "r-2 was already recorded with 1.200 KWD; it cannot also be 1.201 KWD.",
        ),
        (
            [PLACED, captured(1200), refunded(200)],
            RecordRefund("f-1", "r-3", 201),
            "r-3 was already recorded with 0.200 KWD; it cannot also be 0.201 KWD.",
        ),
        (
            [PLACED, captured(1200), RefundRequested("f-9", "p-1", 1200, None)],
            RequestRefund("f-1", "p-1", 1),
            (
                "0.001 KWD cannot be given back: of what was taken with this payment only "
                "0.000 KWD are left."
            ),
        ),
        (
            [PLACED, ACCEPTED, *DELIVERED, captured(1200)],
            Complete(),
            "The customer still owes 1.800 KWD.",
        ),
        (
            [PLACED, ACCEPTED, *DELIVERED, captured(3200)],
            Complete(),
            "The customer must still get 0.200 KWD back.",
        ),
        (
            [PLACED, captured(1200), refunded(200), REJECTED],
            Archive(),
            "The customer must still get 1.000 KWD back.",
        ),
        (
            [PLACED, ACCEPTED, ONE_GONE, ONE_PACKED],
            CreateShipment("s-2", (LineQuantity("1", 2),)),
            (
                "2 pieces of line 1 were asked for, but only 1 are neither cancelled nor in a "
                "shipment."
            ),
        ),
        (
            [PLACED, ACCEPTED, *DELIVERED],
            RequestReturn("e-1", (LineQuantity("1", 4),)),
            (
                "4 pieces of line 1 were asked for, but only 3 are delivered and neither returned "
                "nor on their way back."
            ),
        ),
        (
            [PLACED, ONE_GONE, ONE_PACKED],
            ProposeAmendment("a-1", quantities=(LineQuantity("1", 1),)),
            (
                "2 pieces of line 1 are cancelled or in a shipment already, so it cannot be "
                "changed to 1; cancel pieces instead."
            ),
        ),
        (
            [PLACED, AmendmentProposed("a-1", (), 0, None), AmendmentDeclined("a-1")],
            ApproveAmendment("a-1"),
            "Amendment a-1 was declined already.",
        ),
        (
            [PLACED, ACCEPTED, ONE_PACKED],
            Complete(),
            "3 pieces of line 1 are neither delivered nor cancelled.",
        ),
    ],
)
def test_a_sentence_has_its_numbers(fold, history, command, sentence):
    with pytest.raises(Rejected) as refused:
        decide(fold(history), command)

    assert refused.value.sentence == sentence
