"""Whole lives for orders that were only placed: by chance, with everything that goes wrong in them.

The same order lives the same life in every run.
"""

import random
from collections.abc import Callable, Iterator
from typing import TypeAlias

from seeding.life import Life
from seeding.orders import Dataset, SeedOrder, Survey

Happens: TypeAlias = Callable[[int], bool]
"""Tells whether something happens that does so in that many of 100 lives."""

_BAG = {"sku": "BAG", "name": "Carrier bag", "quantity": 1, "unit_price_minor": 25}


class WithLives:
    """Implements `Dataset`: the orders of another one, each with a life after it was placed."""

    def __init__(self, dataset: Dataset) -> None:
        self.name = dataset.name
        self.survey: Survey = dataset.survey
        self._dataset = dataset

    def orders(self, count: int) -> Iterator[SeedOrder]:
        """Yield the first `count` orders with their lives; a fifth stands still half way."""
        for order in self._dataset.orders(count):
            chance = random.Random(order.order_id)  # noqa: S311 - the same lives in every run
            life = Life(order.commands[0]["data"])
            _live(life, _by(chance))
            stands_still = chance.randrange(5) == 0
            steps = chance.randint(1, len(life.steps)) if stands_still else None
            yield life.told(self.name, order.name, steps)


def _by(chance: random.Random) -> Happens:
    return lambda percent: chance.random() * 100 < percent


def _live(life: Life, happens: Happens) -> None:
    if _comes_to_nothing(life, happens):
        return
    life.do("Accept")
    if happens(10):
        life.amend("a-1", "bag", _BAG)
    payment = _is_paid(life, happens)
    if happens(4):
        _is_cancelled(life, payment)
        return
    _is_in_stock(life, happens)
    if payment is not None:
        _is_captured(life, payment, happens)
    _is_sent(life, happens)
    is_settled = payment is None or not happens(3)
    if payment is not None:
        _comes_back(life, payment, happens)
        if not is_settled and life.captured_minor > life.refunded_minor:
            life.charge_back(payment, life.captured_minor - life.refunded_minor)
    if is_settled:
        life.do("Complete")
        if happens(50):
            life.do("Archive")


def _comes_to_nothing(life: Life, happens: Happens) -> bool:
    """Tell whether the order ended before the shop took it on."""
    if happens(10):
        life.do("AddNote", {"note_id": "n-1", "text": "Leave it with the neighbours."})
    if happens(8):
        life.do("Hold", {"hold_id": "h-1", "kind": "fraud", "reason": "A new customer."})
        life.do("ReleaseHold", {"hold_id": "h-1"})
    if happens(3):
        life.do("Reject", {"reason": "We do not deliver to this address."})
    elif happens(3):
        life.do("Expire")
    elif happens(3):
        life.cancel("Ordered by mistake.")
    else:
        return False
    return True


def _is_paid(life: Life, happens: Happens) -> str | None:
    """Return the payment for which money is set aside; None: nothing is owed."""
    amount = life.open_minor
    if amount == 0:
        return None
    if happens(15):
        life.fail_to_pay("p-0", amount)
    if happens(5):
        life.authorise("p-1", amount)
        life.do("ExpireAuthorisation", {"payment_id": "p-1"})
        life.authorise("p-2", amount)
        return "p-2"
    life.authorise("p-1", amount)
    if happens(5):
        life.hear_again()
    return "p-1"


def _is_cancelled(life: Life, payment: str | None) -> None:
    life.cancel("Delivery takes too long.")
    if payment is not None:
        life.do("VoidAuthorisation", {"payment_id": payment})
    life.do("Archive")


def _is_in_stock(life: Life, happens: Happens) -> None:
    lines = [{"line_id": line_id, "quantity": count} for line_id, count in life.pieces.items()]
    if happens(10):
        life.do("RecordBackorder", {"lines": lines[:1]})
    life.do("RecordAllocation", {"lines": lines})
    if len(lines) > 1 and happens(10):
        last = list(life.pieces)[-1]
        life.cancel_lines({last: life.pieces[last]}, "Broken in the store.")


def _is_captured(life: Life, payment: str, happens: Happens) -> None:
    """Take what is owed; sometimes not at once, sometimes told twice, sometimes too much."""
    set_aside, owed = life.authorised_minor, life.open_minor
    if owed == 0:
        life.do("VoidAuthorisation", {"payment_id": payment})
        return
    if happens(10):
        life.fail_to_capture(payment, "c-0", owed)
    taken = owed + 100 if happens(2) else owed
    life.capture(payment, "c-1", owed, taken)
    if happens(10):
        life.hear_again()
    if taken > owed:
        life.refund(payment, "f-over", taken - owed)
    if set_aside > taken:
        life.do("VoidAuthorisation", {"payment_id": payment})


def _is_sent(life: Life, happens: Happens) -> None:
    """Send everything, in one parcel or two; not every parcel arrives at once."""
    pieces = list(life.pieces.items())
    half = len(pieces) // 2 if happens(20) else 0
    parcels = [dict(part) for part in (pieces[:half], pieces[half:]) if part]
    for number, parcel in enumerate(parcels, 1):
        shipment = f"s-{number}"
        if happens(5):
            life.pack(f"{shipment}-small", parcel)
            life.do("CancelShipment", {"shipment_id": f"{shipment}-small"})
        life.ship(shipment, parcel)
        if happens(30):
            tracking = {"tracking_number": f"TRACK-{shipment}", "status": "in transit"}
            life.do("UpdateTracking", {"shipment_id": shipment, **tracking})
        if happens(8):
            life.do("RecordDeliveryFailure", {"shipment_id": shipment, "reason": "Nobody at home."})
        life.arrive(shipment, 1 + number)


def _comes_back(life: Life, payment: str, happens: Happens) -> None:
    """Take some pieces back, not all that are asked for, and give their money back."""
    line_id, count = next(iter(life.pieces.items()))
    if happens(5):
        life.ask_to_return("e-0", {line_id: count}, "Does not fit.")
        life.do("RejectReturn", {"return_id": "e-0", "reason": "Worn."})
    if happens(20):
        worth = life.take_back("e-1", {line_id: (count + 1) // 2}, "Broken.")
        if worth and happens(20):
            life.fail_to_refund(payment, "f-0", worth)
        if worth:
            life.refund(payment, "f-1", worth)
    left = life.captured_minor - life.refunded_minor
    if left and happens(5):
        life.refund(payment, "f-goodwill", min(left, 100))
