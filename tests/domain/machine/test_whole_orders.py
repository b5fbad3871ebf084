"""Whole orders, all commands, against the naive model."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from domain.commands import (
    Accept,
    Archive,
    Cancel,
    CancelLines,
    Complete,
    CreateDraft,
    CreateShipment,
    DispatchShipment,
    Expire,
    Hold,
    ImportOrder,
    PlaceOrder,
    ProposeAmendment,
    RecordDelivery,
    Reject,
    ReleaseHold,
    RequestAuthorisation,
)
from domain.values import ImportedLine, ImportedPayment, Line, LineQuantity, Shipping

from .drafts import Drafts
from .goods import LEFT, Goods
from .model import MAYBE, NEW, NO, RARELY, SAME, TEXTS, Naive, Parcel, quantities
from .money import Money

ORDERED = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from([0, 100, 250])), min_size=1, max_size=2
)


class WholeOrders(Drafts, Goods, Money, Naive, RuleBasedStateMachine):
    """Begins as a draft, placed, accepted, delivered, or with a past elsewhere."""

    @initialize(ordered=ORDERED, data=st.data())
    def begin(self, ordered, data):
        self.reset()
        self.ended_as = None
        how = data.draw(st.sampled_from(["draft", "placed", "accepted", "delivered", "imported"]))
        lines = tuple(Line("A", count, price) for count, price in ordered)
        by_id = {str(number): line for number, line in enumerate(ordered, 1)}
        if how == "draft":
            self.send(CreateDraft("c-1", "EUR"), NEW)
            self.lifecycle = "DRAFT"
            return
        if how == "imported":
            self.take_over(lines, by_id, data)
            return
        self.send(PlaceOrder("c-1", "EUR", lines, shipping=Shipping("s", 490)), NEW)
        self.placed(by_id, 490)
        if how != "placed":
            self.accept()
        if how == "delivered":
            self.deliver()

    def take_over(self, lines, by_id, data):
        """Import it: some pieces were cancelled or delivered, some money taken and given back."""
        lifecycle = data.draw(st.sampled_from(["PLACED", "ACCEPTED"]))
        past = {}
        for key, (count, _) in by_id.items():
            cancelled = data.draw(st.integers(0, count - 1))
            past[key] = (cancelled, data.draw(st.integers(0, count - cancelled)))
        money = ImportedPayment("p-1", "r-1", None, 500, 250, data.draw(st.sampled_from([0, 100])))
        gone = tuple(ImportedLine(key, *moved, 0) for key, moved in past.items())
        command = ImportOrder(
            "old", lifecycle, "c-1", "EUR", lines, gone, (money,), shipping=Shipping("s", 490)
        )
        self.send(command, NEW)
        self.placed(by_id, 490)
        self.lifecycle = lifecycle
        for key, (cancelled, delivered) in past.items():
            self.move({key: cancelled}, "cancelled")
            self.move({key: delivered}, "before")
        self.told["p-1", "authorised", "r-1"] = 500
        self.told["p-1", "captured", "r-1"] = 250
        if money.refunded_minor:
            self.refunds["imported/p-1"] = "p-1"
            self.refunds_told["imported/p-1"] = money.refunded_minor

    def deliver(self):
        """Pay for it, all of it, and let it arrive."""
        if self.total() == self.due() > 0:
            self.request_authorisation("p-1", self.due(), None)
            self.record_authorisation("p-1", "r-1", self.due())
            self.request_capture("p-1", "k-1", self.due())
            self.record_capture("p-1", "k-1", "r-1", self.due())
        pieces = self.here()
        self.send(CreateShipment("s-1", quantities(pieces)), NEW)
        self.send(DispatchShipment("s-1"), NEW)
        self.send(RecordDelivery("s-1"), NEW)
        self.parcels["s-1"] = Parcel(pieces, None, "DELIVERED")
        self.move(pieces, "s-1")

    @rule()
    def accept(self):
        expected = {"PLACED": NEW, "ACCEPTED": SAME}.get(self.lifecycle, NO)
        if self.send(Accept(), expected):
            self.lifecycle = "ACCEPTED"

    @precondition(Naive.is_draft)
    @rule(
        command=st.sampled_from(
            [
                Accept(),
                Reject("x"),
                Hold("a", "a"),
                Complete(),
                Archive(),
                CancelLines((LineQuantity("1", 1),)),
                CreateShipment("s-1", (LineQuantity("1", 1),)),
                RequestAuthorisation("p-1", 1),
                ProposeAmendment("a-1", quantities=(LineQuantity("1", 1),)),
            ]
        )
    )
    def is_too_early(self, command):
        self.send(command, NO)

    @rule(reason=TEXTS, really=RARELY)
    def reject(self, reason, really):
        if not really and self.is_open():
            return
        expected = {"PLACED": NEW, "REJECTED": SAME}.get(self.lifecycle, NO)
        if self.send(Reject(reason), expected):
            self.end("REJECTED")

    @rule(really=RARELY)
    def expire(self, really):
        if not really and self.lifecycle in {"DRAFT", "PLACED"}:
            return
        expected = {"DRAFT": NEW, "PLACED": NEW, "EXPIRED": SAME}.get(self.lifecycle, NO)
        if self.send(Expire(), expected):
            self.end("EXPIRED")

    @rule(really=RARELY)
    def cancel(self, really):
        if not really and self.lifecycle in {"DRAFT", "PLACED", "ACCEPTED"}:
            return
        has_left = any(parcel.stage in LEFT for parcel in self.parcels.values()) or any(
            piece.place == "before" for piece in self.pieces
        )
        can_be = self.lifecycle == "DRAFT" or self.is_open()
        expected = NEW if can_be and not has_left else NO
        if self.lifecycle == "CANCELLED":
            expected = SAME
        if self.send(Cancel(), expected):
            self.end("CANCELLED")
            for piece in self.pieces:
                piece.place = "cancelled"
            for parcel in self.parcels.values():
                parcel.stage = "ENDED"

    @precondition(Naive.is_placed)
    @rule(hold=TEXTS, kind=TEXTS, reason=MAYBE)
    def hold(self, hold, kind, reason):
        expected = NEW if self.is_open() else NO
        if hold in self.holds:
            expected = SAME if self.holds[hold]["why"] == (kind, reason) else NO
        if self.send(Hold(hold, kind, reason), expected):
            self.holds[hold] = {"why": (kind, reason), "is_released": False}

    @precondition(lambda self: self.holds)
    @rule(hold=TEXTS)
    def release_hold(self, hold):
        expected = NO
        if hold in self.holds:
            expected = SAME if self.holds[hold]["is_released"] else NEW
        if self.send(ReleaseHold(hold), expected):
            self.holds[hold]["is_released"] = True

    def is_anything_open(self):
        return (
            any(p.place != "cancelled" and not self.is_delivered(p) for p in self.pieces)
            or any(not hold["is_released"] for hold in self.holds.values())
            or any(amendment["stage"] == "OPEN" for amendment in self.amendments.values())
            or any(known.stage in {"REQUESTED", "APPROVED"} for known in self.returns.values())
            or self.is_money_open()
        )

    def given_back(self):
        return self.refunded() + self.sum_told("charged back")

    @rule(really=RARELY)
    def complete(self, really):
        if not really and self.lifecycle == "ACCEPTED":
            return
        captured = self.sum_told("captured")
        is_even = captured >= self.due() and self.due() - captured + self.given_back() >= 0
        is_ready = self.lifecycle == "ACCEPTED" and is_even and not self.is_anything_open()
        expected = SAME if self.lifecycle == "COMPLETED" else NEW if is_ready else NO
        if self.send(Complete(), expected):
            self.lifecycle = "COMPLETED"

    @rule()
    def archive(self):
        is_settled = not self.is_money_open() and self.sum_told("captured") <= self.given_back()
        is_ready = self.lifecycle in {"CANCELLED", "REJECTED", "EXPIRED"} and is_settled
        expected = NEW if is_ready or self.lifecycle == "COMPLETED" else NO
        if self.lifecycle == "ARCHIVED":
            expected = SAME
        if self.send(Archive(), expected):
            self.ended_as, self.lifecycle = self.lifecycle, "ARCHIVED"

    @invariant()
    def state_agrees_with_the_model(self):
        state, money = self.state, self.state.money
        assert state.lifecycle == self.lifecycle
        assert (money.total_minor, money.due_minor) == (self.total(), self.due())
        assert money.authorised_minor == self.authorised("p-1") + self.authorised("p-2")
        assert money.captured_minor == self.sum_told("captured")
        assert money.refunded_minor == self.refunded()
        assert money.charged_back_minor == self.sum_told("charged back")
        assert (state.contact, state.is_erased) == (self.contact, self.is_erased)
        assert state.notes == self.notes

    @invariant()
    def pieces_are_where_the_model_has_them(self):
        assert set(self.state.lines) == set(self.prices)
        for line_id, line in self.state.lines.items():
            pieces = self.of(line_id)
            assert line.ordered == len(pieces)
            assert line.cancelled == sum(piece.place == "cancelled" for piece in pieces)
            assert line.returned == sum(piece.is_back for piece in pieces)
            assert self.state.free(line_id) == len(self.of(line_id, "here"))
            assert self.state.delivered(line_id) == sum(map(self.is_delivered, pieces))
            assert line.allocated == self.allocated[line_id]
            assert line.backordered == self.backordered[line_id]
        assert {key: parcel.stage.name for key, parcel in self.state.shipments.items()} == {
            key: parcel.stage for key, parcel in self.parcels.items()
        }
        assert {key: known.stage.name for key, known in self.state.amendments.items()} == {
            key: known["stage"] for key, known in self.amendments.items()
        }


WholeOrders.TestCase.settings = settings(max_examples=250, stateful_step_count=50, deadline=None)
TestWholeOrders = WholeOrders.TestCase
