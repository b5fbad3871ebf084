"""Putting an order together, and placing it (I6)."""

import pytest

from domain.commands import (
    AddLine,
    ApplyDiscount,
    Cancel,
    ChangeLineQuantity,
    CreateDraft,
    Expire,
    Place,
    PlaceOrder,
    RemoveDiscount,
    RemoveLine,
    Reprice,
    RequestAuthorisation,
    SelectShipping,
    SetAddresses,
)
from domain.decide import decide
from domain.errors import OrderExists
from domain.events import (
    AddressesSet,
    CustomerDataErased,
    DiscountApplied,
    DiscountRemoved,
    LineAdded,
    LineQuantityChanged,
    LineRemoved,
    OrderCancelled,
    OrderDrafted,
    OrderExpired,
    OrderRepriced,
    ShippingSelected,
)
from domain.order import Draft, Order
from domain.statuses import Lifecycle
from domain.values import (
    INT64_MAX,
    Address,
    Contact,
    Discount,
    Line,
    RepricedLine,
    Shipping,
    Tax,
)

DRAFTED = OrderDrafted("c-1", "EUR")
CUP = LineAdded("1", "A-1", "Cup", 2, 1000, ())
PLATE = LineAdded("2", "B-1", "", 1, 500, ())
SPRING = DiscountApplied("SPRING", 100, None)
HOME = Address("Zoë", ("Weg 1",), "10115", "Berlin", "", "DE")
ZOE = Contact("Zoë", "z@example.org", "")
SENT_HOME = AddressesSet(HOME, None, ZOE)
BILLED = AddressesSet(None, HOME, None)
STANDARD = ShippingSelected("standard", 490)
[PLACED] = decide(Order(), PlaceOrder("c-1", "EUR", (Line("A-1", 2, 1000),)))


@pytest.mark.parametrize(
    ("history", "command", "answer"),
    [
        ([], CreateDraft("c-1", "EUR"), [DRAFTED]),
        ([], CreateDraft("", "EUR"), "customer-missing"),
        ([], CreateDraft("c-1", "EURO"), "currency-unknown"),
        ([DRAFTED], AddLine("A-1", 2, 1000, name="Cup"), [CUP]),
        ([DRAFTED, CUP], AddLine("B-1", 1, 500), [PLATE]),
        ([DRAFTED, CUP], AddLine("A-1", 2, 1000, "1", "Cup"), []),
        ([DRAFTED, CUP], AddLine("A-1", 3, 1000, "1", "Cup"), "line-id-reused"),
        ([DRAFTED], AddLine("A-1", 0, 1000), "quantity-not-positive"),
        ([DRAFTED], AddLine("A-1", 1, -1), "price-negative"),
        ([DRAFTED], AddLine("A-1", 1, INT64_MAX + 1), "amount-overflow"),
        ([DRAFTED], AddLine("A-1", 1, 1, taxes=(Tax("V", "0", -1, True),)), "tax-negative"),
        ([DRAFTED, CUP], ChangeLineQuantity("1", 3), [LineQuantityChanged("1", 3)]),
        ([DRAFTED, CUP], ChangeLineQuantity("1", 2), []),
        ([DRAFTED, CUP], ChangeLineQuantity("1", 0), "quantity-not-positive"),
        ([DRAFTED, CUP], ChangeLineQuantity("9", 1), "line-unknown"),
        ([DRAFTED, CUP], RemoveLine("1"), [LineRemoved("1")]),
        ([DRAFTED, CUP, LineRemoved("1")], RemoveLine("1"), []),
        ([DRAFTED], SetAddresses(HOME, None, ZOE), [SENT_HOME]),
        ([DRAFTED, SENT_HOME], SetAddresses(HOME), []),
        ([DRAFTED, SENT_HOME], SetAddresses(None, HOME), [AddressesSet(None, HOME, None)]),
        ([DRAFTED, BILLED], SetAddresses(None, HOME), []),
        ([DRAFTED, BILLED, SENT_HOME], SetAddresses(None, HOME), []),
        (
            [DRAFTED, CUP],
            ApplyDiscount("CUP", 50, "1"),
            [DiscountApplied("CUP", 50, "1")],
        ),
        ([DRAFTED, CustomerDataErased()], SetAddresses(HOME), "customer-data-erased"),
        ([DRAFTED], SelectShipping("standard", 490), [STANDARD]),
        ([DRAFTED, STANDARD], SelectShipping("standard", 490), []),
        ([DRAFTED], SelectShipping("standard", -1), "price-negative"),
        ([DRAFTED], ApplyDiscount("SPRING", 100), [SPRING]),
        ([DRAFTED, SPRING], ApplyDiscount("SPRING", 100), []),
        ([DRAFTED, SPRING], ApplyDiscount("SPRING", 200), "discount-id-reused"),
        ([DRAFTED], ApplyDiscount("SPRING", -1), "discount-negative"),
        ([DRAFTED], ApplyDiscount("SPRING", 1, "1"), "discount-line-unknown"),
        ([DRAFTED, SPRING], RemoveDiscount("SPRING"), [DiscountRemoved("SPRING")]),
        ([DRAFTED], RemoveDiscount("SPRING"), []),
        (
            [DRAFTED, CUP],
            Reprice((RepricedLine("1", 900),)),
            [OrderRepriced((RepricedLine("1", 900),))],
        ),
        ([DRAFTED, CUP], Reprice((RepricedLine("1", 1000),)), []),
        ([DRAFTED, CUP], Reprice(()), "lines-missing"),
        ([DRAFTED, CUP], Reprice((RepricedLine("1", 1),) * 2), "line-repeated"),
        ([DRAFTED, CUP], Reprice((RepricedLine("9", 1),)), "line-unknown"),
        ([DRAFTED, CUP], Reprice((RepricedLine("1", -1),)), "price-negative"),
        ([DRAFTED], Place(), "lines-missing"),
        ([DRAFTED, CUP], Cancel(), [OrderCancelled(None, 0, "EUR", "c-1")]),
        ([DRAFTED, CUP], Expire(), [OrderExpired()]),
        ([DRAFTED, OrderExpired()], Expire(), []),
        ([DRAFTED, OrderExpired()], Place(), "order-not-a-draft"),
        ([DRAFTED], RequestAuthorisation("p-1", 1), "order-not-placed"),
        ([PLACED], AddLine("A-1", 2, 1000), "order-not-a-draft"),
        ([PLACED], Place(), []),
    ],
)
def test_drafts(when, history, command, answer):
    assert when(history, command) == answer


