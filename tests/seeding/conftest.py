"""A shop in memory that answers as both APIs do, with the real rules; and the ways it can fail."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import httpx2
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from command_api.bodies import COMMANDS, kebab
from domain import commands as c
from domain.decide import decide
from domain.errors import Refused
from domain.events import OrderEvent
from domain.order import Order, evolve
from runtime.position import Position

LOG = b"shop"


def command_of(name: str, data: dict[str, Any]) -> c.OrderCommand:
    """What the command API makes of `data`."""
    return COMMANDS[kebab(name)].model_validate_json(orjson.dumps(data)).command()


@dataclass
class Shop:
    """Both APIs. `fault(commands so far)` may answer a request, or one command, in their place."""

    histories: dict[str, list[OrderEvent]] = field(default_factory=dict)
    placed_at: dict[str, str] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[int] = field(default_factory=list)
    fault_request: Callable[[int], Response | None] = lambda _n: None
    fault_command: Callable[[int], dict[str, Any] | None] = lambda _n: None
    falsify: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda order: order
    seen: int = 0
    not_yet: int = 0

    async def commands(self, request: Request) -> Response:
        asked = orjson.loads(await request.body())
        self.requests.append(len(asked))
        answer = self.fault_request(len(self.requests))
        return answer or JSONResponse({"results": [self._command(one) for one in asked]})

    def _command(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.seen += 1
        fault = self.fault_command(self.seen)
        if fault is not None:
            return fault
        key, order_id = asked["idempotency_key"], asked["order_id"]
        if key in self.answers:
            return {**self.answers[key], "replayed": True}
        history = self.histories.get(order_id, [])
        try:
            new = decide(
                reduce(evolve, history, Order()), command_of(asked["command"], asked["data"])
            )
        except Refused as error:
            return {"status": 409, "code": "rejected", "title": "no", "detail": str(error)}
        self.histories[order_id] = [*history, *new]
        if asked["command"] == "PlaceOrder":
            self.placed_at[order_id] = asked["data"]["placed_at"]
        self.answers[key] = {
            "status": 201 if asked["command"] == "PlaceOrder" else 200,
            "order_id": order_id,
            "replayed": False,
            "position": Position(LOG, {len(order_id) % 3: self.seen}).encode(),
        }
        return self.answers[key]

    def served(self) -> Iterator[dict[str, Any]]:
        for order_id, history in self.histories.items():
            order = reduce(evolve, history, Order())
            yield {
                "order_id": order_id,
                "currency": order.currency,
                "placed_at": self.placed_at[order_id],
                "lines": [{"quantity": line.ordered} for line in order.lines.values()],
                "total_minor": order.total_minor,
                "captured_minor": order.captured_minor,
                "refunded_minor": order.refunded_minor,
                "balance_minor": order.money.balance_minor,
            }

    async def orders(self, request: Request) -> Response:
        if self.not_yet > 0:
            self.not_yet -= 1
            return JSONResponse({"code": "not-yet-projected", "reason": "pending"}, 503)
        asked = request.query_params
        assert "orders-min-position" in request.headers
        found = sorted(
            (
                order
                for order in self.served()
                if asked["placed_from"] <= order["placed_at"] < asked["placed_to"]
            ),
            key=lambda order: (order["placed_at"], order["order_id"]),
        )
        found = [shown for order in found if (shown := self.falsify(order)) is not None]
        start, limit = int(asked.get("cursor", "0")), int(asked["limit"])
        end = start + limit
        return JSONResponse(
            {"orders": found[start:end], "next_cursor": str(end) if end < len(found) else None}
        )

    async def revenue(self, request: Request) -> Response:
        first, last = request.query_params["from"], request.query_params["to"]
        days = [
            {
                "day": order["placed_at"][:10],
                "currency": order["currency"],
                "orders": 1,
                "gross_minor": self.histories[order["order_id"]][0].total_minor,
            }
            for order in self.served()
            if first <= order["placed_at"][:10] <= last
        ]
        return JSONResponse({"days": days})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/commands", self.commands, methods=["POST"]),
                Route("/v1/orders", self.orders),
                Route("/v1/reports/revenue", self.revenue),
            ]
        )

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app()), base_url="http://shop.example"
        )


@pytest.fixture(scope="session")
def domain_command() -> Callable[[str, dict[str, Any]], c.OrderCommand]:
    return command_of


@pytest.fixture
def shop() -> Shop:
    return Shop()
