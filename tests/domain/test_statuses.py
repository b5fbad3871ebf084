import pytest

from domain.currencies import EXPONENTS, written
from domain.statuses import (
    FulfilmentStatus,
    LinePieces,
    Money,
    PaymentStatus,
    ReturnStatus,
    fulfilment_status,
    payment_status,
    return_status,
)


@pytest.mark.parametrize(
    ("cancelled", "authorised", "captured", "refunded", "is_pending", "status"),
    [
        (0, 0, 0, 0, False, PaymentStatus.NONE),
        (0, 0, 0, 0, True, PaymentStatus.PENDING),
        (0, 99, 0, 0, True, PaymentStatus.PARTIALLY_AUTHORISED),
        (0, 100, 0, 0, False, PaymentStatus.AUTHORISED),
        (1, 99, 0, 0, False, PaymentStatus.AUTHORISED),
        (0, 100, 1, 0, True, PaymentStatus.PARTIALLY_CAPTURED),
        (0, 100, 100, 0, False, PaymentStatus.CAPTURED),
        (99, 100, 1, 0, False, PaymentStatus.CAPTURED),
        (50, 100, 100, 0, False, PaymentStatus.CAPTURED),
        (0, 0, 101, 0, False, PaymentStatus.OVERCHARGED),
        (0, 0, 201, 100, False, PaymentStatus.OVERCHARGED),
        (0, 0, 201, 101, False, PaymentStatus.PARTIALLY_REFUNDED),
        (0, 100, 100, 1, False, PaymentStatus.PARTIALLY_REFUNDED),
        (0, 100, 100, 100, False, PaymentStatus.REFUNDED),
        (0, 100, 1, 1, False, PaymentStatus.REFUNDED),
        (100, 0, 500, 500, False, PaymentStatus.REFUNDED),
    ],
)
def test_payment_status_of_an_order_of_100(
    cancelled, authorised, captured, refunded, is_pending, status
):
    money = Money(100, cancelled, 0, authorised, captured, refunded)

    assert payment_status(money, is_pending=is_pending, is_voided=False) is status


@pytest.mark.parametrize(
    ("money", "is_pending", "status"),
    [
        (Money(100), False, PaymentStatus.VOIDED),
        (Money(100), True, PaymentStatus.PENDING),
        (Money(100, authorised_minor=1), False, PaymentStatus.PARTIALLY_AUTHORISED),
        (Money(100, captured_minor=100), False, PaymentStatus.CAPTURED),
        (Money(100, captured_minor=100, charged_back_minor=1), False, "PARTIALLY_REFUNDED"),
        (Money(100, captured_minor=100, charged_back_minor=100), False, PaymentStatus.REFUNDED),
        (Money(100, returned_minor=40, captured_minor=60), False, PaymentStatus.CAPTURED),
    ],
)
def test_payment_status_of_an_order_with_a_voided_payment(money, is_pending, status):
    assert payment_status(money, is_pending=is_pending, is_voided=True) == status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], FulfilmentStatus.NONE),
        ([(2, 0, 0, 0)], FulfilmentStatus.NONE),
        ([(2, 2, 0, 0)], FulfilmentStatus.NONE),
        ([(2, 0, 0, 0, 1)], FulfilmentStatus.BACKORDERED),
        ([(2, 2, 0, 0, 1)], FulfilmentStatus.NONE),
        ([(2, 0, 1, 0, 1)], FulfilmentStatus.PARTIAL),
        ([(2, 0, 1, 0)], FulfilmentStatus.PARTIAL),
        ([(2, 0, 1, 1)], FulfilmentStatus.PARTIAL),
        ([(2, 0, 2, 2), (1, 0, 0, 0)], FulfilmentStatus.PARTIAL),
        ([(2, 1, 1, 0)], FulfilmentStatus.FULFILLED),
        ([(2, 0, 2, 1)], FulfilmentStatus.FULFILLED),
        ([(2, 0, 2, 2), (1, 1, 0, 0)], FulfilmentStatus.DELIVERED),
        ([(2, 0, 2, 2), (1, 0, 1, 1)], FulfilmentStatus.DELIVERED),
    ],
)
def test_fulfilment_status(lines, status):
    assert fulfilment_status(LinePieces(*line) for line in lines) is status


@pytest.mark.parametrize(
    ("delivered", "returned", "is_requested", "status"),
    [
        (0, 0, False, ReturnStatus.NONE),
        (3, 0, True, ReturnStatus.REQUESTED),
        (3, 1, True, ReturnStatus.PARTIAL),
        (3, 1, False, ReturnStatus.PARTIAL),
        (3, 3, False, ReturnStatus.RETURNED),
    ],
)
def test_return_status(delivered, returned, is_requested, status):
    found = return_status(delivered=delivered, returned=returned, is_requested=is_requested)

    assert found is status


def test_balance_is_what_is_still_owed():
    money = Money(
        100,
        cancelled_minor=30,
        returned_minor=10,
        captured_minor=20,
        refunded_minor=5,
        charged_back_minor=1,
    )

    assert money.balance_minor == 46


@pytest.mark.parametrize(
    ("code", "digits"),
    [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("HUF", 2), ("ISK", 0), ("TND", 3)],
)
def test_digits_of_a_currency(code, digits):
    assert EXPONENTS[code] == digits


@pytest.mark.parametrize("code", ["XAU", "XTS", "XDR", "DEM", "eur", "", "EURO"])
def test_what_is_no_money(code):
    assert code not in EXPONENTS


def test_the_table_is_whole():
    """165 active codes have a minor unit; each is three capital letters, named once."""
    assert len(EXPONENTS) == 165
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in EXPONENTS)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (1299, "EUR", "12.99 EUR"),
        (5, "EUR", "0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (-1299, "EUR", "-12.99 EUR"),
        (1299, "JPY", "1299 JPY"),
        (1299, "KWD", "1.299 KWD"),
    ],
)
def test_amounts_for_people(amount_minor, currency, text):
    assert written(amount_minor, currency) == text
