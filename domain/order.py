"""The state of one order: what some rule reads, folded from its events. It decides nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from domain.events import (
    CaptureRequested,
    LinesCancelled,
    NoteAdded,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderPlaced,
    OrderRejected,
    PaymentAuthorisationFailed,
    PaymentAuthorisationRequested,
    PaymentAuthorised,
    PaymentCaptured,
    ShipmentCreated,
    ShipmentDelivered,
    ShipmentDispatched,
)
from domain.pricing import order_total
from domain.statuses import Lifecycle
from domain.values import LineQuantity


class PspFact(Enum):
    """The kinds of facts that a PSP tells; with payment and reference they make a fact unique."""

    AUTHORISED = auto()
    AUTHORISATION_FAILED = auto()
    CAPTURED = auto()


class ShipmentStage(Enum):
    """How far a parcel has come; `ENDED`: its order was cancelled before it left."""

    CREATED = auto()
    DISPATCHED = auto()
    DELIVERED = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class OrderLine:
    """The pieces of one line and what all of them cost together."""

    ordered: int
    total_minor: int
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture id: what was asked for and what was taken; None: not (yet)."""

    requested_minor: int | None = None
    captured_minor: int | None = None

    @property
    def open_minor(self) -> int:
        """What may still be taken: the request, until the PSP has told what it took."""
        return (self.requested_minor or 0) if self.captured_minor is None else 0


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment; `requested_minor` None: known from its PSP facts only."""

    requested_minor: int | None = None
    method: str | None = None
    authorised_minor: int = 0
    captured_minor: int = 0
    facts: Mapping[tuple[PspFact, str], int] = field(default_factory=dict)
    captures: Mapping[str, Capture] = field(default_factory=dict)

    @property
    def capture_open_minor(self) -> int:
        """Asked for, and not yet told of by the PSP."""
        return sum(capture.open_minor for capture in self.captures.values())


@dataclass(frozen=True, slots=True)
class Shipment:
    """One parcel; `pieces` by line id."""

    pieces: Mapping[str, int]
    carrier: str | None
    stage: ShipmentStage = ShipmentStage.CREATED
    tracking_number: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order as its rules see it; `lifecycle` None: there is no such order (yet)."""

    lifecycle: Lifecycle | None = None
    customer_id: str = ""
    currency: str = ""
    total_minor: int = 0
    cancelled_minor: int = 0
    lines: Mapping[str, OrderLine] = field(default_factory=dict)
    payments: Mapping[str, Payment] = field(default_factory=dict)
    shipments: Mapping[str, Shipment] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def authorised_minor(self) -> int:
        """Set aside by the PSP, over all payments."""
        return sum(payment.authorised_minor for payment in self.payments.values())

    @property
    def captured_minor(self) -> int:
        """Taken by the PSP, over all payments."""
        return sum(payment.captured_minor for payment in self.payments.values())

    def in_shipments(self, line_id: str) -> int:
        """Count the pieces of a line that are in a shipment or have left in one."""
        return sum(
            shipment.pieces.get(line_id, 0)
            for shipment in self.shipments.values()
            if shipment.stage is not ShipmentStage.ENDED
        )

    def free(self, line_id: str) -> int:
        """Count the pieces of a known line that are neither cancelled nor in a shipment."""
        line = self.lines[line_id]
        return line.ordered - line.cancelled - self.in_shipments(line_id)


def evolve(state: Order, event: OrderEvent) -> Order:  # noqa: C901, PLR0912
    """Apply one fact. Total: what happened, happened, so this never raises and never validates."""
    match event:
        case OrderPlaced():
            return _placed(state, event)
        case OrderAccepted():
            return replace(state, lifecycle=Lifecycle.ACCEPTED)
        case OrderRejected():
            return replace(state, lifecycle=Lifecycle.REJECTED)
        case OrderCancelled(amount_minor=amount_minor):
            return _cancelled(state, amount_minor)
        case LinesCancelled(lines=lines, amount_minor=amount_minor):
            return _lines_cancelled(state, lines, amount_minor)
        case NoteAdded(note_id=note_id, text=text):
            return replace(state, notes={**state.notes, note_id: text})
        case PaymentAuthorisationRequested():
            payment = state.payments.get(event.payment_id, Payment())
            requested = replace(payment, requested_minor=event.amount_minor, method=event.method)
            return _with_payment(state, event.payment_id, requested)
        case PaymentAuthorised(payment_id=payment_id, psp_reference=reference):
            return _with_fact(
                state, payment_id, (PspFact.AUTHORISED, reference), event.amount_minor
            )
        case PaymentAuthorisationFailed(payment_id=payment_id, psp_reference=reference):
            return _with_fact(state, payment_id, (PspFact.AUTHORISATION_FAILED, reference), 0)
        case CaptureRequested():
            return _capture_requested(state, event)
        case PaymentCaptured():
            return _captured(state, event)
        case ShipmentCreated(shipment_id=shipment_id, lines=lines, carrier=carrier):
            return _with_shipment(state, shipment_id, Shipment(pieces_of(lines), carrier))
        case ShipmentDispatched(shipment_id=shipment_id, tracking_number=tracking_number):
            return _moved(state, shipment_id, ShipmentStage.DISPATCHED, tracking_number)
        case ShipmentDelivered(shipment_id=shipment_id):
            return _moved(state, shipment_id, ShipmentStage.DELIVERED, None)


