"""Clients that send until they know: commands on a few busy orders, to whichever node."""

import asyncio
import random
import time
import uuid
from dataclasses import dataclass, field

import httpx2

from .history import Answer, Operation

ORDERS = 40
_RESEND, _CONFLICT = 0.10, 0.05
_TIMEOUT_S = 3.0
"""Less than a node may sleep: it finds what was given up and sent again elsewhere."""
_AGAIN_S = 0.2
_SETTLED = {408, 429}
"""Client errors that say nothing about the command: it was not queued."""

PLACING = {
    "customer_id": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "A-1", "quantity": 50, "unit_price_minor": 100}],
}


@dataclass
class Tally:
    """What happened lately, for the timeline."""

    accepted: int = 0
    refused: int = 0
    unknown: int = 0


@dataclass
class Clients:
    """Sends from `count` clients until `until` is set; everything is remembered."""

    urls: list[str]
    seed: int
    count: int
    operations: list[Operation] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    until: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        limits = httpx2.Limits(max_connections=self.count * 2)
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S, limits=limits) as http:
            await asyncio.gather(*(self._client(http, number) for number in range(self.count)))

    async def settle(self, deadline_s: float) -> None:
        """Send again what has no answer, until it has one."""
        left = [one for one in self.operations if not one.answers]
        deadline = time.monotonic() + deadline_s
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S) as http:
            for one in left:
                while not await self._send(http, one):
                    assert time.monotonic() < deadline, f"{one.key} gets no answer"
                    await asyncio.sleep(_AGAIN_S)

    async def _client(self, http: httpx2.AsyncClient, number: int) -> None:
        rng = random.Random(f"{self.seed}/{number}")
        count = 0
        while not self.until.is_set():
            count += 1
            one = self._operation(rng, number, count)
            self.operations.append(one)
            while not await self._send(http, one) and not self.until.is_set():
                await asyncio.sleep(_AGAIN_S * rng.random())
            if one.answers and rng.random() < _RESEND:
                await self._send(http, one)

    def _operation(self, rng: random.Random, client: int, count: int) -> Operation:
        order = min(int(rng.expovariate(0.15)), ORDERS - 1)  # Some are much busier than others.
        order += ORDERS * (count // 60)  # And all of them come to an end.
        order_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.seed}/{order}"))
        name = f"{client}-{count}"
        command, data = rng.choice(
            [
                ("place-order", {**PLACING, "order_id": order_id}),
                ("accept", {}),
                ("add-note", {"note_id": name, "text": "Please ring twice."}),
                ("add-note", {"note_id": "the-same", "text": "Please ring twice."}),
                ("cancel-lines", {"lines": [{"line_id": "1", "quantity": 1}], "reason": "late"}),
                ("hold", {"hold_id": name, "kind": "fraud", "reason": "Two cards."}),
                ("request-authorisation", {"payment_id": name, "amount_minor": 10}),
                (
                    "record-authorisation",
                    {"payment_id": name, "amount_minor": 10, "psp_reference": f"psp-{name}"},
                ),
            ]
        )
        expected = rng.randrange(1, 9) if rng.random() < _CONFLICT else None
        return Operation(
            client, f"key-{self.seed}-{name}", order_id, command, data, expected, time.monotonic()
        )

    async def _send(self, http: httpx2.AsyncClient, one: Operation) -> bool:
        """Send once to some node; tell whether the answer was definite."""
        headers = {"Idempotency-Key": one.key}
        if one.expected_version is not None:
            headers["If-Match"] = f'"{one.expected_version}"'
        is_new = one.command == "place-order"
        path = "/v1/orders" if is_new else f"/v1/orders/{one.order_id}/{one.command}"
        sent_s = time.monotonic()
        if not one.answers and not one.unknown_s:
            one.sent_s = sent_s
        url = self.urls[(one.client + len(one.unknown_s) + len(one.answers)) % len(self.urls)]
        try:
            answer = await http.post(url + path, json=one.data, headers=headers)
            body = answer.json()
        except (httpx2.HTTPError, ValueError):
            one.unknown_s.append(sent_s)
            self.tally.unknown += 1
            return False
        if answer.status_code >= 500 or answer.status_code in _SETTLED:
            one.unknown_s.append(sent_s)
            self.tally.unknown += 1
            return False
        one.answers.append(Answer(answer.status_code, body, sent_s, time.monotonic()))
        if answer.status_code < 400:
            self.tally.accepted += 1
        else:
            self.tally.refused += 1
        return True
