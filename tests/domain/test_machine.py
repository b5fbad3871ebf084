"""Whole orders against a naive model that keeps every piece and every fact by itself."""

from functools import reduce

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.commands import (
    Accept,
    AddNote,
    Cancel,
    CancelLines,
    CreateShipment,
    DispatchShipment,
    PlaceOrder,
    RecordAuthorisation,
    RecordAuthorisationFailure,
    RecordCapture,
    RecordDelivery,
    Reject,
    RequestAuthorisation,
    RequestCapture,
)
from domain.decide import decide
from domain.errors import Rejected
from domain.order import Order, ShipmentStage, evolve
from domain.values import Line, LineQuantity, Shipping

PAYMENTS = st.sampled_from(["p-1", "p-2"])
CAPTURES = st.sampled_from(["k-1", "k-2", "k-3"])
REFERENCES = st.sampled_from(["r-1", "r-2", "r-3", "r-4"])
SHIPMENTS = st.sampled_from(["s-1", "s-2", "s-3"])
AMOUNTS = st.sampled_from([0, 1, 400, 700, 1000])
TEXTS = st.sampled_from(["a", "b"])
TRACKING = st.sampled_from([None, "T-1"])
PIECES = st.dictionaries(st.sampled_from(["1", "2", "3"]), st.integers(0, 3), max_size=2)

NEW, SAME, NO = "new", "same", "no"


