"""Orders sent and read as a client does it that sends again until it knows."""

import time
import uuid

import httpx2

from tests.containers.compose import Compose

ORDER = {
    "customer_id": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}],
}
UNKNOWN = {429, 503}
DEADLINE_S = 90


def placed(urls: list[str], key: str, **changes: object) -> dict:
    """Place an order at one node after the other until one has said yes; return its answer."""
    deadline = time.monotonic() + DEADLINE_S
    said = "nothing"
    for attempt in range(10_000):
        try:
            answer = httpx2.post(
                f"{urls[attempt % len(urls)]}/v1/orders",
                json={**ORDER, **changes},
                headers={"Idempotency-Key": key},
                timeout=15,
            )
        except httpx2.HTTPError as error:
            said = repr(error)
        else:
            if answer.status_code == 201:
                return answer.json()
            said = answer.text
            assert answer.status_code in UNKNOWN, said
        assert time.monotonic() < deadline, f"{key}: {said}"
        time.sleep(0.1)
    raise AssertionError(key)


def served(system: Compose, placed_order: dict) -> dict:
    """Read an order at its position; answers that ask to come again are no failure."""
    url = f"{system.given['ORDERLOG_QUERY_URL']}/v1/orders/{placed_order['order_id']}"
    deadline = time.monotonic() + DEADLINE_S
    said = "nothing"
    while time.monotonic() < deadline:
        try:
            headers = {"Orders-Min-Position": placed_order["position"]}
            answer = httpx2.get(url, headers=headers, params={"wait_ms": 10_000}, timeout=15)
        except httpx2.HTTPError as error:
            said = repr(error)
        else:
            if answer.status_code == 200:
                return answer.json()
            said = answer.text
            assert answer.status_code in UNKNOWN, said
        time.sleep(0.1)
    raise AssertionError(f"{placed_order}: {said}")


def placed_and_served(system: Compose, **changes: object) -> dict:
    """Place an order and read it at its position."""
    answer = placed([system.given["ORDERLOG_COMMAND_URL"]], str(uuid.uuid4()), **changes)
    read = served(system, answer)
    assert (read["order_id"], read["total_minor"]) == (answer["order_id"], 2598)
    return answer
