"""What happens to the demo orders after they were placed: one small function per story."""

from collections.abc import Callable
from typing import TypeAlias

from seeding.life import Life

Story: TypeAlias = Callable[[Life], None]

_SPOON = {"sku": "SPN-04", "name": "Spoon, olive wood", "quantity": 1, "unit_price_minor": 450}


def waits(_life: Life) -> None:
    """Tell that nobody has looked at it yet."""


def is_asked_about(life: Life) -> None:
    """Tell that the customer called, twice, and then once more about the new telephone."""
    life.do("AddNote", {"note_id": "1", "text": "Please ring twice, the bell is quiet."})
    life.do("AddNote", {"note_id": "2", "text": "Gift: no invoice in the parcel."})
    life.do("CorrectContact", {"contact": {"name": "Front desk", "phone": "+00 555 9999"}})


def is_accepted(life: Life) -> None:
    """Tell that the shop will deliver."""
    life.do("Accept")


def is_rejected(life: Life) -> None:
    """Tell that the shop cannot deliver there."""
    life.do("Reject", {"reason": "We do not deliver to this address."})


def is_withdrawn(life: Life) -> None:
    """Tell that the customer changed their mind at once."""
    life.cancel("Ordered by mistake.")


def is_given_up(life: Life) -> None:
    """Tell that the customer never came back to pay."""
    life.do("Expire")


def awaits_payment(life: Life) -> None:
    """Tell that the payment provider has not answered yet."""
    life.do("Accept")
    life.ask("p-1", life.open_minor)


def cannot_pay(life: Life) -> None:
    """Tell that the payment provider said no."""
    life.do("Accept")
    life.fail_to_pay("p-1", life.open_minor)


def pays_at_second_try(life: Life) -> None:
    """Tell that the first card was refused, the second was good."""
    life.do("Accept")
    life.fail_to_pay("p-0", life.open_minor)
    life.authorise("p-1", life.open_minor)


