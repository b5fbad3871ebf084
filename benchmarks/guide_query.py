"""What we compare with: a reading endpoint of the tutorials. FastAPI, an asyncpg pool, pydantic.

It serves one order from the same table, through a response model with the same fields; it knows no
position and waits for nothing. `python -m benchmarks.guide_query PORT DATABASE_URL`.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import uvicorn
from fastapi import FastAPI, HTTPException, Request

from query_api.answers import order

_SELECT = "SELECT document FROM read_models.orders WHERE order_id = $1"


class Order(order.Order):
    """The fields of our own answer; what is not stored with the order has a default."""

    stale_since: str | None = None


def create_app(url: str) -> FastAPI:
    """Make the application; its pool lives as long as it does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(url) as app.state.pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/v1/orders/{order_id}")
    async def get_order(order_id: UUID, request: Request) -> Order:
        row = await request.app.state.pool.fetchrow(_SELECT, order_id)
        if row is None:
            raise HTTPException(404, "no such order")
        return Order.model_validate_json(row["document"])

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(sys.argv[2]),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
