"""What the traffic of `under_traffic` asks for: commands on new orders, reads of every kind."""

import random
import uuid
from collections import deque
from collections.abc import Sequence

import orjson

from benchmarks import load
from benchmarks.traffic import Request

_ACCEPT, _NOTE = 3, 4
_TURNS = 5
_GOODS = 50
_CUSTOMERS = 20_000
_OTHER_READS = 0.15


class Commands:
    """Three of five place an order, one accepts one of these, one adds a note: an event each."""

    def __init__(self) -> None:
        self._rng = random.Random(1)  # noqa: S311 - what is ordered
        self._placed: deque[str] = deque()
        self._accepted: deque[str] = deque(maxlen=1_000)
        self._turn = 0

    def next(self) -> Request:
        """Return the next command."""
        self._turn = (self._turn + 1) % _TURNS
        if self._turn == _ACCEPT and self._placed:
            order_id = self._placed.popleft()
            sent = load.post(f"/v1/orders/{order_id}/accept", b"{}")
            return Request(sent, lambda _: self._accepted.append(order_id))
        if self._turn == _NOTE and self._accepted:
            body = orjson.dumps({"note_id": uuid.uuid4().hex, "text": "Please ring twice."})
            order_id = self._rng.choice(self._accepted)
            return Request(load.post(f"/v1/orders/{order_id}/add-note", body))
        return Request(self._place(), self._on_placed)

    def _place(self) -> bytes:
        rng = self._rng
        lines = [
            {"sku": f"A-{rng.randrange(_GOODS)}", "quantity": 2, "unit_price_minor": 1_299}
            for _ in range(rng.randint(1, 4))
        ]
        customer_id = f"c-{rng.randrange(_CUSTOMERS)}"
        body = orjson.dumps({"customer_id": customer_id, "currency": "EUR", "lines": lines})
        return load.post("/v1/orders", body, f"idempotency-key: {uuid.uuid4()}")

    def _on_placed(self, answer: bytes) -> None:
        self._placed.append(orjson.loads(answer)["order_id"])


class Reads:
    """Mostly single orders; also timelines, lists of a customer's orders, and a month's revenue."""

    def __init__(self, orders: Sequence[tuple[str, str]]) -> None:
        """Take (order id, customer id) of orders that are there."""
        self._rng = random.Random(2)  # noqa: S311 - what is asked for
        self._orders = orders

    def next(self) -> Request:
        """Return the next question."""
        rng = self._rng
        order_id, customer_id = rng.choice(self._orders)
        if rng.random() >= _OTHER_READS:
            return Request(load.get(f"/v1/orders/{order_id}"))
        others = (
            f"/v1/orders/{order_id}/timeline",
            f"/v1/customers/{customer_id}/orders?limit=20",
            "/v1/reports/revenue?from=2026-01-01&to=2026-01-31",
        )
        return Request(load.get(rng.choice(others)))
