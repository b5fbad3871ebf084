import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decide import decide
from domain.events import OrderPlaced
from domain.order import Order
from domain.values import INT64_MAX
from seeding.completejourney import CompleteJourney
from seeding.orders import LeftOut, SeedOrder

AMOUNTS = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
ORDERS = 200


@pytest.fixture(scope="module")
def read() -> tuple[CompleteJourney, list[SeedOrder]]:
    """The first 200 orders."""
    dataset = CompleteJourney()
    return dataset, list(dataset.orders(ORDERS))


@pytest.fixture(scope="module")
def rows(read) -> pa.Table:
    """The rows of the baskets that were read for them, taken from the data in one piece."""
    dataset, _ = read
    table = pq.read_table(dataset._folder / "transactions.parquet")
    baskets = list(dict.fromkeys(table["basket_id"].slice(0, 10_000).to_pylist()))
    first = pa.array(baskets[: dataset.survey.baskets])
    return table.filter(pc.is_in(table["basket_id"], first))


def cents(column: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.round(pc.multiply(column, 100.0))).as_py() or 0)


def test_totals_are_those_of_the_data_to_the_cent(rows, read):
    _, orders = read
    sold = rows.filter(pc.greater(rows["quantity"], 0))

    assert sum(order.expected.sums.total_minor for order in orders) == (
        cents(sold["sales_value"]) - cents(sold["coupon_disc"])
    )
    assert sum(order.expected.sums.lines for order in orders) == sold.num_rows
    assert sum(order.expected.sums.pieces for order in orders) == pc.sum(sold["quantity"]).as_py()


def test_every_basket_is_its_own_order_with_the_total_of_its_rows(rows, read):
    _, orders = read
    by_name = {order.name: order for order in orders}
    for basket in set(rows["basket_id"].to_pylist()):
        mine = rows.filter(pc.equal(rows["basket_id"], basket))
        sold = mine.filter(pc.greater(mine["quantity"], 0))
        if sold.num_rows == 0:
            assert str(basket) not in by_name
            continue
        order = by_name[str(basket)]
        assert order.expected.sums.total_minor == cents(sold["sales_value"]) - cents(
            sold["coupon_disc"]
        )
        data = order.commands[0]["data"]
        assert data["customer_id"] == str(mine["household_id"][0].as_py())
        assert [line["sku"] for line in data["lines"]] == [
            str(product) for product in sold["product_id"].to_pylist()
        ]
        assert [line["quantity"] for line in data["lines"]] == sold["quantity"].to_pylist()
        moment = mine["transaction_timestamp"].cast(pa.timestamp("us"))[0].as_py()
        assert data["placed_at"] == moment.isoformat() + "Z"


def test_rows_that_cannot_be_sold_are_counted_with_their_money(rows, read):
    dataset, orders = read
    unsold = rows.filter(pc.equal(rows["quantity"], 0))
    assert unsold.num_rows > 0

    survey = dataset.survey
    assert survey.left_out == {
        "the quantity is not above zero": LeftOut(
            unsold.num_rows, cents(unsold["sales_value"]), cents(unsold["coupon_disc"])
        )
    }
    assert survey.rows == rows.num_rows
    assert survey.baskets == pc.count_distinct(rows["basket_id"]).as_py()
    assert survey.baskets - survey.baskets_without_order == len(orders) == ORDERS


def test_the_rules_price_every_order_as_the_data_say(read, domain_command):
    _, orders = read
    for order in orders:
        (command,) = order.commands
        (event,) = decide(Order(), domain_command(command["command"], dict(command["data"])))
        assert isinstance(event, OrderPlaced)
        assert event.total_minor == order.expected.sums.total_minor
        assert event.currency == "USD"
        assert event.shipping_minor == event.tax_minor == 0


def test_the_same_orders_come_in_every_run():
    assert list(CompleteJourney().orders(50)) == list(CompleteJourney().orders(50))


def test_fewer_orders_are_the_first_of_more():
    assert list(CompleteJourney().orders(10)) == list(CompleteJourney().orders(40))[:10]


def table(path: Path, *rows: dict[str, object]) -> CompleteJourney:
    """A data set of one's own."""
    row = {
        "household_id": 7,
        "store_id": 1,
        "basket_id": 1,
        "product_id": 11,
        "quantity": 1,
        "sales_value": 1.0,
        "retail_disc": 0.0,
        "coupon_disc": 0.0,
        "coupon_match_disc": 0.0,
        "week": 1,
    }
    full = [{**row, **given_row} for given_row in rows]
    columns = {name: [one[name] for one in full] for name in row}
    moments = pa.array([1_483_271_606_000_000_000] * len(full), pa.timestamp("ns"))
    pq.write_table(
        pa.table({**columns, "transaction_timestamp": moments}), path / "transactions.parquet"
    )
    products = {
        "product_id": [11],
        "department": ["GROCERY"],
        "product_category": ["TEA"],
        "product_type": ["GREEN TEA"],
        "package_size": ["100 G"],
    }
    pq.write_table(pa.table(products), path / "products.parquet")
    return CompleteJourney(path)


