"""The state of one order: what some rule reads, and nothing that is only for display."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from domain.statuses import Lifecycle, Money
from domain.values import (
    Address,
    Contact,
    Discount,
    Line,
    LineQuantity,
    PlacedLine,
    Sealed,
    Shipping,
)


class PspFact(Enum):
    """The kinds of facts that a PSP tells; with payment and reference they make a fact unique."""

    AUTHORISED = auto()
    AUTHORISATION_FAILED = auto()
    CAPTURED = auto()
    CAPTURE_FAILED = auto()
    REFUNDED = auto()
    REFUND_FAILED = auto()
    CHARGED_BACK = auto()


class ShipmentStage(Enum):
    """How far a parcel has come; `ENDED`: it will not leave. `FAILED`: it left, nobody took it."""

    CREATED = auto()
    DISPATCHED = auto()
    FAILED = auto()
    DELIVERED = auto()
    ENDED = auto()


class ReturnStage(Enum):
    """How far a return has come."""

    REQUESTED = auto()
    APPROVED = auto()
    REJECTED = auto()
    CLOSED = auto()


class AmendmentStage(Enum):
    """What became of a proposal."""

    OPEN = auto()
    APPLIED = auto()
    DECLINED = auto()
    WITHDRAWN = auto()


@dataclass(frozen=True, slots=True)
class Draft:
    """An order that is still being put together; lines and discounts by their ids."""

    lines: Mapping[str, Line] = field(default_factory=dict)
    discounts: Mapping[str, Discount] = field(default_factory=dict)
    shipping: Shipping | None = None
    ship_to: Address | Sealed | None = None
    bill_to: Address | Sealed | None = None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line: what it was placed as, and how many of its pieces went which way.

    `cancelled_minor` and `returned_minor` are what those pieces were worth of the line's total.
    `delivered_before` pieces had arrived before the order was imported.
    """

    placed: PlacedLine
    cancelled: int = 0
    cancelled_minor: int = 0
    returned: int = 0
    returned_minor: int = 0
    delivered_before: int = 0
    allocated: int = 0
    backordered: int = 0

    @property
    def ordered(self) -> int:
        """Pieces that were ordered, cancelled ones included."""
        return self.placed.quantity


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture id: what was asked for and what was taken; None: not (yet)."""

    requested_minor: int | None = None
    captured_minor: int | None = None
    has_failed: bool = False

    @property
    def open_minor(self) -> int:
        """What may still be taken: the request, until the PSP has told what became of it."""
        is_answered = self.captured_minor is not None or self.has_failed
        return 0 if is_answered else self.requested_minor or 0


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment; `requested_minor` None: known from its PSP facts only.

    `authorised_minor` is what is set aside now, captured money included; what expired or was
    voided is not in it any more.
    """

    requested_minor: int | None = None
    method: str | None = None
    authorised_minor: int = 0
    captured_minor: int = 0
    charged_back_minor: int = 0
    facts: Mapping[tuple[PspFact, str], int] = field(default_factory=dict)
    captures: Mapping[str, Capture] = field(default_factory=dict)

    @property
    def capture_open_minor(self) -> int:
        """Asked for, and not yet told of by the PSP."""
        return sum(capture.open_minor for capture in self.captures.values())

    @property
    def releasable_minor(self) -> int:
        """Set aside and not taken."""
        return max(0, self.authorised_minor - self.captured_minor)


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund id; `requested_minor` None: known from its PSP facts only."""

    payment_id: str | None = None
    requested_minor: int | None = None
    reason: str | None = None
    refunded_minor: int | None = None
    has_failed: bool = False

    @property
    def open_minor(self) -> int:
        """What may still be given back: the request, until the PSP has answered it."""
        is_answered = self.refunded_minor is not None or self.has_failed
        return 0 if is_answered else self.requested_minor or 0


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason why nothing leaves the house."""

    kind: str
    reason: str | None
    is_released: bool = False


