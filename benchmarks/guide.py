"""What we compare with: the endpoint of the tutorials. FastAPI, pydantic, aiokafka, one message.

It has no rules, no state, no idempotency and no transaction; the producer is idempotent and waits
for all replicas. `python benchmarks/guide.py PORT BOOTSTRAP TOPIC`.
"""

import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Request
from pydantic import BaseModel, Field


class Line(BaseModel):
    """One line of an order."""

    sku: str = Field(min_length=1, max_length=100)
    quantity: int = Field(ge=1)
    unit_price_minor: int = Field(ge=0)


class Order(BaseModel):
    """The body of POST /v1/orders."""

    customer_id: str = Field(min_length=1, max_length=100)
    currency: str = Field(min_length=3, max_length=3)
    lines: list[Line] = Field(min_length=1)


class Placed(BaseModel):
    """The answer."""

    order_id: str
    partition: int
    offset: int


def create_app(bootstrap: str, topic: str) -> FastAPI:
    """Make the application; its producer lives as long as it does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True
        )
        await app.state.producer.start()
        yield
        await app.state.producer.stop()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/orders", status_code=201)
    async def place(order: Order, request: Request) -> Placed:
        order_id = str(uuid.uuid4())
        sent = await request.app.state.producer.send_and_wait(
            topic, order.model_dump_json().encode(), key=order_id.encode()
        )
        return Placed(order_id=order_id, partition=sent.partition, offset=sent.offset)

    return app


if __name__ == "__main__":
    uvicorn.run(
        create_app(sys.argv[2], sys.argv[3]),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
