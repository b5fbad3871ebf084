"""What happens to the demo orders after they were placed: one small function per story."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from seeding.orders import utc

Step: TypeAlias = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Sold:
    """What a story needs to know: pieces by line id (at least two lines, two pieces each)."""

    quantities: Mapping[str, int]
    total_minor: int
    placed_at: datetime


Story: TypeAlias = Callable[[Sold], list[Step]]

ACCEPT: Step = ("Accept", {})


def waits(_sold: Sold) -> list[Step]:
    """Tell that nobody has looked at it yet."""
    return []


def is_asked_about(_sold: Sold) -> list[Step]:
    """Tell that the customer called."""
    return [
        ("AddNote", {"note_id": "1", "text": "Please ring twice, the bell is quiet."}),
        ("AddNote", {"note_id": "2", "text": "Gift: no invoice in the parcel."}),
    ]


def is_accepted(_sold: Sold) -> list[Step]:
    """Tell that the shop will deliver."""
    return [ACCEPT]


def is_rejected(_sold: Sold) -> list[Step]:
    """Tell that the shop cannot deliver there."""
    return [("Reject", {"reason": "We do not deliver to this address."})]


def is_withdrawn(_sold: Sold) -> list[Step]:
    """Tell that the customer changed their mind at once."""
    return [("Cancel", {"reason": "Ordered by mistake."})]


def _pays(
    sold: Sold, *, authorised: int | None = None, captured: int | None = None, payment: str = "p-1"
) -> list[Step]:
    """Ask for the whole total; `authorised` and `captured` minor units follow where given."""
    asked = {"payment_id": payment, "amount_minor": sold.total_minor, "method": "card"}
    steps: list[Step] = [("RequestAuthorisation", asked)]
    if authorised is not None:
        told = {"psp_reference": f"psp-{payment}-a", "amount_minor": authorised}
        steps.append(("RecordAuthorisation", {"payment_id": payment, **told}))
    if captured is not None:
        capture = {"payment_id": payment, "capture_id": f"{payment}-c"}
        asked_minor = min(captured, authorised or 0)
        steps.append(("RequestCapture", {**capture, "amount_minor": asked_minor}))
        taken = {"psp_reference": f"psp-{payment}-c", "amount_minor": captured}
        steps.append(("RecordCapture", {**capture, **taken}))
    return steps


def _pays_all(sold: Sold) -> list[Step]:
    return _pays(sold, authorised=sold.total_minor, captured=sold.total_minor)


def _fails(sold: Sold, payment: str) -> list[Step]:
    failure = {
        "payment_id": payment,
        "psp_reference": f"psp-{payment}-f",
        "reason": "insufficient funds",
    }
    return [*_pays(sold, payment=payment), ("RecordAuthorisationFailure", failure)]


def awaits_payment(sold: Sold) -> list[Step]:
    """Tell that the payment provider has not answered yet."""
    return [ACCEPT, *_pays(sold)]


def cannot_pay(sold: Sold) -> list[Step]:
    """Tell that the payment provider said no."""
    return [ACCEPT, *_fails(sold, "p-1")]


def pays_at_second_try(sold: Sold) -> list[Step]:
    """Tell that the first card was refused, the second was good."""
    return [ACCEPT, *_fails(sold, "p-0"), *_pays(sold, authorised=sold.total_minor)]


def has_half_set_aside(sold: Sold) -> list[Step]:
    """Tell that the card's limit was reached."""
    return [ACCEPT, *_pays(sold, authorised=sold.total_minor // 2)]


def has_paid_half(sold: Sold) -> list[Step]:
    """Tell that half of the money was taken."""
    return [ACCEPT, *_pays(sold, authorised=sold.total_minor, captured=sold.total_minor // 2)]


def has_paid(sold: Sold) -> list[Step]:
    """Tell that all of the money was taken."""
    return [ACCEPT, *_pays_all(sold)]


def has_paid_too_much(sold: Sold) -> list[Step]:
    """Tell that the payment provider took more than it was asked for."""
    return [ACCEPT, *_pays(sold, authorised=sold.total_minor, captured=sold.total_minor + 100)]


def _ships(shipment: str, pieces: Mapping[str, int]) -> list[Step]:
    lines = [{"line_id": line_id, "quantity": quantity} for line_id, quantity in pieces.items()]
    sent = {"shipment_id": shipment, "tracking_number": f"TRACK-{shipment}"}
    return [
        ("CreateShipment", {"shipment_id": shipment, "lines": lines, "carrier": "Post"}),
        ("DispatchShipment", sent),
    ]


def _arrives(sold: Sold, shipment: str, days: int) -> Step:
    delivered_at = utc(sold.placed_at + timedelta(days=days))
    return ("RecordDelivery", {"shipment_id": shipment, "delivered_at": delivered_at})


def is_packed(sold: Sold) -> list[Step]:
    """Tell that the parcel stands in the house."""
    return [ACCEPT, *_pays_all(sold), _ships("s-1", sold.quantities)[0]]


def has_left_in_part(sold: Sold) -> list[Step]:
    """Tell that one piece of each line is on its way."""
    return [ACCEPT, *_pays_all(sold), *_ships("s-1", dict.fromkeys(sold.quantities, 1))]


def has_left(sold: Sold) -> list[Step]:
    """Tell that everything is on its way."""
    return [ACCEPT, *_pays_all(sold), *_ships("s-1", sold.quantities)]


def has_arrived(sold: Sold) -> list[Step]:
    """Tell the usual story."""
    return [*has_left(sold), _arrives(sold, "s-1", 2)]


def arrives_in_two_parcels(sold: Sold) -> list[Step]:
    """Tell that the first parcel has arrived, the second is on its way."""
    rest = {line_id: quantity - 1 for line_id, quantity in sold.quantities.items()}
    return [*has_left_in_part(sold), _arrives(sold, "s-1", 2), *_ships("s-2", rest)]


def loses_a_line(sold: Sold) -> list[Step]:
    """Tell that one sort of goods was out of stock; the rest has arrived."""
    gone = next(iter(sold.quantities))
    lines = [{"line_id": gone, "quantity": sold.quantities[gone]}]
    rest = {line_id: q for line_id, q in sold.quantities.items() if line_id != gone}
    return [
        ACCEPT,
        *_pays(sold, authorised=sold.total_minor),
        ("CancelLines", {"lines": lines, "reason": "Out of stock."}),
        *_ships("s-1", rest),
        _arrives(sold, "s-1", 3),
    ]


def loses_all_lines(sold: Sold) -> list[Step]:
    """Tell that line by line everything was cancelled, and so the order ended."""
    return [
        ACCEPT,
        *(
            ("CancelLines", {"lines": [{"line_id": line_id, "quantity": quantity}]})
            for line_id, quantity in sold.quantities.items()
        ),
    ]


def is_cancelled_after_authorisation(sold: Sold) -> list[Step]:
    """Tell that money was set aside, nothing had left."""
    return [
        ACCEPT,
        *_pays(sold, authorised=sold.total_minor),
        ("Cancel", {"reason": "Delivery takes too long."}),
    ]


STORIES: tuple[Story, ...] = (
    has_arrived,
    waits,
    is_accepted,
    has_paid,
    has_left,
    is_rejected,
    awaits_payment,
    has_left_in_part,
    is_withdrawn,
    pays_at_second_try,
    is_asked_about,
    has_half_set_aside,
    has_paid_half,
    arrives_in_two_parcels,
    cannot_pay,
    loses_a_line,
    has_paid_too_much,
    is_packed,
    loses_all_lines,
    is_cancelled_after_authorisation,
)
