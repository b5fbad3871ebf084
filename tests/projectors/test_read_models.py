"""`customers`, `revenue` and `timeline`: given these facts, exactly these rows."""

from datetime import UTC, date, datetime
from typing import get_args

import pytest

from domain.events import OrderEvent
from projectors import folding
from projectors.kinds import Append, Fold
from projectors.parked.parking import Parking
from projectors.read_models import PROJECTIONS
from projectors.read_models.times import moment, rfc3339

from .given import (
    ACCEPTED,
    CAPTURE_REQUESTED,
    NINE_US,
    ONE_OF_EACH,
    ORDER,
    PLACED,
    REQUESTED,
    authorised,
    cancelled,
    captured,
    history,
    lines_cancelled,
    shipment,
)

MIDNIGHT_US = NINE_US + 15 * 3_600_000_000
"""2026-11-24T00:00:00Z"""
FIRST, SECOND = date(2026, 11, 23), date(2026, 11, 24)


def tallied(name: str, *histories) -> list[tuple]:
    sums: folding.Amounts = {}
    for facts in histories:
        folding.tally(PROJECTIONS[name], sums, facts, Parking())
    return folding.tally_rows(sums)


@pytest.mark.parametrize(
    ("facts", "row"),
    [
        # orders, gross, cancelled, captured, refunded
        ([PLACED], ("c-1", "EUR", 1, 4_470, 0, 0, 0)),
        ([PLACED, ACCEPTED, REQUESTED, authorised(4_470)], ("c-1", "EUR", 1, 4_470, 0, 0, 0)),
        ([PLACED, CAPTURE_REQUESTED, captured(4_000)], ("c-1", "EUR", 1, 4_470, 0, 4_000, 0)),
        ([PLACED, captured(4_000), captured(470)], ("c-1", "EUR", 1, 4_470, 0, 4_470, 0)),
        ([PLACED, lines_cancelled(967, _1=1)], ("c-1", "EUR", 1, 4_470, 967, 0, 0)),
        (
            [PLACED, lines_cancelled(967, _1=1), cancelled(3_503)],
            ("c-1", "EUR", 1, 4_470, 4_470, 0, 0),
        ),
        ([PLACED, ACCEPTED, shipment(_1=1)], ("c-1", "EUR", 1, 4_470, 0, 0, 0)),
    ],
)
def test_a_customer_is_the_sum_of_the_facts(facts, row):
    assert tallied("customers", history(*facts)) == [row]


def test_customers_and_currencies_are_counted_apart():
    others = [captured(100, "USD"), captured(10, "EUR", "c-2"), captured(1)]

    assert tallied("customers", history(PLACED), history(PLACED, *others)) == [
        ("c-1", "EUR", 2, 8_940, 0, 1, 0),
        ("c-1", "USD", 0, 0, 0, 100, 0),
        ("c-2", "EUR", 0, 0, 0, 10, 0),
    ]


@pytest.mark.parametrize(
    ("placed_at_us", "day"),
    [
        (NINE_US, FIRST),
        (MIDNIGHT_US - 1, FIRST),
        (MIDNIGHT_US, SECOND),
        (MIDNIGHT_US + 24 * 3_600_000_000 - 1, SECOND),
    ],
)
def test_revenue_is_of_the_utc_day_on_which_it_occurred(placed_at_us, day):
    """Not of when it was recorded: half a second later here."""
    assert tallied("revenue", history(PLACED, from_us=placed_at_us)) == [
        (day, "EUR", 1, 4_470, 0, 0)
    ]


def test_money_counts_on_the_day_it_was_taken():
    hour_before = MIDNIGHT_US - 3_600_000_000

    assert tallied("revenue", history(PLACED, captured(4_470), from_us=hour_before)) == [
        (FIRST, "EUR", 1, 4_470, 0, 0),
        (SECOND, "EUR", 0, 0, 4_470, 0),
    ]


def test_what_was_placed_stays_placed_when_it_is_cancelled_later():
    assert tallied("revenue", history(PLACED, lines_cancelled(967, _1=1), cancelled(3_503))) == [
        (FIRST, "EUR", 1, 4_470, 0, 0)
    ]


def test_the_timeline_has_every_event_with_its_provenance_and_place():
    facts = history(PLACED, REQUESTED)

    rows = folding.rows(PROJECTIONS["timeline"], facts, Parking())

    assert rows[1] == (
        ORDER,
        2,
        2,
        20,
        "0193a5c0-0000-7000-8000-000000000002",
        "PaymentAuthorisationRequested",
        datetime(2026, 11, 23, 10, tzinfo=UTC),
        datetime(2026, 11, 23, 10, 0, 0, 500_000, tzinfo=UTC),
        "user",
        "u-1",
        "corr",
        "cause",
        "why",
        "key-2",
        '{"payment_id":"p-1","amount_minor":4470,"method":"card"}',
    )
    assert [row[1] for row in rows] == [1, 2]
    assert '"name":"Cup","quantity":3,"unit_price_minor":1000' in rows[0][-1]


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_every_function_takes_every_event(event):
    """Also one that comes before all others: projections never validate."""
    (recorded,) = history(event)

    for projection in PROJECTIONS.values():
        if isinstance(projection, Fold):
            assert projection.evolve(None, recorded)["version"] == 1
        elif isinstance(projection, Append):
            assert len(projection.rows(recorded)) == 1
        else:
            width = len(projection.table(None).columns)
            for key, amounts in projection.deltas(recorded).items():
                assert len(key) == projection.key_columns
                assert len(key) + len(amounts) == width


def test_no_event_is_forgotten_here():
    assert {type(event) for event in ONE_OF_EACH} == set(get_args(OrderEvent))


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (NINE_US, "2026-11-23T09:00:00Z"),
        (NINE_US + 1, "2026-11-23T09:00:00.000001Z"),
    ],
)
def test_times_are_exact_to_the_microsecond(at_us, text):
    assert rfc3339(at_us) == text
    assert moment(at_us).utcoffset().total_seconds() == 0
