"""`orders`: drafts, amendments, holds, returns, imports; and the document beside the fold."""

from functools import reduce

import orjson
import pytest

from domain import events
from domain.order import Order
from domain.order import evolve as fold
from domain.values import Address, Contact
from eventlog import codec
from projectors.read_models import PROJECTIONS
from projectors.read_models.order_document import derived, evolve
from query_api.answers.order import Order as OrderAnswer

from .given import (
    ACCEPTED,
    APPLIED,
    DELIVERED,
    DISPATCHED,
    DRAFTED,
    HELD,
    IMPORTED,
    LINE_ADDED,
    PLACED,
    PROPOSED,
    RECEIVED,
    REFUND_REQUESTED,
    RETURN_REQUESTED,
    captured,
    history,
    lines_cancelled,
    pieces,
    refunded,
    shipment,
)
from .histories import Histories


def document(*facts) -> dict:
    return derived(reduce(evolve, history(*facts), None))


def test_a_draft_is_priced_as_it_grows():
    home = Address("Zoë", ("Weg 1",), "10115", "Berlin", "", "DE")
    order = document(
        DRAFTED,
        LINE_ADDED,
        events.LineAdded("2", "B-2", "", 1, 500, ()),
        events.LineQuantityChanged("2", 2),
        events.DiscountApplied("SPRING", 100, None),
        events.DiscountApplied("CUP", 50, "1"),
        events.ShippingSelected("standard", 490),
        events.AddressesSet(home, None, Contact("Zoë", "", "")),
    )

    assert order["lifecycle"] == "DRAFT"
    assert [line["total_minor"] for line in order["lines"]] == [3_030, 1_000]
    assert (order["discount_minor"], order["total_minor"]) == (150, 4_420)
    assert (order["ship_to"]["city"], order["bill_to"]) == ("Berlin", None)
    less = derived(reduce(evolve, history(events.LineRemoved("1")), order))
    assert [line["line_id"] for line in less["lines"]] == ["2"]
    assert [known["discount_id"] for known in less["discounts"]] == ["SPRING"]
    assert less["total_minor"] == 1_390


def test_an_amendment_is_seen_before_and_after():
    before, after = document(PLACED, PROPOSED), document(PLACED, PROPOSED, APPLIED)

    assert before["amendments"] == [
        {
            "amendment_id": "a-1",
            "status": "OPEN",
            "difference_minor": -766,
            "reason": "called",
            "lines": [{"line_id": "1", "quantity": 2}, {"line_id": "3", "quantity": 1}],
        }
    ]
    assert before["total_minor"] == 4_470
    assert after["amendments"][0]["status"] == "APPLIED"
    assert [line["quantity"] for line in after["lines"]] == [2, 2, 1]
    assert (after["total_minor"], after["subtotal_minor"]) == (3_704, 3_200)


def test_a_hold_is_a_flag_beside_the_lifecycle():
    held = document(PLACED, ACCEPTED, HELD)

    assert (held["lifecycle"], held["on_hold"]) == ("ACCEPTED", True)
    free = document(PLACED, ACCEPTED, HELD, events.OrderHoldReleased("h-1"))
    assert (free["on_hold"], free["holds"][0]["is_released"]) == (False, True)


def test_a_return_tells_what_came_back():
    arrived = (PLACED, ACCEPTED, shipment(_1=3, _2=2), DISPATCHED, DELIVERED)
    asked = document(*arrived, RETURN_REQUESTED)
    back = document(*arrived, RETURN_REQUESTED, events.ReturnApproved("e-1"), RECEIVED)

    assert (asked["return_status"], back["return_status"]) == ("REQUESTED", "PARTIAL")
    assert back["returns"][0]["lines"] == [{"line_id": "1", "quantity": 2, "received": 2}]
    assert [line["returned"] for line in back["lines"]] == [2, 0]
    assert (back["returned_minor"], back["balance_minor"]) == (1_933, 2_537)


def test_a_refund_has_its_own_story():
    order = document(PLACED, captured(4_470), REFUND_REQUESTED, refunded(1_000))

    assert order["refunds"] == [
        {
            "refund_id": "f-1",
            "payment_id": "p-1",
            "status": "COMPLETED",
            "requested_minor": 1_000,
            "refunded_minor": 1_000,
            "reason": "broken",
            "psp_references": ["r-4"],
            "failure": None,
        }
    ]
    assert order["payments"][0]["refunded_minor"] == 1_000