def test_a_shelf_price_and_its_discounts(tmp_path: Path):
    """2 pieces, the shop got 2.78 after 0.80 loyalty; a coupon of 0.50 was the customer's."""
    dataset = table(
        tmp_path, {"quantity": 2, "sales_value": 2.78, "retail_disc": 0.8, "coupon_disc": 0.5}
    )

    (order,) = dataset.orders(5)

    data = order.commands[0]["data"]
    assert data["lines"] == [
        {
            "line_id": "1",
            "sku": "11",
            "name": "GREEN TEA, 100 G",
            "quantity": 2,
            "unit_price_minor": 179,
        }
    ]
    assert data["discounts"] == [
        {"discount_id": "loyalty-1", "amount_minor": 80, "line_id": "1"},
        {"discount_id": "coupon-1", "amount_minor": 50, "line_id": "1"},
    ]
    assert order.expected.sums.total_minor == 228
    assert data["placed_at"] == "2017-01-01T11:53:26Z"


def test_thousandths_of_a_gallon_cost_less_than_a_cent_each(tmp_path: Path):
    dataset = table(tmp_path, {"quantity": 89_638, "sales_value": 40.0})

    (order,) = dataset.orders(5)

    data = order.commands[0]["data"]
    assert data["lines"][0]["unit_price_minor"] == 1
    assert data["discounts"] == [
        {"discount_id": "rounding-1", "amount_minor": 85_638, "line_id": "1"}
    ]
    assert order.expected.sums.total_minor == 4000


def test_a_coupon_above_its_row_comes_off_the_rest_of_the_order(tmp_path: Path, domain_command):
    dataset = table(tmp_path, {"sales_value": 1.0, "coupon_disc": 1.5}, {"sales_value": 2.0})

    (order,) = dataset.orders(5)

    (command,) = order.commands
    assert {"discount_id": "coupons", "amount_minor": 50} in command["data"]["discounts"]
    (event,) = decide(Order(), domain_command("PlaceOrder", command["data"]))
    assert isinstance(event, OrderPlaced)
    assert event.total_minor == order.expected.sums.total_minor == 150


def test_coupons_above_the_whole_order_are_reported(tmp_path: Path):
    dataset = table(tmp_path, {"sales_value": 1.0, "coupon_disc": 1.75})

    (order,) = dataset.orders(5)

    assert order.expected.sums.total_minor == 0
    assert dataset.survey.unused_coupons_minor == 75


def test_a_basket_without_goods_is_reported_and_does_not_count(tmp_path: Path):
    dataset = table(
        tmp_path,
        {"basket_id": 1, "quantity": 0, "sales_value": 0.5, "coupon_disc": 0.25},
        {"basket_id": 2},
        {"basket_id": 3},
    )

    orders = list(dataset.orders(1))

    assert [order.name for order in orders] == ["2"]
    assert dataset.survey.baskets_without_order == 1
    assert dataset.survey.left_out == {"the quantity is not above zero": LeftOut(1, 50, 25)}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"quantity": -1}, "the quantity is not above zero"),
        ({"sales_value": -0.01}, "an amount is below zero"),
        ({"coupon_disc": -0.01}, "an amount is below zero"),
        ({"sales_value": float("nan")}, "an amount is no number"),
        ({"sales_value": float("inf")}, "an amount is no number"),
        ({"product_id": None}, "a value is missing"),
    ],
)
def test_dirty_rows_are_named_and_not_sold(tmp_path: Path, wrong, reason):
    dataset = table(tmp_path, wrong, {})

    (order,) = dataset.orders(5)

    assert order.expected.sums.lines == 1
    assert {why: left.rows for why, left in dataset.survey.left_out.items()} == {reason: 1}


ROWS = st.lists(
    st.fixed_dictionaries(
        {"quantity": st.integers(1, 100_000), "product_id": st.integers(1, 10**9)}
        | {name: st.integers(0, 100_000).map(lambda minor: minor / 100) for name in AMOUNTS}
    ),
    min_size=1,
    max_size=6,
)


@given(rows=ROWS)
def test_any_row_becomes_a_line_that_the_rules_accept(rows, tmp_path_factory, domain_command):
    (order,) = table(tmp_path_factory.mktemp("rows"), *rows).orders(1)

    (event,) = decide(Order(), domain_command("PlaceOrder", order.commands[0]["data"]))

    assert isinstance(event, OrderPlaced)
    sales = sum(round(row["sales_value"] * 100) for row in rows)
    coupons = sum(round(row["coupon_disc"] * 100) for row in rows)
    assert event.total_minor == order.expected.sums.total_minor == max(0, sales - coupons)
    assert event.subtotal_minor <= INT64_MAX
    shelf = [
        round(row["sales_value"] * 100)
        + round(row["retail_disc"] * 100)
        + round(row["coupon_match_disc"] * 100)
        for row in rows
    ]
    for line, row, value in zip(event.lines, rows, shelf, strict=True):
        assert 0 <= line.quantity * line.unit_price_minor - value < row["quantity"]


def test_pandas_is_not_needed():
    code = (
        "import sys; from seeding.completejourney import CompleteJourney;"
        "list(CompleteJourney().orders(3)); sys.exit('pandas' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