class WholeOrders(RuleBasedStateMachine):
    """Each rule says from the model what must happen, then sends the command and compares."""

    @initialize(
        ordered=st.lists(st.integers(1, 4), min_size=1, max_size=2),
        price=st.integers(0, 500),
        is_accepted=st.booleans(),
    )
    def place(self, ordered, price, is_accepted):
        self.state = Order()
        self.lifecycle = None
        self.pieces = [
            [str(n + 1), "here"] for n, count in enumerate(ordered) for _ in range(count)
        ]
        self.total = sum(ordered) * price + 490
        self.cancelled = 0
        self.price = price
        self.parcels = {}  # shipment id: [pieces, tracking number, stage]
        self.asked = {}  # payment id: amount
        self.told = {}  # (payment id, kind, reference): amount
        self.captures_asked = {}  # (capture id, payment id): amount
        self.captures_told = []  # (capture id, payment id, amount)
        self.notes = {}
        lines = tuple(Line("A", count, price) for count in ordered)
        self.send(PlaceOrder("c-1", "EUR", lines, shipping=Shipping("standard", 490)), NEW)
        self.lifecycle = "PLACED"
        if is_accepted:
            self.accept()

    def send(self, command, expected):
        """Check what becomes of the command, and that a refusal or a retry changes nothing."""
        try:
            events = decide(self.state, command)
        except Rejected:
            assert expected == NO
            return
        assert expected == (NEW if events else SAME)
        self.state = reduce(evolve, events, self.state)

    def is_open(self):
        return self.lifecycle in {"PLACED", "ACCEPTED"}

    def here(self, line_id):
        return [piece for piece in self.pieces if piece == [line_id, "here"]]

    def can_take(self, pieces):
        return bool(pieces) and all(
            0 < count <= len(self.here(line_id)) for line_id, count in pieces.items()
        )

    def move(self, pieces, place):
        for line_id, count in pieces.items():
            for piece in self.here(line_id)[:count]:
                piece[1] = place

    @rule()
    def accept(self):
        expected = {"PLACED": NEW, "ACCEPTED": SAME}.get(self.lifecycle, NO)
        self.send(Accept(), expected)
        if expected == NEW:
            self.lifecycle = "ACCEPTED"

    @rule(reason=TEXTS)
    def reject(self, reason):
        expected = {"PLACED": NEW, "REJECTED": SAME}.get(self.lifecycle, NO)
        self.send(Reject(reason), expected)
        if expected == NEW:
            self.lifecycle = "REJECTED"

    @rule(payment=PAYMENTS, amount=AMOUNTS)
    def request_authorisation(self, payment, amount):
        is_known = payment in self.asked or any(key[0] == payment for key in self.told)
        expected = NEW if self.is_open() and amount > 0 else NO
        if is_known:
            expected = SAME if self.asked.get(payment) == amount else NO
        self.send(RequestAuthorisation(payment, amount), expected)
        if expected == NEW:
            self.asked[payment] = amount

    def tell(self, command, kind, amount):
        key = (command.payment_id, kind, command.psp_reference)
        expected = NEW if key not in self.told else SAME if self.told[key] == amount else NO
        self.send(command, expected)
        self.told.setdefault(key, amount)
        return expected == NEW

    @rule(payment=PAYMENTS, reference=REFERENCES, amount=AMOUNTS)
    def record_authorisation(self, payment, reference, amount):
        self.tell(RecordAuthorisation(payment, reference, amount), "authorised", amount)

    @rule(payment=PAYMENTS, reference=REFERENCES, reason=TEXTS)
    def record_authorisation_failure(self, payment, reference, reason):
        self.tell(RecordAuthorisationFailure(payment, reference, reason), "failed", 0)

    @rule(payment=PAYMENTS, capture=CAPTURES, reference=REFERENCES, amount=AMOUNTS)
    def record_capture(self, payment, capture, reference, amount):
        if self.tell(RecordCapture(payment, capture, reference, amount), "captured", amount):
            self.captures_told.append((capture, payment, amount))

    @rule(payment=PAYMENTS, capture=CAPTURES, amount=AMOUNTS)
    def request_capture(self, payment, capture, amount):
        told = {}  # (capture id, payment id): amount
        for key, where, told_minor in self.captures_told:
            told[key, where] = told.get((key, where), 0) + told_minor
        taken = sum(told[key] for key in told if key[1] == payment)
        asked = self.captures_asked
        awaited = sum(asked[key] for key in asked if key[1] == payment and key not in told)
        is_covered = taken + awaited + amount <= self.sum_told("authorised", payment)
        expected = NEW if self.is_open() and amount > 0 and is_covered else NO
        known = {**told, **asked}
        if any(key == capture for key, _ in known):
            expected = SAME if known.get((capture, payment)) == amount else NO
        self.send(RequestCapture(payment, capture, amount), expected)
        if expected == NEW:
            self.captures_asked[capture, payment] = amount

    @rule(shipment=SHIPMENTS, pieces=PIECES)
    def create_shipment(self, shipment, pieces):
        expected = NEW if self.lifecycle == "ACCEPTED" and self.can_take(pieces) else NO
        if shipment in self.parcels:
            expected = SAME if self.parcels[shipment][0] == pieces else NO
        self.send(CreateShipment(shipment, quantities(pieces)), expected)
        if expected == NEW:
            self.parcels[shipment] = [pieces, None, ShipmentStage.CREATED]
            self.move(pieces, shipment)

    @rule(shipment=SHIPMENTS, tracking=TRACKING)
    def dispatch_shipment(self, shipment, tracking):
        _, known_tracking, stage = self.parcels.get(shipment, (None, None, None))
        expected = NEW if stage is ShipmentStage.CREATED else NO
        if stage in {ShipmentStage.DISPATCHED, ShipmentStage.DELIVERED}:
            expected = SAME if known_tracking == tracking else NO
        self.send(DispatchShipment(shipment, tracking), expected)
        if expected == NEW:
            self.parcels[shipment][1:] = [tracking, ShipmentStage.DISPATCHED]

    @rule(shipment=SHIPMENTS)
    def record_delivery(self, shipment):
        stage = self.parcels.get(shipment, (None, None, None))[2]
        expected = {ShipmentStage.DISPATCHED: NEW, ShipmentStage.DELIVERED: SAME}.get(stage, NO)
        self.send(RecordDelivery(shipment), expected)
        if expected == NEW:
            self.parcels[shipment][2] = ShipmentStage.DELIVERED

    @rule(pieces=PIECES)
    def cancel_lines(self, pieces):
        expected = NEW if self.is_open() and self.can_take(pieces) else NO
        self.send(CancelLines(quantities(pieces)), expected)
        if expected == NEW:
            self.move(pieces, "cancelled")
            self.cancelled += self.price * sum(pieces.values())
            if all(place == "cancelled" for _, place in self.pieces):
                self.end()

    @rule()
    def cancel(self):
        left = {ShipmentStage.DISPATCHED, ShipmentStage.DELIVERED}
        has_left = any(stage in left for *_, stage in self.parcels.values())
        expected = NEW if self.is_open() and not has_left else NO
        if self.lifecycle == "CANCELLED":
            expected = SAME
        self.send(Cancel(), expected)
        if expected == NEW:
            self.end()

    def end(self):
        self.lifecycle = "CANCELLED"
        self.cancelled = self.total
        for piece in self.pieces:
            piece[1] = "cancelled"
        for parcel in self.parcels.values():
            parcel[2] = ShipmentStage.ENDED

    @rule(note=TEXTS, text=TEXTS)
    def add_note(self, note, text):
        expected = NEW if note not in self.notes else SAME if self.notes[note] == text else NO
        self.send(AddNote(note, text), expected)
        self.notes.setdefault(note, text)

    def sum_told(self, wanted, payment=None):
        return sum(
            amount
            for (where, kind, _), amount in self.told.items()
            if kind == wanted and payment in {None, where}
        )

    @invariant()
    def state_agrees_with_the_model(self):
        assert self.state.lifecycle == self.lifecycle
        assert (self.state.total_minor, self.state.cancelled_minor) == (self.total, self.cancelled)
        assert self.state.authorised_minor == self.sum_told("authorised")
        assert self.state.captured_minor == self.sum_told("captured")
        assert self.state.notes == self.notes
        for line_id, line in self.state.lines.items():
            places = [place for where, place in self.pieces if where == line_id]
            assert line.ordered == len(places)
            assert line.cancelled == places.count("cancelled")
            assert self.state.free(line_id) == places.count("here")
        assert {key: parcel.stage for key, parcel in self.state.shipments.items()} == {
            key: stage for key, (_, _, stage) in self.parcels.items()
        }


def quantities(pieces):
    return tuple(LineQuantity(*pair) for pair in pieces.items())


WholeOrders.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestWholeOrders = WholeOrders.TestCase