def test_placing_a_draft_is_placing_the_whole_order(fold):
    state = fold(
        [
            DRAFTED,
            CUP,
            PLATE,
            LineQuantityChanged("1", 3),
            OrderRepriced((RepricedLine("2", 600, (Tax("VAT", "0.19", 96, included=True),)),)),
            SPRING,
            DiscountApplied("CUP", 50, "1"),
            STANDARD,
            SENT_HOME,
            BILLED,
        ]
    )
    whole = PlaceOrder(
        "c-1",
        "EUR",
        (
            Line("A-1", 3, 1000, "1", "Cup"),
            Line("B-1", 1, 600, "2", "", (Tax("VAT", "0.19", 96, included=True),)),
        ),
        (Discount("SPRING", 100, None), Discount("CUP", 50, "1")),
        Shipping("standard", 490),
        ZOE,
        HOME,
        HOME,
    )

    assert decide(state, Place()) == decide(Order(), whole)


def test_a_removed_line_takes_its_discounts_along(fold):
    state = fold([DRAFTED, CUP, PLATE, DiscountApplied("CUP", 50, "1"), LineRemoved("1")])

    [placed] = decide(state, Place())

    assert (placed.total_minor, placed.discounts) == (500, ())


def test_the_contact_of_a_draft_is_the_orders(fold):
    state = fold([DRAFTED, SENT_HOME, CUP])

    assert fold([DRAFTED, SENT_HOME, CUP, *decide(state, Place())]).contact == ZOE


@pytest.mark.parametrize("history", [[DRAFTED], [PLACED]])
def test_an_id_begins_one_order(fold, history):
    with pytest.raises(OrderExists):
        decide(fold(history), CreateDraft("c-1", "EUR"))


def test_what_was_placed_is_kept_as_a_draft_no_longer(fold):
    assert fold([DRAFTED, CUP, SPRING, PLACED]).draft == Draft()


def test_a_discount_that_was_removed_is_not_given(fold):
    state = fold([DRAFTED, CUP, SPRING, DiscountRemoved("SPRING")])

    [placed] = decide(state, Place())

    assert (placed.discounts, placed.discount_minor) == ((), 0)


def test_a_draft_is_a_draft(fold):
    assert fold([DRAFTED, CUP]).lifecycle is Lifecycle.DRAFT
