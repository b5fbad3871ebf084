"""SQL of lists of orders: fixed fragments, every value bound. Pages go on behind a key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from query_api.cursors import Key
from query_api.reading import Statement, stale_since, statement

_CONDITIONS: Mapping[str, str] = {
    "customer_id": "customer_id =",
    "lifecycle": "lifecycle =",
    "payment_status": "payment_status =",
    "fulfilment_status": "fulfilment_status =",
    "currency": "currency =",
    "placed_from": "placed_at >=",
    "placed_to": "placed_at <",
    "min_total_minor": "total_minor >=",
    "max_total_minor": "total_minor <=",
}


@dataclass(frozen=True, slots=True)
class Order:
    """By which column rows are sorted (ties by order id), and what its values are."""

    column: str
    is_descending: bool
    kind: type[Key]

    @property
    def direction(self) -> str:
        """The word of SQL."""
        return "DESC" if self.is_descending else "ASC"

    @property
    def beyond(self) -> str:
        """Compares a later row's key with an earlier one's."""
        return "<" if self.is_descending else ">"


@dataclass(frozen=True, slots=True)
class Queue:
    """Work to do, oldest first: rows whose `column` is true; an index holds just these."""

    name: str
    column: str


FULFILMENT = Queue("queues/fulfilment", "has_work")
RETURNS = Queue("queues/returns", "has_open_return")


def order_of(sort: str) -> Order:
    """Read a sort parameter: a column, `-` before it for the other direction."""
    column = sort.removeprefix("-")
    return Order(column, sort.startswith("-"), int if column == "total_minor" else datetime)


@lru_cache(maxsize=1024)
def orders(filters: tuple[str, ...], sort: str, is_continued: bool) -> Statement:
    """Return the statement of a page.

    Its arguments are the values of `filters` in their order, then the key and the order id of the
    row before when the page `is_continued`, then the limit. Its columns after the position are
    `document`, `key`, `order_id` and `stale_since`.
    """
    order = order_of(sort)
    conditions = [f"{_CONDITIONS[name]} ${n}" for n, name in enumerate(filters, 1)]
    select = _select(conditions, order, len(filters), is_continued)
    return statement("orders", select, _order_by(order, "r.key, r.order_id"))


@lru_cache(maxsize=16)
def queue(work: Queue, is_continued: bool) -> Statement:
    """Return the statement of a page of a queue; arguments and columns are those of `orders`."""
    order = order_of("placed_at")
    select = _select([work.column], order, 0, is_continued)
    return statement("orders", select, _order_by(order, "r.key, r.order_id"))


def _select(conditions: Iterable[str], order: Order, known: int, is_continued: bool) -> str:
    """Select from the live orders; arguments are numbered after the first `known`."""
    clauses = list(conditions)
    if is_continued:
        clauses.append(f"({order.column}, order_id) {order.beyond} (${known + 1}, ${known + 2})")
        known += 2
    where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
    return (
        f"SELECT document, {order.column} AS key, order_id, {stale_since('orders', 'o.order_id')} "
        f"FROM read_models.orders o{where} "
        f"ORDER BY {_order_by(order, f'{order.column}, order_id')} LIMIT ${known + 1}"
    )


def _order_by(order: Order, columns: str) -> str:
    return ", ".join(f"{column} {order.direction}" for column in columns.split(", "))
