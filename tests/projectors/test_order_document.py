"""`orders`: given these facts, the order is called so, and adds up to that."""

import json
from functools import reduce

import pytest

from domain import events
from projectors.read_models import PROJECTIONS
from projectors.read_models.order_document import derived, evolve

from .given import (
    ACCEPTED,
    CAPTURE_REQUESTED,
    DELIVERED,
    DISPATCHED,
    FAILED,
    ORDER,
    PLACED,
    RECEIVED,
    REQUESTED,
    VOIDED,
    authorised,
    cancelled,
    captured,
    charged_back,
    history,
    lines_cancelled,
    refunded,
    shipment,
)

ALL = shipment(_1=3, _2=2)


def document(*facts) -> dict:
    return derived(reduce(evolve, history(*facts), None))


def test_what_was_placed_is_there_as_it_was_placed():
    assert document(PLACED) == {
        "order_id": ORDER,
        "version": 1,
        "customer_id": "c-1",
        "currency": "EUR",
        "lifecycle": "PLACED",
        "is_placed": True,
        "on_hold": False,
        "payment_status": "NONE",
        "fulfilment_status": "NONE",
        "return_status": "NONE",
        "lines": [
            {
                "line_id": "1",
                "sku": "A-1",
                "name": "Cup",
                "quantity": 3,
                "cancelled": 0,
                "shipped": 0,
                "delivered": 0,
                "returned": 0,
                "allocated": 0,
                "backordered": 0,
                "delivered_before": 0,
                "unit_price_minor": 1_000,
                "discount_minor": 100,
                "tax_minor": 463,
                "total_minor": 2_900,
                "taxes": [{"code": "VAT", "rate": "0.19", "amount_minor": 463, "included": True}],
            },
            {
                "line_id": "2",
                "sku": "B-2",
                "name": "",
                "quantity": 2,
                "cancelled": 0,
                "shipped": 0,
                "delivered": 0,
                "returned": 0,
                "allocated": 0,
                "backordered": 0,
                "delivered_before": 0,
                "unit_price_minor": 500,
                "discount_minor": 0,
                "tax_minor": 80,
                "total_minor": 1_080,
                "taxes": [
                    {"code": "DEPOSIT", "rate": "0.08", "amount_minor": 80, "included": False}
                ],
            },
        ],
        "subtotal_minor": 4_000,
        "discount_minor": 100,
        "tax_minor": 543,
        "shipping_minor": 490,
        "total_minor": 4_470,
        "cancelled_minor": 0,
        "returned_minor": 0,
        "authorised_minor": 0,
        "captured_minor": 0,
        "refunded_minor": 0,
        "charged_back_minor": 0,
        "balance_minor": 4_470,
        "placed_at": "2026-11-23T09:00:00Z",
        "updated_at": "2026-11-23T09:00:00.500000Z",
        "end_reason": None,
        "replaces_order_id": None,
        "imported_from": None,
        "contact": {"name": "Zoë", "email": "z@example.org", "phone": ""},
        "ship_to": {
            "name": "Zoë",
            "lines": ["Weg 1", "Hof"],
            "postal_code": "10115",
            "city": "Berlin",
            "region": "",
            "country": "DE",
        },
        "bill_to": None,
        "shipping": {"method": "standard", "price_minor": 490},
        "discounts": [{"discount_id": "SPRING", "amount_minor": 100, "line_id": "1"}],
        "payments": [],
        "refunds": [],
        "shipments": [],
        "returns": [],
        "holds": [],
        "amendments": [],
        "notes": [],
    }


@pytest.mark.parametrize(
    ("facts", "lifecycle", "end_reason"),
    [
        ([], "PLACED", None),
        ([ACCEPTED], "ACCEPTED", None),
        ([events.OrderRejected("sold out")], "REJECTED", "sold out"),
        ([ACCEPTED, cancelled()], "CANCELLED", "changed my mind"),
        ([ACCEPTED, cancelled(), captured(1)], "CANCELLED", "changed my mind"),
    ],
)
def test_lifecycle(facts, lifecycle, end_reason):
    order = document(PLACED, *facts)

    assert (order["lifecycle"], order["end_reason"]) == (lifecycle, end_reason)
    assert order["version"] == 1 + len(facts)


