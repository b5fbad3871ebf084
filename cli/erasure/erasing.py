"""Erase one customer: every order, and again until no new one has come meanwhile."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from audit.evidence.certificates import Certificate, ErasedOrder
from audit.manifest import Log, tool
from cli.erasure.orders import CustomerOrders, OrderState

_BATCH = 500
_ROUNDS = 10
_ACCEPTED = 200
Report = Callable[[int, int], None]


class NotErased(Exception):  # noqa: N818 - says what it is
    """Not all of it is erased; the message says why. The same call again goes on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose data, who asks for it to be erased, and why; each order's events keep the two."""

    customer_id: str
    actor: str
    reason: str
    wait_s: float


async def erase(
    orders: CustomerOrders, commands: httpx2.AsyncClient, asked: Asked, report: Report
) -> Certificate:
    """Erase all orders of a customer, those that come in the meantime included.

    Returns a certificate without a stamp.

    Raises:
        NotErased: an order could not be erased, or new ones come faster than they are erased.
        cli.erasure.orders.NotKnown: see there.
    """
    for _ in range(_ROUNDS):
        identity = await orders.projected(asked.wait_s)
        found = await orders.of(asked.customer_id)
        left = [one.order_id for one in found if not one.is_erased]
        report(len(found) - len(left), len(found))
        if not left:
            return Certificate(
                tool=tool(),
                log=Log.of(identity),
                customer_id=asked.customer_id,
                actor=asked.actor,
                reason=asked.reason,
                erased_at_us=time.time_ns() // 1_000,
                orders=tuple(_certified(one) for one in found),
                plain_events=await orders.plain_events(one.order_id for one in found),
            )
        for start in range(0, len(left), _BATCH):
            await _send(commands, asked, left[start : start + _BATCH])
            report(len(found) - len(left) + start, len(found))
    raise NotErased(f"customer {asked.customer_id} orders faster than it can be erased; try again")


def _certified(order: OrderState) -> ErasedOrder:
    fact = order.fact
    if fact is None:
        raise NotErased(f"the log does not say that order {order.order_id} is erased")
    return ErasedOrder(
        order_id=order.order_id,
        version=fact.version,
        partition=fact.partition,
        offset=fact.offset,
        event_id=fact.event_id,
    )


async def _send(commands: httpx2.AsyncClient, asked: Asked, order_ids: Sequence[str]) -> None:
    batch = [
        {
            "command": "EraseCustomerData",
            "order_id": order_id,
            "idempotency_key": f"erase-customer-data/{order_id}",
            "data": {},
        }
        for order_id in order_ids
    ]
    headers = {"Orders-Actor": asked.actor}
    if asked.reason:
        headers["Orders-Reason"] = asked.reason
    try:
        answer = await commands.post("/v1/commands", json=batch, headers=_utf8(headers))
        results = answer.json()["results"]
    except (httpx2.TransportError, ValueError, KeyError) as error:
        raise NotErased(
            f"the command API at {commands.base_url} gives no answer to go by ({error!r}); the "
            "same command goes on from here"
        ) from error
    for order_id, result in zip(order_ids, results, strict=True):
        if result["status"] != _ACCEPTED:
            raise NotErased(_said(order_id, result))


def _utf8(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in headers.items()}


def _said(order_id: str, result: dict[str, Any]) -> str:
    return (
        f"order {order_id}: {result['status']} {result.get('code')}: {result.get('detail')}; the "
        "same command goes on from here"
    )