def has_half_set_aside(life: Life) -> None:
    """Tell that the card's limit was reached."""
    life.do("Accept")
    life.authorise("p-1", life.open_minor, life.open_minor // 2)


def waited_too_long(life: Life) -> None:
    """Tell that the money was set aside for a week and is free again."""
    life.do("Accept")
    life.authorise("p-1", life.open_minor)
    life.do("ExpireAuthorisation", {"payment_id": "p-1"})


def has_paid_half(life: Life) -> None:
    """Tell that half of the money was taken."""
    life.do("Accept")
    life.authorise("p-1", life.total_minor)
    life.capture("p-1", "c-1", life.total_minor // 2)


def has_paid(life: Life) -> None:
    """Tell that all of the money was taken, at the second attempt."""
    life.do("Accept")
    life.authorise("p-1", life.total_minor)
    life.fail_to_capture("p-1", "c-0", life.total_minor)
    _is_captured(life)


def has_paid_too_much(life: Life) -> None:
    """Tell that the payment provider took more than it was asked for."""
    life.do("Accept")
    life.authorise("p-1", life.total_minor)
    life.capture("p-1", "c-1", life.total_minor, life.total_minor + 100)


def _is_captured(life: Life) -> None:
    life.capture("p-1", "c-1", life.open_minor)


def _pays_all(life: Life) -> None:
    life.do("Accept")
    life.authorise("p-1", life.open_minor)
    _is_captured(life)


def is_short_of_stock(life: Life) -> None:
    """Tell that one sort of goods is on the shelf and another comes later."""
    _pays_all(life)
    here, later = list(life.pieces.items())[:2]
    life.do("RecordAllocation", {"lines": [{"line_id": here[0], "quantity": here[1]}]})
    life.do("RecordBackorder", {"lines": [{"line_id": later[0], "quantity": later[1]}]})


def is_packed(life: Life) -> None:
    """Tell that the parcel stands in the house."""
    _pays_all(life)
    life.pack("s-1", life.pieces)


def is_packed_anew(life: Life) -> None:
    """Tell that the parcel was too small and everything is free again."""
    is_packed(life)
    life.do("CancelShipment", {"shipment_id": "s-1"})


def is_checked_for_fraud(life: Life) -> None:
    """Tell that the parcel stands in the house and must not leave."""
    is_packed(life)
    life.do("Hold", {"hold_id": "h-1", "kind": "fraud", "reason": "Two cards in a minute."})


def has_left_in_part(life: Life) -> None:
    """Tell that one piece of each line is on its way."""
    _pays_all(life)
    life.ship("s-1", dict.fromkeys(life.pieces, 1))


def has_left(life: Life) -> None:
    """Tell that everything is on its way, after a hold that came to nothing."""
    _pays_all(life)
    life.do("Hold", {"hold_id": "h-1", "kind": "address"})
    life.do("ReleaseHold", {"hold_id": "h-1"})
    life.ship("s-1", life.pieces)
    tracking = {"tracking_number": "TRACK-s-1", "status": "in transit"}
    life.do("UpdateTracking", {"shipment_id": "s-1", **tracking})


def has_arrived(life: Life) -> None:
    """Tell the usual story to its end."""
    has_left(life)
    life.arrive("s-1", 2)
    life.do("Complete")


def is_put_away(life: Life) -> None:
    """Tell the usual story, and that it was long ago."""
    has_arrived(life)
    life.do("Archive")
    life.do("EraseCustomerData")


def arrives_in_two_parcels(life: Life) -> None:
    """Tell that the first parcel has arrived, the second is on its way."""
    has_left_in_part(life)
    life.arrive("s-1", 2)
    life.ship("s-2", {line_id: count - 1 for line_id, count in life.pieces.items()})


def nobody_was_at_home(life: Life) -> None:
    """Tell that the parcel comes back to the depot."""
    has_left(life)
    life.do("RecordDeliveryFailure", {"shipment_id": "s-1", "reason": "Nobody at home."})


def loses_a_line(life: Life) -> None:
    """Tell that one sort of goods was out of stock; the rest has arrived."""
    life.do("Accept")
    life.authorise("p-1", life.open_minor)
    gone, count = next(iter(life.pieces.items()))
    life.cancel_lines({gone: count}, "Out of stock.")
    life.ship("s-1", life.pieces)
    life.arrive("s-1", 3)


def loses_all_lines(life: Life) -> None:
    """Tell that line by line everything was cancelled, and so the order ended."""
    life.do("Accept")
    for line_id, count in life.pieces.items():
        life.cancel_lines({line_id: count})


def is_cancelled_after_authorisation(life: Life) -> None:
    """Tell that money was set aside, nothing had left, and the money is free again."""
    life.do("Accept")
    life.authorise("p-1", life.open_minor)
    life.cancel("Delivery takes too long.")
    life.do("VoidAuthorisation", {"payment_id": "p-1"})


def wants_a_spoon_too(life: Life) -> None:
    """Tell that the order was changed: twice in vain, then it grew by a spoon."""
    life.do("Accept")
    first = next(iter(life.pieces))
    fewer = {"quantities": [{"line_id": first, "quantity": 1}]}
    for amendment, answer in (("a-1", "DeclineAmendment"), ("a-2", "WithdrawAmendment")):
        life.do("ProposeAmendment", {"amendment_id": amendment, "changes": fewer})
        life.do(answer, {"amendment_id": amendment})
    life.amend("a-3", "spoon", _SPOON)


def comes_back_in_part(life: Life) -> None:
    """Tell that one piece came back, and its money at the second attempt."""
    _comes_back(life, 1)
    life.do("Complete")


def comes_back_whole(life: Life) -> None:
    """Tell that one sort of goods came back; its money has not."""
    _has_arrived(life)
    first, count = next(iter(life.pieces.items()))
    life.take_back("e-1", {first: count}, "Another shade of white.")


def _has_arrived(life: Life) -> None:
    _pays_all(life)
    life.ship("s-1", life.pieces)
    life.arrive("s-1", 2)


def _comes_back(life: Life, count: int) -> None:
    _has_arrived(life)
    worth = life.take_back("e-1", {next(iter(life.pieces)): count}, "Chipped.")
    life.fail_to_refund("p-1", "f-0", worth)
    life.refund("p-1", "f-1", worth)


def may_not_come_back(life: Life) -> None:
    """Tell that the shop does not take tea back that was opened."""
    _has_arrived(life)
    life.ask_to_return("e-1", {next(iter(life.pieces)): 1}, "Too bitter.")
    life.do("RejectReturn", {"return_id": "e-1", "reason": "The packet was opened."})


def is_about_to_come_back(life: Life) -> None:
    """Tell that a return waits for its answer."""
    _has_arrived(life)
    life.ask_to_return("e-1", {next(iter(life.pieces)): 1}, "A present, and one too many.")


def is_charged_back(life: Life) -> None:
    """Tell that the customer's bank took all of the money back."""
    _has_arrived(life)
    life.charge_back("p-1", life.total_minor)


STORIES: tuple[Story, ...] = (
    has_arrived,
    waits,
    is_accepted,
    has_paid,
    has_left,
    is_rejected,
    comes_back_in_part,
    awaits_payment,
    has_left_in_part,
    is_withdrawn,
    pays_at_second_try,
    is_asked_about,
    wants_a_spoon_too,
    has_half_set_aside,
    has_paid_half,
    arrives_in_two_parcels,
    is_short_of_stock,
    cannot_pay,
    loses_a_line,
    is_about_to_come_back,
    has_paid_too_much,
    is_packed,
    is_checked_for_fraud,
    loses_all_lines,
    is_cancelled_after_authorisation,
    comes_back_whole,
    is_given_up,
    is_packed_anew,
    is_put_away,
    nobody_was_at_home,
    may_not_come_back,
    waited_too_long,
    is_charged_back,
)
