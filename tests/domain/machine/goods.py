"""Pieces: in stock, in parcels, coming back, cancelled, and changed by amendments."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from domain.commands import (
    ApproveAmendment,
    ApproveReturn,
    CancelLines,
    CancelShipment,
    CloseReturn,
    CreateShipment,
    DeclineAmendment,
    DispatchShipment,
    ProposeAmendment,
    ReceiveReturnItems,
    RecordAllocation,
    RecordBackorder,
    RecordDelivery,
    RecordDeliveryFailure,
    RejectReturn,
    RequestReturn,
    UpdateTracking,
    WithdrawAmendment,
)
from domain.values import Line, ReceivedLine

from .model import (
    MAYBE,
    NEW,
    NO,
    PIECES,
    RARELY,
    SAME,
    TEXTS,
    Comeback,
    Naive,
    Parcel,
    Piece,
    quantities,
)

LEFT = {"DISPATCHED", "FAILED", "DELIVERED"}


class Goods:
    def wanted(self, line_id):
        pieces = self.of(line_id)
        gone = sum(piece.place == "cancelled" for piece in pieces)
        return max(0, len(pieces) - gone - self.allocated[line_id])

    @precondition(Naive.is_placed)
    @rule(data=st.data())
    def record_allocation(self, data):
        pieces = self.some(data, {key: self.wanted(key) for key in self.prices})
        is_possible = self.is_open() and self.are_named(pieces)
        expected = NO
        if is_possible and all(count <= self.wanted(key) for key, count in pieces.items()):
            expected = NEW
        if self.send(RecordAllocation(quantities(pieces)), expected):
            for key, count in pieces.items():
                self.allocated[key] += count
                self.backordered[key] = max(0, self.backordered[key] - count)

    @precondition(Naive.is_placed)
    @rule(data=st.data())
    def record_backorder(self, data):
        pieces = self.some(data, {key: self.wanted(key) for key in self.prices})
        is_possible = self.is_open() and self.are_named(pieces)
        expected = NO
        if is_possible and all(
            count <= self.wanted(key) - self.backordered[key] for key, count in pieces.items()
        ):
            expected = NEW
        if self.send(RecordBackorder(quantities(pieces)), expected):
            self.backordered.update(pieces)

    @precondition(Naive.is_placed)
    @rule(data=st.data(), carrier=MAYBE)
    def create_shipment(self, data, carrier):
        shipment = self.pick(data, (), "s-1", "s-2", "s-3")
        pieces = self.some(data, self.here())
        expected = NEW if self.lifecycle == "ACCEPTED" and self.are_here(pieces) else NO
        known = self.parcels.get(shipment)
        if known is not None:
            expected = SAME if (known.pieces, known.carrier) == (pieces, carrier) else NO
        if self.send(CreateShipment(shipment, quantities(pieces), carrier), expected):
            self.parcels[shipment] = Parcel(pieces, carrier)
            self.move(pieces, shipment)

    def stage(self, shipment):
        return self.parcels[shipment].stage if shipment in self.parcels else None

    @precondition(lambda self: self.parcels)
    @rule(data=st.data(), number=MAYBE)
    def dispatch_shipment(self, data, number):
        shipment = self.pick(data, self.parcels, "s-9")
        is_held = any(not hold["is_released"] for hold in self.holds.values())
        is_ready = self.stage(shipment) == "CREATED" and self.is_open() and not is_held
        expected = NEW if is_ready else NO
        if self.stage(shipment) in LEFT:
            expected = SAME if self.parcels[shipment].number == number else NO
        if self.send(DispatchShipment(shipment, number), expected):
            self.parcels[shipment].stage, self.parcels[shipment].number = "DISPATCHED", number

    @precondition(lambda self: self.parcels)
    @rule(data=st.data(), number=TEXTS, status=MAYBE)
    def update_tracking(self, data, number, status):
        shipment = self.pick(data, self.parcels, "s-9")
        is_possible = self.is_open() and self.stage(shipment) not in {None, "ENDED"}
        expected = NEW if is_possible else NO
        if shipment in self.parcels and self.parcels[shipment].word == (number, status):
            expected = SAME
        if self.send(UpdateTracking(shipment, number, status), expected):
            self.parcels[shipment].word = (number, status)

    @precondition(lambda self: self.parcels)
    @rule(data=st.data())
    def record_delivery(self, data):
        shipment = self.pick(data, self.parcels, "s-9")
        is_on_its_way = self.stage(shipment) in {"DISPATCHED", "FAILED"}
        expected = NEW if self.is_open() and is_on_its_way else NO
        if self.stage(shipment) == "DELIVERED":
            expected = SAME
        if self.send(RecordDelivery(shipment), expected):
            self.parcels[shipment].stage = "DELIVERED"

    @precondition(lambda self: self.parcels)
    @rule(data=st.data(), reason=TEXTS)
    def record_delivery_failure(self, data, reason):
        shipment = self.pick(data, self.parcels, "s-9")
        is_on_its_way = self.stage(shipment) in {"DISPATCHED", "FAILED"}
        expected = NEW if self.is_open() and is_on_its_way else NO
        if self.stage(shipment) == "FAILED" and self.parcels[shipment].failure == reason:
            expected = SAME
        if self.send(RecordDeliveryFailure(shipment, reason), expected):
            self.parcels[shipment].stage, self.parcels[shipment].failure = "FAILED", reason

    @precondition(lambda self: self.parcels)
    @rule(data=st.data())
    def cancel_shipment(self, data):
        shipment = self.pick(data, self.parcels, "s-9")
        expected = NEW if self.is_open() and self.stage(shipment) == "CREATED" else NO
        if self.stage(shipment) == "ENDED":
            expected = SAME
        if self.send(CancelShipment(shipment), expected):
            self.parcels[shipment].stage = "ENDED"
            for piece in self.pieces:
                piece.place = "here" if piece.place == shipment else piece.place

    @precondition(Naive.is_placed)
    @rule(data=st.data(), really=RARELY)
    def cancel_lines(self, data, really):
        pieces = self.some(data, self.here())
        if not really and self.is_open() and pieces == self.here():
            return
        expected = NEW if self.is_open() and self.are_here(pieces) else NO
        if self.send(CancelLines(quantities(pieces)), expected):
            self.move(pieces, "cancelled")
            if all(piece.place == "cancelled" for piece in self.pieces):
                self.end("CANCELLED")

    def returnable(self, line_id):
        """Pieces that are with the customer and not on their way back."""
        awaited = sum(known.outstanding().get(line_id, 0) for known in self.returns.values())
        with_them = [p for p in self.of(line_id) if self.is_delivered(p) and not p.is_back]
        return len(with_them) - awaited

    @precondition(lambda self: any(map(self.is_delivered, self.pieces)))
    @rule(data=st.data(), reason=MAYBE)
    def request_return(self, data, reason):
        returned = self.pick(data, self.returns, "e-1", "e-2", "e-3", "e-4")
        pieces = self.some(data, {key: self.returnable(key) for key in self.prices})
        expected = NO
        if self.is_open() and self.are_named(pieces):
            is_possible = all(count <= self.returnable(key) for key, count in pieces.items())
            expected = NEW if is_possible else NO
        known = self.returns.get(returned)
        if known is not None:
            expected = SAME if (known.pieces, known.reason) == (pieces, reason) else NO
        if self.send(RequestReturn(returned, quantities(pieces), reason), expected):
            self.returns[returned] = Comeback(pieces, reason)

    @precondition(lambda self: self.returns)
    @rule(data=st.data(), answer=st.sampled_from(["APPROVED", "APPROVED", "REJECTED", "CLOSED"]))
    def answer_return(self, data, answer):
        returned = self.pick(data, self.returns, "e-9")
        stage = self.returns[returned].stage if returned in self.returns else None
        needed = {"APPROVED": "REQUESTED", "REJECTED": "REQUESTED", "CLOSED": "APPROVED"}[answer]
        expected = NEW if self.is_open() and stage == needed else NO
        if stage == answer:
            expected = SAME
        command = {
            "APPROVED": ApproveReturn(returned),
            "REJECTED": RejectReturn(returned, "x"),
            "CLOSED": CloseReturn(returned),
        }[answer]
        if self.send(command, expected):
            self.returns[returned].stage = answer

    @precondition(lambda self: self.returns)
    @rule(data=st.data())
    def receive_return_items(self, data):
        returned = self.pick(data, self.returns, "e-9")
        known = self.returns.get(returned)
        pieces = self.some(data, known.outstanding() if known else {})
        is_time = self.is_open() and known is not None and known.stage == "APPROVED"
        expected = NO
        if is_time and self.are_named(pieces):
            is_possible = all(
                count <= known.outstanding().get(key, 0) for key, count in pieces.items()
            )
            expected = NEW if is_possible else NO
        lines = tuple(ReceivedLine(key, count, "x", True) for key, count in pieces.items())
        if self.send(ReceiveReturnItems(returned, lines), expected):
            known.received.update(pieces)
            for key, count in pieces.items():
                here = [p for p in self.of(key) if self.is_delivered(p) and not p.is_back]
                for piece in here[:count]:
                    piece.is_back = True

    def can_have(self, line_id, count):
        pieces = self.of(line_id)
        cancelled = sum(piece.place == "cancelled" for piece in pieces)
        used = sum(piece.place != "here" for piece in pieces)
        return count >= used and (count > cancelled or not cancelled)

    def leaves_something(self, change):
        after = dict.fromkeys(self.prices, 0) | {
            key: sum(piece.place != "cancelled" for piece in self.of(key)) for key in self.prices
        }
        return any({**after, **change}.values())

    @precondition(Naive.is_placed)
    @rule(data=st.data(), counts=PIECES, added=st.integers(0, 2))
    def propose_amendment(self, data, counts, added):
        """`added` pieces of a new line 9, none: no new line."""
        amendment = self.pick(data, self.amendments, "a-1", "a-2", "a-3", "a-4", "a-5")
        change = {key: n for key, n in counts.items() if n != len(self.of(key))}
        change |= {"9": added} if added else {}
        is_possible = (
            set(counts) <= set(self.prices)
            and not (added and "9" in self.prices)
            and bool(change)
            and all(self.can_have(key, count) for key, count in counts.items())
            and self.leaves_something(change)
        )
        known = self.amendments.get(amendment)
        is_other_open = any(
            each["stage"] == "OPEN" for key, each in self.amendments.items() if key != amendment
        )
        expected = NEW if self.is_open() and is_possible and not is_other_open else NO
        if known is not None:
            is_same = expected == NEW and known["stage"] == "OPEN" and known["change"] == change
            expected = SAME if is_same else NO
        lines = (Line("N", added, 77, "9"),) if added else ()
        if self.send(ProposeAmendment(amendment, lines, quantities(counts)), expected):
            self.amendments[amendment] = {"change": change, "stage": "OPEN"}

    @precondition(lambda self: self.amendments)
    @rule(data=st.data())
    def approve_amendment(self, data):
        amendment = self.pick(data, self.amendments, "a-9")
        known = self.amendments.get(amendment, {"stage": None, "change": {}})
        change = known["change"]
        is_possible = self.leaves_something(change) and all(
            self.can_have(key, count) for key, count in change.items() if key in self.prices
        )
        expected = NEW if known["stage"] == "OPEN" and self.is_open() and is_possible else NO
        if known["stage"] == "APPLIED":
            expected = SAME
        if self.send(ApproveAmendment(amendment), expected):
            known["stage"] = "APPLIED"
            self.prices.setdefault("9", 77) if "9" in change else None
            for key, count in change.items():
                here, more = self.of(key, "here"), count - len(self.of(key))
                self.pieces += [Piece(key) for _ in range(more)]
                gone = here[: max(0, -more)]
                self.pieces = [piece for piece in self.pieces if all(piece is not g for g in gone)]

    @precondition(lambda self: self.amendments)
    @rule(data=st.data(), is_declined=st.booleans())
    def refuse_amendment(self, data, is_declined):
        amendment = self.pick(data, self.amendments, "a-9")
        stage = self.amendments.get(amendment, {"stage": None})["stage"]
        answer = "DECLINED" if is_declined else "WITHDRAWN"
        expected = {"OPEN": NEW, answer: SAME}.get(stage, NO)
        command = DeclineAmendment if is_declined else WithdrawAmendment
        if self.send(command(amendment), expected):
            self.amendments[amendment]["stage"] = answer
