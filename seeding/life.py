"""The life of one order: what is done to it, and what it then comes to.

The sums are reckoned here from docs/orders.md, apart from the service on purpose: what it serves is
held against them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from domain.pricing import allocate, value_of
from seeding.orders import Expected, SeedOrder, Sums, commands, order_id, utc

Step: TypeAlias = tuple[str, Mapping[str, Any]]
Pieces: TypeAlias = Mapping[str, int]


@dataclass(slots=True)
class Goods:
    """What is left of one line: pieces that stay with the customer, and what they are worth."""

    pieces: int
    worth_minor: int

    def take(self, pieces: int) -> int:
        """Take pieces away; return what they were worth."""
        taken = value_of(pieces, of_pieces=self.pieces, worth_minor=self.worth_minor)
        self.pieces -= pieces
        self.worth_minor -= taken
        return taken


class Life:
    """Begins with PlaceOrder. Every method is one or more commands; `sums` follows them.

    `steps` are the commands so far and `pages` the sums after each of them, so a life can be told
    up to any of its steps.
    """

    def __init__(self, placed: Mapping[str, Any]) -> None:
        """Place an order with this data, `placed_at` among it."""
        self.currency = placed["currency"]
        self.placed_at = datetime.fromisoformat(placed["placed_at"])
        self.goods = _goods(placed)
        self.authorised_minor = 0  # What the last payment set aside.
        self.steps: list[Step] = []
        self.pages: list[Sums] = []
        self.total_minor = sum(line.worth_minor for line in self.goods.values())
        self.total_minor += placed.get("shipping", {}).get("price_minor", 0)
        pieces = sum(line.pieces for line in self.goods.values())
        self._sums = Sums(1, len(self.goods), pieces, self.total_minor, open_minor=self.total_minor)
        self.do("PlaceOrder", placed)

    @property
    def open_minor(self) -> int:
        """What the customer still owes."""
        return self._sums.open_minor

    @property
    def captured_minor(self) -> int:
        """What was taken."""
        return self._sums.captured_minor

    @property
    def refunded_minor(self) -> int:
        """What the shop gave back."""
        return self._sums.refunded_minor

    @property
    def pieces(self) -> dict[str, int]:
        """What the customer is to have, by line id."""
        return {line_id: line.pieces for line_id, line in self.goods.items() if line.pieces}

    def do(self, command: str, data: Mapping[str, Any] | None = None) -> None:
        """Send one command; the sums are what they are now."""
        self.steps.append((command, data or {}))
        self.pages.append(self._sums)

    def told(self, dataset: str, name: str, steps: int | None = None) -> SeedOrder:
        """Return the order with its first `steps` commands (None: all), and what it comes to."""
        count = len(self.steps) if steps is None else steps
        return SeedOrder(
            name,
            order_id(dataset, name),
            commands(dataset, name, self.steps[:count]),
            Expected(self.currency, self.placed_at, self.total_minor, self.pages[count - 1]),
        )

    def _book(self, *, captured: int = 0, back: int = 0, worth: int = 0, refunded: int = 0) -> None:
        """Note money taken, money given `back` (of it `refunded` by us), and goods that are gone.

        What the customer's bank takes back is given back too, but not refunded.
        """
        before = self._sums
        self._sums = replace(
            before,
            captured_minor=before.captured_minor + captured,
            refunded_minor=before.refunded_minor + refunded,
            open_minor=before.open_minor - captured + back - worth,
        )

    def authorise(self, payment: str, asked: int, told: int | None = None) -> None:
        """Ask for money to be set aside, and hear that it was."""
        self.ask(payment, asked)
        self.authorised_minor = asked if told is None else told
        fact = {"psp_reference": f"psp-{payment}-a", "amount_minor": self.authorised_minor}
        self.do("RecordAuthorisation", {"payment_id": payment, **fact})

    def ask(self, payment: str, amount: int) -> None:
        """Ask for money to be set aside."""
        asked = {"payment_id": payment, "amount_minor": amount, "method": "card"}
        self.do("RequestAuthorisation", asked)

    def fail_to_pay(self, payment: str, amount: int) -> None:
        """Ask for money, and hear no."""
        self.ask(payment, amount)
        failure = {"psp_reference": f"psp-{payment}-f", "reason": "insufficient funds"}
        self.do("RecordAuthorisationFailure", {"payment_id": payment, **failure})

    def fail_to_capture(self, payment: str, capture: str, amount: int) -> None:
        """Ask for the money that is set aside, and hear that it could not be taken."""
        asked = {"payment_id": payment, "capture_id": capture}
        self.do("RequestCapture", {**asked, "amount_minor": amount})
        failure = {"psp_reference": f"psp-{capture}-f", "reason": "try again later"}
        self.do("RecordCaptureFailure", {**asked, **failure})

    def capture(self, payment: str, capture: str, asked: int, told: int | None = None) -> None:
        """Ask for the money that is set aside, and hear that it was taken."""
        taken = asked if told is None else told
        which = {"payment_id": payment, "capture_id": capture}
        self.do("RequestCapture", {**which, "amount_minor": asked})
        self._book(captured=taken)
        self.do(
            "RecordCapture", {**which, "psp_reference": f"psp-{capture}", "amount_minor": taken}
        )

    def hear_again(self) -> None:
        """Hear the last fact once more, as webhooks do; nothing may be counted twice."""
        self.do(*self.steps[-1])

    def fail_to_refund(self, payment: str, refund: str, amount: int) -> None:
        """Ask for money to be given back, and hear that it could not."""
        self._ask_back(payment, refund, amount)
        failure = {"psp_reference": f"psp-{refund}-f", "reason": "account closed"}
        self.do("RecordRefundFailure", {"refund_id": refund, **failure})

    def refund(self, payment: str, refund: str, amount: int) -> None:
        """Ask for money to be given back, and hear that it was."""
        self._ask_back(payment, refund, amount)
        self._book(back=amount, refunded=amount)
        fact = {"psp_reference": f"psp-{refund}", "amount_minor": amount}
        self.do("RecordRefund", {"refund_id": refund, **fact})

    def _ask_back(self, payment: str, refund: str, amount: int) -> None:
        asked = {"refund_id": refund, "payment_id": payment, "amount_minor": amount}
        self.do("RequestRefund", asked)

    def charge_back(self, payment: str, amount: int) -> None:
        """Hear that the customer's bank took money back."""
        self._book(back=amount)
        fact = {"psp_reference": f"psp-{payment}-b", "amount_minor": amount}
        self.do("RecordChargeback", {"payment_id": payment, **fact})

    def cancel_lines(self, pieces: Pieces, reason: str | None = None) -> None:
        """Take pieces out; with the last of them the order ends, and is owed nothing for."""
        worth = sum(self.goods[line_id].take(count) for line_id, count in pieces.items())
        self._book(worth=worth if self.pieces else self._due_minor())
        self.do("CancelLines", {"lines": _lines(pieces), "reason": reason})

    def cancel(self, reason: str | None = None) -> None:
        """End it all; nothing has left."""
        self._book(worth=self._due_minor())
        self.do("Cancel", {"reason": reason})

    def _due_minor(self) -> int:
        """Return what the goods cost that are left, as long as no money was given back."""
        return self._sums.open_minor + self._sums.captured_minor

    def amend(self, amendment: str, line_id: str, line: Mapping[str, Any]) -> None:
        """Add one more line, discounts and taxes apart."""
        value = line["quantity"] * line["unit_price_minor"]
        changes = {"add_lines": [{"line_id": line_id, **line}]}
        self.do("ProposeAmendment", {"amendment_id": amendment, "changes": changes})
        self.goods[line_id] = Goods(line["quantity"], value)
        before = self._sums
        self._sums = replace(
            before,
            lines=before.lines + 1,
            pieces=before.pieces + line["quantity"],
            total_minor=before.total_minor + value,
            open_minor=before.open_minor + value,
        )
        self.do("ApproveAmendment", {"amendment_id": amendment})

    def pack(self, shipment: str, pieces: Pieces) -> None:
        """Put a parcel together."""
        parcel = {"shipment_id": shipment, "lines": _lines(pieces), "carrier": "Post"}
        self.do("CreateShipment", parcel)

    def ship(self, shipment: str, pieces: Pieces) -> None:
        """Put a parcel together and let it leave."""
        self.pack(shipment, pieces)
        sent = {"shipment_id": shipment, "tracking_number": f"TRACK-{shipment}"}
        self.do("DispatchShipment", sent)

    def arrive(self, shipment: str, days: int) -> None:
        """Hear that a parcel arrived so many days after the order was placed."""
        delivered_at = utc(self.placed_at + timedelta(days=days))
        self.do("RecordDelivery", {"shipment_id": shipment, "delivered_at": delivered_at})

    def ask_to_return(self, return_id: str, pieces: Pieces, reason: str) -> None:
        """Ask to send pieces back."""
        asked = {"return_id": return_id, "lines": _lines(pieces), "reason": reason}
        self.do("RequestReturn", asked)

    def take_back(self, return_id: str, pieces: Pieces, reason: str) -> int:
        """Let pieces come back, all of a return; return what they were worth."""
        self.ask_to_return(return_id, pieces, reason)
        self.do("ApproveReturn", {"return_id": return_id})
        worth = sum(self.goods[line_id].take(count) for line_id, count in pieces.items())
        self._book(worth=worth)
        received = [{**line, "condition": "as new", "restock": True} for line in _lines(pieces)]
        self.do("ReceiveReturnItems", {"return_id": return_id, "lines": received})
        self.do("CloseReturn", {"return_id": return_id})
        return worth


def _lines(pieces: Pieces) -> list[dict[str, Any]]:
    return [{"line_id": line_id, "quantity": count} for line_id, count in pieces.items()]


def _goods(placed: Mapping[str, Any]) -> dict[str, Goods]:
    """Return the lines with their totals, the order's own discounts spread over them."""
    lines = {line.get("line_id") or str(at): line for at, line in enumerate(placed["lines"], 1)}
    off = dict.fromkeys([*lines, None], 0)
    for discount in placed.get("discounts", ()):
        off[discount.get("line_id")] += discount["amount_minor"]
    values = [
        line["quantity"] * line["unit_price_minor"] - off[line_id]
        for line_id, line in lines.items()
    ]
    shares = allocate(off[None], values)
    added = [
        sum(tax["amount_minor"] for tax in line.get("taxes", ()) if not tax["included"])
        for line in lines.values()
    ]
    return {
        line_id: Goods(line["quantity"], value - share + tax)
        for (line_id, line), value, share, tax in zip(
            lines.items(), values, shares, added, strict=True
        )
    }