@dataclass(frozen=True, slots=True)
class Amendment:
    """A proposal: these lines would be as given."""

    lines: tuple[PlacedLine, ...]
    difference_minor: int
    reason: str | None
    stage: AmendmentStage = AmendmentStage.OPEN


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel; `pieces` by line id. `tracking` is the carrier's last word: number, status."""

    pieces: Mapping[str, int]
    carrier: str | None
    stage: ShipmentStage = ShipmentStage.CREATED
    tracking_number: str | None = None
    tracking: tuple[str, str | None] | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """Pieces that are to come back, and those that have, by line id."""

    pieces: Mapping[str, int]
    reason: str | None
    stage: ReturnStage = ReturnStage.REQUESTED
    received: Mapping[str, int] = field(default_factory=dict)

    def outstanding(self, line_id: str) -> int:
        """Count the pieces of a line that may still come back with this return."""
        if self.stage in {ReturnStage.REJECTED, ReturnStage.CLOSED}:
            return 0
        return self.pieces.get(line_id, 0) - self.received.get(line_id, 0)


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its rules see it; `lifecycle` None: there is no such order (yet)."""

    lifecycle: Lifecycle | None = None
    customer_id: str = ""
    currency: str = ""
    total_minor: int = 0
    cancelled_minor: int = 0
    returned_minor: int = 0
    contact: Contact | Sealed | None = None
    is_erased: bool = False
    draft: Draft = field(default_factory=Draft)
    lines: Mapping[str, OrderLine] = field(default_factory=dict)
    payments: Mapping[str, Payment] = field(default_factory=dict)
    refunds: Mapping[str, Refund] = field(default_factory=dict)
    refund_facts: Mapping[tuple[PspFact, str | None, str], int] = field(default_factory=dict)
    shipments: Mapping[str, Shipment] = field(default_factory=dict)
    returns: Mapping[str, Return] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    amendments: Mapping[str, Amendment] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def authorised_minor(self) -> int:
        """Set aside by the PSP, over all payments."""
        return sum(payment.authorised_minor for payment in self.payments.values())

    @property
    def captured_minor(self) -> int:
        """Taken by the PSP, over all payments."""
        return sum(payment.captured_minor for payment in self.payments.values())

    @property
    def refunded_minor(self) -> int:
        """Given back by the PSP, over all refunds."""
        return sum(refund.refunded_minor or 0 for refund in self.refunds.values())

    @property
    def money(self) -> Money:
        """The order's sums."""
        return Money(
            self.total_minor,
            self.cancelled_minor,
            self.returned_minor,
            self.authorised_minor,
            self.captured_minor,
            self.refunded_minor,
            sum(payment.charged_back_minor for payment in self.payments.values()),
        )

    @property
    def is_held(self) -> bool:
        """Tell whether some hold was not released."""
        return any(not hold.is_released for hold in self.holds.values())

    @property
    def open_amendment(self) -> Amendment | None:
        """The one proposal that nobody has answered; at most one (invariant I7)."""
        is_open = (a for a in self.amendments.values() if a.stage is AmendmentStage.OPEN)
        return next(is_open, None)

    def in_shipments(self, line_id: str) -> int:
        """Count the pieces of a line that are in a shipment or have left, in one or before."""
        return self.lines[line_id].delivered_before + sum(
            shipment.pieces.get(line_id, 0)
            for shipment in self.shipments.values()
            if shipment.stage is not ShipmentStage.ENDED
        )

    def delivered(self, line_id: str) -> int:
        """Count the pieces of a line that have arrived, returned ones included."""
        return self.lines[line_id].delivered_before + sum(
            shipment.pieces.get(line_id, 0)
            for shipment in self.shipments.values()
            if shipment.stage is ShipmentStage.DELIVERED
        )

    def free(self, line_id: str) -> int:
        """Count the pieces of a known line that are neither cancelled nor in a shipment."""
        line = self.lines[line_id]
        return line.ordered - line.cancelled - self.in_shipments(line_id)


def pieces_of(lines: Iterable[LineQuantity]) -> Mapping[str, int]:
    """Add pieces up by line id."""
    pieces: dict[str, int] = {}
    for line in lines:
        pieces[line.line_id] = pieces.get(line.line_id, 0) + line.quantity
    return pieces