def test_an_imported_order_has_its_past():
    order = document(IMPORTED)

    assert (order["lifecycle"], order["imported_from"]) == ("ACCEPTED", "old shop")
    assert [(line["delivered"], line["returned"]) for line in order["lines"]] == [(3, 1), (0, 0)]
    assert (order["captured_minor"], order["refunded_minor"]) == (4_470, 966)
    assert (order["payment_status"], order["return_status"]) == ("PARTIALLY_REFUNDED", "PARTIAL")


def test_what_was_erased_is_shown_nowhere():
    order = document(PLACED, events.NoteAdded("n-1", "Zoë called"), events.CustomerDataErased())

    assert (order["contact"], order["ship_to"], order["bill_to"]) == (None, None, None)
    assert order["notes"][0]["text"] is None
    assert "Zoë" not in str(order)


@pytest.mark.parametrize(
    ("facts", "has_open_return"),
    [
        ([RETURN_REQUESTED], True),
        ([RETURN_REQUESTED, events.ReturnApproved("e-1"), RECEIVED], True),
        ([RETURN_REQUESTED, events.ReturnClosed("e-1")], False),
    ],
)
def test_the_queue_of_returns_has_those_that_are_open(facts, has_open_return):
    projection = PROJECTIONS["orders"]
    names = [column.name for column in projection.table(None).columns]

    row = projection.row(document(PLACED, *facts), "{}", 0)

    assert row[names.index("has_open_return")] is has_open_return


@pytest.mark.parametrize(
    ("facts", "has_work"),
    [
        ([], False),
        ([ACCEPTED], True),
        ([ACCEPTED, HELD], False),
        ([ACCEPTED, HELD, events.OrderHoldReleased("h-1")], True),
        ([ACCEPTED, events.LinesBackordered(pieces(_1=3))], True),
        ([ACCEPTED, events.LinesBackordered(pieces(_1=3, _2=2))], False),
        ([ACCEPTED, shipment(_1=3, _2=2)], True),
        ([ACCEPTED, shipment(_1=3, _2=2), DISPATCHED], False),
        ([ACCEPTED, lines_cancelled(2_900, _1=3), shipment(_2=2), DISPATCHED], False),
    ],
)
def test_the_queue_of_fulfilment_has_those_with_pieces_to_send(facts, has_work):
    projection = PROJECTIONS["orders"]
    names = [column.name for column in projection.table(None).columns]

    row = projection.row(document(PLACED, *facts), "{}", 0)

    assert row[names.index("has_work")] is has_work


@pytest.mark.parametrize("seed", range(12))
def test_the_document_says_what_the_rules_see(seed):
    """Two folds of the same facts, written apart: one for the rules, one for readers."""
    states, documents = {}, {}
    for batch in Histories(seed).batches(1_500, orders_max=12):
        for record in batch.records:
            if not codec.is_event(record.key):
                continue
            recorded = codec.decode(record)
            order_id = recorded.order_id
            states[order_id] = fold(states.get(order_id, Order()), recorded.event)
            documents[order_id] = evolve(documents.get(order_id), recorded)
    assert len(states) == 12

    for order_id, state in states.items():
        order, money = derived(documents[order_id]), state.money
        answer = {**order, "stale_since": None}
        assert OrderAnswer.model_validate_json(orjson.dumps(answer))
        assert order["lifecycle"] == state.lifecycle
        assert order["on_hold"] == state.is_held
        assert order["is_placed"] == bool(state.lines)
        named = {**money._asdict(), "balance_minor": money.balance_minor}
        provisional = set() if order["is_placed"] else {"total_minor"}
        for name in named.keys() - provisional:
            assert order[name] == named[name], name
        for line in order["lines"]:
            known = state.lines.get(line["line_id"])
            if known is None:
                assert not order["is_placed"]
                continue
            assert line["quantity"] == known.ordered
            assert line["total_minor"] == known.placed.total_minor
            assert line["cancelled"] == known.cancelled
            assert line["returned"] == known.returned
            assert line["delivered"] == state.delivered(line["line_id"])
            assert line["backordered"] == known.backordered
        for payment in order["payments"]:
            known = state.payments[payment["payment_id"]]
            assert payment["authorised_minor"] == known.authorised_minor
            assert payment["captured_minor"] == known.captured_minor
        assert len(order["returns"]) == len(state.returns)
        assert len(order["refunds"]) == len(state.refunds)