@pytest.mark.parametrize(
    ("facts", "status", "authorised_minor", "captured_minor", "cancelled_minor", "balance_minor"),
    [
        ([REQUESTED], "PENDING", 0, 0, 0, 4_470),
        ([REQUESTED, FAILED], "NONE", 0, 0, 0, 4_470),
        ([REQUESTED, authorised(1_000)], "PARTIALLY_AUTHORISED", 1_000, 0, 0, 4_470),
        ([REQUESTED, authorised(4_470)], "AUTHORISED", 4_470, 0, 0, 4_470),
        ([authorised(4_000), authorised(470, "p-2")], "AUTHORISED", 4_470, 0, 0, 4_470),
        ([authorised(4_470), CAPTURE_REQUESTED], "AUTHORISED", 4_470, 0, 0, 4_470),
        ([authorised(4_470), captured(4_000)], "PARTIALLY_CAPTURED", 4_470, 4_000, 0, 470),
        ([authorised(4_470), captured(4_470)], "CAPTURED", 4_470, 4_470, 0, 0),
        ([captured(4_000), captured(470, reference="r-9")], "CAPTURED", 0, 4_470, 0, 0),
        ([captured(5_000)], "OVERCHARGED", 0, 5_000, 0, -530),
        ([captured(3_390), lines_cancelled(1_080, _2=2)], "CAPTURED", 0, 3_390, 1_080, 0),
        ([captured(4_470), captured(4_470)], "CAPTURED", 0, 4_470, 0, 0),
        ([authorised(4_470), authorised(4_470)], "AUTHORISED", 4_470, 0, 0, 4_470),
        ([authorised(4_470), VOIDED], "VOIDED", 0, 0, 0, 4_470),
        ([captured(4_470), refunded(1_000)], "PARTIALLY_REFUNDED", 0, 4_470, 0, 1_000),
        ([captured(4_470), refunded(9), refunded(9)], "PARTIALLY_REFUNDED", 0, 4_470, 0, 9),
        ([captured(4_470), refunded(4_470)], "REFUNDED", 0, 4_470, 0, 4_470),
        ([captured(4_470), charged_back(500)], "PARTIALLY_REFUNDED", 0, 4_470, 0, 500),
        ([captured(4_470), RECEIVED, refunded(1_933)], "PARTIALLY_REFUNDED", 0, 4_470, 0, 0),
        ([cancelled()], "NONE", 0, 0, 4_470, 0),
        ([captured(4_470), cancelled()], "CAPTURED", 0, 4_470, 4_470, -4_470),
        ([lines_cancelled(967, _1=1), cancelled(3_503)], "NONE", 0, 0, 4_470, 0),
    ],
)
def test_money(facts, status, authorised_minor, captured_minor, cancelled_minor, balance_minor):
    order = document(PLACED, *facts)

    assert order["payment_status"] == status
    assert order["authorised_minor"] == authorised_minor
    assert order["captured_minor"] == captured_minor
    assert order["cancelled_minor"] == cancelled_minor
    assert order["balance_minor"] == balance_minor
    assert order["total_minor"] == 4_470


@pytest.mark.parametrize(
    ("facts", "status", "first_line", "second_line"),
    [
        # per line: cancelled, shipped, delivered
        ([ALL], "NONE", (0, 0, 0), (0, 0, 0)),
        ([ALL, DISPATCHED], "FULFILLED", (0, 3, 0), (0, 2, 0)),
        ([ALL, DISPATCHED, DELIVERED], "DELIVERED", (0, 3, 3), (0, 2, 2)),
        ([shipment(_1=2), DISPATCHED], "PARTIAL", (0, 2, 0), (0, 0, 0)),
        ([shipment(_1=2), DISPATCHED, DELIVERED], "PARTIAL", (0, 2, 2), (0, 0, 0)),
        (
            [lines_cancelled(2_047, _1=1, _2=2), shipment(_1=2), DISPATCHED],
            "FULFILLED",
            (1, 2, 0),
            (2, 0, 0),
        ),
        (
            [shipment(_1=3), shipment("s-2", _2=2), DISPATCHED, DELIVERED],
            "PARTIAL",
            (0, 3, 3),
            (0, 0, 0),
        ),
        ([ALL, cancelled()], "NONE", (3, 0, 0), (2, 0, 0)),
    ],
)
def test_goods(facts, status, first_line, second_line):
    order = document(PLACED, ACCEPTED, *facts)

    assert order["fulfilment_status"] == status
    first, second = [
        (line["cancelled"], line["shipped"], line["delivered"]) for line in order["lines"]
    ]
    assert (first, second) == (first_line, second_line)


