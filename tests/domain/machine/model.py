"""A deliberately naive order: every piece of goods and every fact kept by itself.

Each rule of the machines says from this model what must become of a command (`NEW`: accepted with
facts, `SAME`: accepted without, `NO`: refused), sends it, and then changes the model.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import reduce

from hypothesis import strategies as st

from domain.decide import decide
from domain.errors import Refused
from domain.order import Order, evolve
from domain.values import LineQuantity

NEW, SAME, NO = "new", "same", "no"

LINE_IDS = st.sampled_from(["1", "1", "1", "2", "3"])
PIECES = st.dictionaries(LINE_IDS, st.sampled_from([1, 1, 1, 2, 2, 3, 0]), max_size=2)
RARELY = st.integers(0, 5).map(lambda n: n == 5)
"""Most orders shall live on."""
TEXTS = st.sampled_from(["a", "b"])
MAYBE = st.sampled_from([None, "a"])


@dataclass
class Piece:
    line_id: str
    place: str = "here"  # or "cancelled", "before" (delivered before the import), a parcel's id
    is_back: bool = False


@dataclass
class Parcel:
    pieces: dict
    carrier: str | None
    stage: str = "CREATED"
    number: str | None = None
    word: tuple | None = None
    failure: str | None = None


@dataclass
class Comeback:
    pieces: dict
    reason: str | None
    stage: str = "REQUESTED"
    received: Counter = field(default_factory=Counter)

    def outstanding(self):
        """Pieces that may still come back with it, by line id."""
        if self.stage not in {"REQUESTED", "APPROVED"}:
            return {}
        return {key: count - self.received[key] for key, count in self.pieces.items()}


def quantities(pieces):
    return tuple(LineQuantity(*pair) for pair in pieces.items())


class Naive:
    """What all parts of the machine share."""

    def reset(self):
        self.state = Order()
        self.lifecycle = None
        self.prices = {}  # of one piece, by line id
        self.pieces = []
        self.shipping = 0
        self.parcels, self.returns, self.holds, self.amendments, self.notes = {}, {}, {}, {}, {}
        self.allocated, self.backordered = Counter(), Counter()
        self.contact, self.is_erased = None, False
        self.draft_lines, self.draft_discounts, self.draft_shipping = {}, {}, None
        self.ship_to = None
        self.asked = {}  # payment id: (amount, method)
        self.told = {}  # (payment id, kind, reference): amount
        self.released = Counter()  # by payment id
        self.captures_asked, self.captures_told, self.captures_failed = {}, Counter(), set()
        self.refunds_asked, self.refunds_told, self.refunds_failed = {}, Counter(), set()
        self.refunds = {}  # refund id: payment id, None when nobody had asked
        self.refund_facts = {}  # (kind, payment id, reference): amount

    def send(self, command, expected):
        """Check what becomes of the command; tell whether it is to change the model."""
        try:
            events = decide(self.state, command)
        except Refused:
            assert expected == NO, command
            return False
        assert expected == (NEW if events else SAME), command
        self.state = reduce(evolve, events, self.state)
        return expected == NEW

    def pick(self, data, known, *others):
        """One of the ids that are known, for the most part."""
        return data.draw(st.sampled_from([*[*sorted(known)] * 4, *others]))

    def some(self, data, limits):
        """Some pieces that are within their limits (by line id), for the most part."""
        possible = {key: most for key, most in limits.items() if most > 0}
        if not possible or data.draw(st.integers(0, 4)) == 4:
            return data.draw(PIECES)
        keys = data.draw(st.sets(st.sampled_from(sorted(possible)), min_size=1))
        return {key: data.draw(st.integers(1, possible[key])) for key in sorted(keys)}

    def here(self):
        return {key: len(self.of(key, "here")) for key in self.prices}

    def is_draft(self):
        return self.lifecycle == "DRAFT"

    def is_placed(self):
        return self.lifecycle != "DRAFT"

    def is_open(self):
        return self.lifecycle in {"PLACED", "ACCEPTED"}

    def end(self, lifecycle):
        self.lifecycle = lifecycle
        for amendment in self.amendments.values():
            if amendment["stage"] == "OPEN":
                amendment["stage"] = "WITHDRAWN"

    def of(self, line_id, *places):
        """The pieces of a line that are in one of these places."""
        return [
            piece
            for piece in self.pieces
            if piece.line_id == line_id and (not places or piece.place in places)
        ]

    def is_delivered(self, piece):
        parcel = self.parcels.get(piece.place)
        return piece.place == "before" or (parcel is not None and parcel.stage == "DELIVERED")

    def are_named(self, pieces):
        """Whether these can be pieces of lines at all."""
        return bool(pieces) and all(
            count > 0 and line_id in self.prices for line_id, count in pieces.items()
        )

    def are_here(self, pieces):
        return self.are_named(pieces) and all(
            count <= len(self.of(line_id, "here")) for line_id, count in pieces.items()
        )

    def move(self, pieces, place):
        for line_id, count in pieces.items():
            for piece in self.of(line_id, "here")[:count]:
                piece.place = place

    def total(self):
        return sum(self.prices[piece.line_id] for piece in self.pieces) + self.shipping

    def due(self):
        if self.lifecycle == "CANCELLED" or self.was_cancelled():
            return 0
        stay = [p for p in self.pieces if p.place != "cancelled" and not p.is_back]
        return sum(self.prices[piece.line_id] for piece in stay) + self.shipping

    def was_cancelled(self):
        """Whether it is archived after it was cancelled, which takes shipping away too."""
        return self.lifecycle == "ARCHIVED" and self.ended_as == "CANCELLED"

    def sum_told(self, kind, payment=None):
        return sum(
            amount
            for (where, what, _), amount in self.told.items()
            if what == kind and payment in {None, where}
        )

    def authorised(self, payment):
        return self.sum_told("authorised", payment) - self.released[payment]

    def releasable(self, payment):
        return max(0, self.authorised(payment) - self.sum_told("captured", payment))

    def refunded(self):
        return sum(self.refunds_told.values())
