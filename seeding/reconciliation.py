"""The reckoning: what was sent, against what the query API serves, order by order.

Orders are matched by id, so other orders in the same service do no harm. When there are none in
the days of the data set, the revenue report must come to the same sums too.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import httpx2
import orjson

from runtime.position import Position
from seeding.orders import Expected, Sums, utc

PAGE_ORDERS = 200
_WAIT_MS = 10_000
_UNAVAILABLE = 503
_OK = 200
_AGAIN_S = 0.2
_SHOWN_MAX = 20
_DAY = timedelta(days=1)


class ReadingFailed(Exception):  # noqa: N818 - says what happened
    """The query API cannot be reached, or does not contain the orders in time."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One order that is not served as it was sent; `served` None: it is not there."""

    order_id: str
    currency: str
    sent: Sums
    served: Sums | None


@dataclass(slots=True)
class Reckoning:
    """Sums per currency, the orders that differ (the first of them), and the report's word.

    `revenue_differs` names what the revenue report says differently; None: it was not comparable,
    because `others` orders of somebody else fall into the same days.
    """

    sent: dict[str, Sums] = field(default_factory=dict)
    served: dict[str, Sums] = field(default_factory=dict)
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    others: int = 0
    revenue_differs: list[str] | None = None

    @property
    def is_equal(self) -> bool:
        """Everything that was sent is served, to the last minor unit."""
        return self.differing == 0 and self.sent == self.served and not self.revenue_differs

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready data."""
        return {"is_equal": self.is_equal, **asdict(self)}


class Served:
    """The query API, asked for what contains at least `position`. Waits at most `wait_s`."""

    def __init__(
        self, client: httpx2.AsyncClient, position: Position | None, wait_s: float
    ) -> None:
        self._client = client
        self._headers = {"Orders-Min-Position": position.encode()} if position else {}
        self._until = monotonic() + wait_s

    async def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON of an answer that contains the position.

        Raises:
            ReadingFailed: not in time, or not at all; what is served may still be catching up.
        """
        while True:
            wait_ms = min(_WAIT_MS, max(0, int((self._until - monotonic()) * 1000)))
            try:
                answer = await self._client.get(
                    path, params={**parameters, "wait_ms": wait_ms}, headers=self._headers
                )
                why = f"{answer.status_code} {answer.text[:300]}"
            except httpx2.TransportError as error:
                answer, why = None, f"{type(error).__name__} {error}"
            if answer is not None and answer.status_code == _OK:
                return orjson.loads(answer.content)
            if answer is not None and answer.status_code != _UNAVAILABLE:
                raise ReadingFailed(f"the query API does not answer {path}: {why}")
            if monotonic() > self._until:
                raise ReadingFailed(f"the query API does not contain the orders yet: {why}")
            await asyncio.sleep(_AGAIN_S)

    async def orders(self, since: datetime, before: datetime) -> AsyncIterator[dict[str, Any]]:
        """Yield every order that was placed in `since` <= time < `before`, oldest first."""
        chosen = {
            "placed_from": utc(since),
            "placed_to": utc(before),
            "sort": "placed_at",
            "limit": PAGE_ORDERS,
        }
        page = await self.get("/v1/orders", **chosen)
        while True:
            for order in page["orders"]:
                yield order
            if not page["next_cursor"]:
                return
            page = await self.get("/v1/orders", **chosen, cursor=page["next_cursor"])


async def reckon(orders: Mapping[str, Expected], served: Served) -> Reckoning:
    """Compare the orders that were sent with those that are served.

    Raises:
        ReadingFailed: see `Served.get`.
    """
    result = Reckoning()
    if not orders:
        return result
    first, last = _days(orders)
    missing = dict(orders)
    async for order in served.orders(first, last):
        expected = missing.pop(order["order_id"], None)
        if expected is None:
            result.others += 1
        else:
            _compare(result, order["order_id"], expected, order)
    for order_id, expected in missing.items():
        _compare(result, order_id, expected, None)
    if result.others == 0:
        result.revenue_differs = await _compare_revenue(orders, served, first, last)
    return result


def _days(orders: Mapping[str, Expected]) -> tuple[datetime, datetime]:
    """Return the first day, and the day after the last, as midnights."""
    moments = [expected.placed_at.astimezone(UTC) for expected in orders.values()]
    first, last = (
        moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for moment in (min(moments), max(moments))
    )
    return first, last + _DAY


def _compare(
    result: Reckoning, order_id: str, expected: Expected, order: Mapping[str, Any] | None
) -> None:
    currency, sent = expected.currency, expected.sums
    result.sent[currency] = result.sent.get(currency, Sums()) + sent
    shown = None if order is None else _sums(order)
    if order is not None and shown is not None:
        served = order["currency"]
        result.served[served] = result.served.get(served, Sums()) + shown
    if shown != sent or (order is not None and order["currency"] != currency):
        result.differing += 1
        if len(result.differences) < _SHOWN_MAX:
            result.differences.append(Difference(order_id, currency, sent, shown))


def _sums(order: Mapping[str, Any]) -> Sums:
    return Sums(
        1,
        len(order["lines"]),
        sum(line["quantity"] for line in order["lines"]),
        order["total_minor"],
        order["captured_minor"],
        order["refunded_minor"],
        order["balance_minor"],
    )


async def _compare_revenue(
    sent: Mapping[str, Expected], served: Served, first: datetime, last: datetime
) -> list[str]:
    """Say what the revenue report sees differently in these days; nobody else sold anything.

    It counts what is placed on the day it was placed; money that moved later is of later days.
    """
    report = await served.get(
        "/v1/reports/revenue",
        **{"from": first.date().isoformat(), "to": (last - _DAY).date().isoformat()},
    )
    found: dict[str, tuple[int, int]] = {}
    for row in report["days"]:
        orders, gross = found.get(row["currency"], (0, 0))
        found[row["currency"]] = (orders + row["orders"], gross + row["gross_minor"])
    wanted: dict[str, tuple[int, int]] = {}
    for one in sent.values():
        orders, gross = wanted.get(one.currency, (0, 0))
        wanted[one.currency] = (orders + 1, gross + one.placed_minor)
    return [
        f"{currency}: the revenue report has {found.get(currency, (0, 0))} orders and minor units, "
        f"sent were {wanted.get(currency, (0, 0))}"
        for currency in sorted(found.keys() | wanted.keys())
        if found.get(currency) != wanted.get(currency)
    ]