def test_a_payment_tells_its_own_story():
    facts = [REQUESTED, FAILED, authorised(4_470), CAPTURE_REQUESTED, captured(4_000)]

    assert document(PLACED, *facts)["payments"] == [
        {
            "payment_id": "p-1",
            "method": "card",
            "status": "PARTIALLY_CAPTURED",
            "requested_minor": 4_470,
            "authorised_minor": 4_470,
            "capture_requested_minor": 4_470,
            "captured_minor": 4_000,
            "refunded_minor": 0,
            "charged_back_minor": 0,
            "authorisations": [{"psp_reference": "r-1", "amount_minor": 4_470, "expires_at": None}],
            "failures": [{"psp_reference": "r-0", "reason": "no funds"}],
            "captures": [
                {
                    "capture_id": "k-1",
                    "requested_minor": 4_470,
                    "captured_minor": 4_000,
                    "psp_references": ["r-2"],
                    "failure": None,
                }
            ],
            "released": [],
            "chargebacks": [],
        }
    ]


def test_a_shipment_tells_when_it_left_and_arrived():
    assert document(PLACED, shipment(_1=3), DISPATCHED, DELIVERED)["shipments"] == [
        {
            "shipment_id": "s-1",
            "carrier": "DHL",
            "tracking_number": "T-1",
            "tracking_status": None,
            "status": "DELIVERED",
            "lines": [{"line_id": "1", "quantity": 3}],
            "created_at": "2026-11-23T10:00:00Z",
            "dispatched_at": "2026-11-23T11:00:00Z",
            "delivered_at": "2026-11-23T12:00:00Z",
            "failure": None,
        }
    ]


def test_cancelling_ends_the_shipments_that_have_not_left():
    facts = [shipment("s-0", _1=1), shipment(_1=2), DISPATCHED, cancelled()]

    shipments = document(PLACED, *facts)["shipments"]

    assert [(one["shipment_id"], one["status"]) for one in shipments] == [
        ("s-0", "CANCELLED"),
        ("s-1", "DISPATCHED"),
    ]


def test_a_note_keeps_its_text_and_time():
    assert document(PLACED, events.NoteAdded("n-1", "call\nfirst ☎"))["notes"] == [
        {"note_id": "n-1", "text": "call\nfirst ☎", "at": "2026-11-23T10:00:00Z"}
    ]


def test_an_earlier_document_is_never_changed():
    facts = history(PLACED, REQUESTED, authorised(4_470), ALL, DISPATCHED, cancelled())
    documents = [None]
    for recorded in facts:
        documents.append(evolve(documents[-1], recorded))
    texts = [json.dumps(one) for one in documents]

    for number, recorded in enumerate(facts):
        derived(evolve(documents[number], recorded))

    assert [json.dumps(one) for one in documents] == texts


def test_the_columns_are_those_of_the_document():
    order = document(PLACED, REQUESTED, authorised(4_470))
    projection = PROJECTIONS["orders"]

    row = projection.row(order, "its text", 3)

    columns = dict(zip((c.name for c in projection.table(None).columns), row, strict=True))
    assert columns.pop("document") == "its text"
    assert columns.pop("partition") == 3
    assert columns.pop("has_open_return") is False
    assert columns.pop("has_work") is False
    assert columns.pop("placed_at").isoformat() == "2026-11-23T09:00:00+00:00"
    assert columns.pop("updated_at").isoformat() == "2026-11-23T11:00:00.500000+00:00"
    assert columns == {name: order[name] for name in columns}