def pieces_of(lines: Iterable[LineQuantity]) -> Mapping[str, int]:
    """Add pieces up by line id."""
    pieces: dict[str, int] = {}
    for line in lines:
        pieces[line.line_id] = pieces.get(line.line_id, 0) + line.quantity
    return pieces


def _placed(state: Order, event: OrderPlaced) -> Order:
    return replace(
        state,
        lifecycle=Lifecycle.PLACED,
        customer_id=event.customer_id,
        currency=event.currency,
        total_minor=order_total(event.lines, event.shipping_minor),
        lines={line.line_id: OrderLine(line.quantity, line.total_minor) for line in event.lines},
    )


def _cancelled(state: Order, amount_minor: int) -> Order:
    return replace(
        state,
        lifecycle=Lifecycle.CANCELLED,
        cancelled_minor=state.cancelled_minor + amount_minor,
        lines={key: replace(line, cancelled=line.ordered) for key, line in state.lines.items()},
        shipments={
            key: replace(shipment, stage=ShipmentStage.ENDED)
            if shipment.stage is ShipmentStage.CREATED
            else shipment
            for key, shipment in state.shipments.items()
        },
    )


def _lines_cancelled(state: Order, lines: Iterable[LineQuantity], amount_minor: int) -> Order:
    changed = {
        line_id: replace(line, cancelled=line.cancelled + quantity)
        for line_id, quantity in pieces_of(lines).items()
        if (line := state.lines.get(line_id)) is not None
    }
    return replace(
        state,
        lines={**state.lines, **changed},
        cancelled_minor=state.cancelled_minor + amount_minor,
    )


def _with_payment(state: Order, payment_id: str, payment: Payment) -> Order:
    return replace(state, payments={**state.payments, payment_id: payment})


def _with_fact(
    state: Order, payment_id: str, fact: tuple[PspFact, str], amount_minor: int
) -> Order:
    """Remember a PSP fact; the same fact is never counted twice (invariant I9)."""
    payment = state.payments.get(payment_id, Payment())
    if fact in payment.facts:
        return state
    kind, _ = fact
    is_authorised, is_captured = kind is PspFact.AUTHORISED, kind is PspFact.CAPTURED
    known = replace(
        payment,
        facts={**payment.facts, fact: amount_minor},
        authorised_minor=payment.authorised_minor + amount_minor * is_authorised,
        captured_minor=payment.captured_minor + amount_minor * is_captured,
    )
    return _with_payment(state, payment_id, known)


def _capture_requested(state: Order, event: CaptureRequested) -> Order:
    payment = state.payments.get(event.payment_id, Payment())
    capture = payment.captures.get(event.capture_id, Capture())
    requested = replace(capture, requested_minor=event.amount_minor)
    captures = {**payment.captures, event.capture_id: requested}
    return _with_payment(state, event.payment_id, replace(payment, captures=captures))


def _captured(state: Order, event: PaymentCaptured) -> Order:
    fact = (PspFact.CAPTURED, event.psp_reference)
    known = _with_fact(state, event.payment_id, fact, event.amount_minor)
    if known is state:
        return state
    payment = known.payments[event.payment_id]
    capture = payment.captures.get(event.capture_id, Capture())
    taken_minor = (capture.captured_minor or 0) + event.amount_minor
    captures = {**payment.captures, event.capture_id: replace(capture, captured_minor=taken_minor)}
    return _with_payment(known, event.payment_id, replace(payment, captures=captures))


def _with_shipment(state: Order, shipment_id: str, shipment: Shipment) -> Order:
    return replace(state, shipments={**state.shipments, shipment_id: shipment})


def _moved(
    state: Order, shipment_id: str, stage: ShipmentStage, tracking_number: str | None
) -> Order:
    shipment = state.shipments.get(shipment_id)
    if shipment is None:
        return state
    moved = replace(shipment, stage=stage)
    if tracking_number is not None:
        moved = replace(moved, tracking_number=tracking_number)
    return _with_shipment(state, shipment_id, moved)
