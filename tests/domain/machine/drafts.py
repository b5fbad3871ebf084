"""An order that is put together, and what is remembered of any order."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from domain.commands import (
    AddLine,
    AddNote,
    ApplyDiscount,
    ChangeLineQuantity,
    CorrectContact,
    CreateDraft,
    EraseCustomerData,
    Place,
    PlaceOrder,
    RemoveDiscount,
    RemoveLine,
    Reprice,
    SelectShipping,
    SetAddresses,
)
from domain.values import Address, Contact, Line, RepricedLine

from .model import LINE_IDS, NEW, NO, SAME, TEXTS, Naive, Piece

PRICES = st.sampled_from([0, 100, 250])
CONTACTS = st.sampled_from([Contact("Ada", "", ""), Contact("Bob", "", "")])
ADDRESSES = st.sampled_from([Address("Ada", ("x",), "", "B", "", "DE")])


class Drafts:
    @rule()
    def begin_again(self):
        self.send(CreateDraft("c-1", "EUR"), NO)
        self.send(PlaceOrder("c-1", "EUR", (Line("A", 1, 1),)), NO)

    @precondition(Naive.is_draft)
    @rule(
        line_id=st.one_of(st.none(), LINE_IDS),
        sku=TEXTS,
        quantity=st.integers(0, 3),
        price=PRICES,
    )
    def add_line(self, line_id, sku, quantity, price):
        line = (sku, quantity, price)
        expected = NEW if quantity > 0 else NO
        if expected == NEW and line_id in self.draft_lines:
            expected = SAME if self.draft_lines[line_id] == line else NO
        if self.send(AddLine(sku, quantity, price, line_id), expected):
            free = next(str(n) for n in range(1, 99) if str(n) not in self.draft_lines)
            self.draft_lines[line_id or free] = line

    @precondition(Naive.is_draft)
    @rule(line_id=LINE_IDS, quantity=st.integers(0, 3))
    def change_line_quantity(self, line_id, quantity):
        is_possible = line_id in self.draft_lines and quantity > 0
        expected = NEW if is_possible else NO
        if is_possible and self.draft_lines[line_id][1] == quantity:
            expected = SAME
        if self.send(ChangeLineQuantity(line_id, quantity), expected):
            sku, _, price = self.draft_lines[line_id]
            self.draft_lines[line_id] = (sku, quantity, price)

    @precondition(Naive.is_draft)
    @rule(line_id=LINE_IDS)
    def remove_line(self, line_id):
        expected = NEW if line_id in self.draft_lines else SAME
        if self.send(RemoveLine(line_id), expected):
            del self.draft_lines[line_id]
            self.draft_discounts = {
                key: where for key, where in self.draft_discounts.items() if where != line_id
            }

    @precondition(Naive.is_draft)
    @rule(prices=st.dictionaries(LINE_IDS, PRICES, max_size=2))
    def reprice(self, prices):
        expected = NO
        if prices and set(prices) <= set(self.draft_lines):
            is_same = all(self.draft_lines[key][2] == price for key, price in prices.items())
            expected = SAME if is_same else NEW
        if self.send(Reprice(tuple(RepricedLine(*pair) for pair in prices.items())), expected):
            for key, price in prices.items():
                self.draft_lines[key] = (*self.draft_lines[key][:2], price)

    @precondition(Naive.is_draft)
    @rule(discount=TEXTS, line_id=st.one_of(st.none(), LINE_IDS))
    def apply_discount(self, discount, line_id):
        """Of nothing, so that the model needs no shares; what they come to has its own tests."""
        is_possible = line_id in {None, *self.draft_lines}
        expected = NEW if is_possible else NO
        if is_possible and discount in self.draft_discounts:
            expected = SAME if self.draft_discounts[discount] == line_id else NO
        if self.send(ApplyDiscount(discount, 0, line_id), expected):
            self.draft_discounts[discount] = line_id

    @precondition(Naive.is_draft)
    @rule(discount=TEXTS)
    def remove_discount(self, discount):
        expected = NEW if discount in self.draft_discounts else SAME
        if self.send(RemoveDiscount(discount), expected):
            del self.draft_discounts[discount]

    @precondition(Naive.is_draft)
    @rule(method=TEXTS, price=PRICES)
    def select_shipping(self, method, price):
        expected = SAME if self.draft_shipping == (method, price) else NEW
        if self.send(SelectShipping(method, price), expected):
            self.draft_shipping = (method, price)

    @precondition(Naive.is_draft)
    @rule(contact=st.one_of(st.none(), CONTACTS), ship_to=st.one_of(st.none(), ADDRESSES))
    def set_addresses(self, contact, ship_to):
        expected = NO if self.is_erased else NEW
        is_known = contact in {None, self.contact} and ship_to in {None, self.ship_to}
        if expected == NEW and is_known:
            expected = SAME
        if self.send(SetAddresses(ship_to=ship_to, contact=contact), expected):
            self.contact, self.ship_to = contact or self.contact, ship_to or self.ship_to

    @precondition(Naive.is_placed)
    @rule(
        command=st.sampled_from(
            [
                AddLine("a", 1, 1),
                ChangeLineQuantity("1", 1),
                RemoveLine("1"),
                Reprice((RepricedLine("1", 1),)),
                ApplyDiscount("a", 0),
                RemoveDiscount("a"),
                SelectShipping("a", 1),
                SetAddresses(),
            ]
        )
    )
    def is_no_draft_any_more(self, command):
        self.send(command, NO)

    @rule()
    def place(self):
        expected = NEW if self.is_draft() and self.draft_lines else NO
        if self.lifecycle == "PLACED":
            expected = SAME
        if self.send(Place(), expected):
            lines = self.draft_lines
            shipping = 0 if self.draft_shipping is None else self.draft_shipping[1]
            self.placed({key: line[1:] for key, line in lines.items()}, shipping)

    def placed(self, lines, shipping):
        """The order is placed: `lines` are (pieces, price) by id."""
        self.lifecycle, self.shipping = "PLACED", shipping
        for line_id, (count, price) in lines.items():
            self.prices[line_id] = price
            self.pieces += [Piece(line_id) for _ in range(count)]

    @rule(contact=CONTACTS)
    def correct_contact(self, contact):
        expected = NO if self.is_erased else SAME if contact == self.contact else NEW
        if self.send(CorrectContact(contact), expected):
            self.contact = contact

    @rule()
    def erase_customer_data(self):
        if self.send(EraseCustomerData(), SAME if self.is_erased else NEW):
            self.contact, self.ship_to, self.is_erased = None, None, True

    @rule(note=TEXTS, text=TEXTS)
    def add_note(self, note, text):
        expected = NO if self.is_erased else NEW
        if note in self.notes:
            expected = SAME if self.notes[note] == text else NO
        if self.send(AddNote(note, text), expected):
            self.notes[note] = text
