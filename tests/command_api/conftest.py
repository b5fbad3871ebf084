"""The command API over a log in memory, which keeps the same contract as Kafka."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from command_api.app import create_app
from command_api.bodies import Beginning, Body
from command_api.problems import CODES
from domain.decide import DECIDER
from domain.events import Recorded
from eventlog.codec import decode, is_event
from eventlog.log import Record
from eventlog.memory import MemoryAppender, MemoryLog
from eventlog.ownership import Partitions
from runtime.settings import CommandSettings, LogSettings

DEADLINE_S = 20
JSON = "application/json"
PLACING = {
    "customer_id": "c-1",
    "currency": "EUR",
    "lines": [{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}],
}
NOTE = {"note_id": "n-1", "text": "Please ring twice."}
PIECES = [{"line_id": "1", "quantity": 2}]
_P, _K, _S = {"payment_id": "p-1"}, {"capture_id": "k-1"}, {"shipment_id": "s-1"}
_AMOUNT = {"amount_minor": 2598}
_PAYING = (
    ("request-authorisation", {**_P, **_AMOUNT, "method": "card"}),
    (
        "record-authorisation",
        {**_P, **_AMOUNT, "psp_reference": "psp-1", "expires_at": "2026-12-01T00:00:00Z"},
    ),
    ("request-capture", {**_P, **_K, **_AMOUNT}),
    ("record-capture", {**_P, **_K, **_AMOUNT, "psp_reference": "psp-2"}),
)
_SENDING = (
    ("accept", {}),
    ("create-shipment", {**_S, "lines": PIECES, "carrier": "post"}),
    ("dispatch-shipment", {**_S, "tracking_number": "T-1"}),
    ("record-delivery", {**_S, "delivered_at": "2026-11-25T10:00:00Z"}),
)
_DRAFTING = (("add-line", {"line_id": "1", "sku": "A-1", "quantity": 2, "unit_price_minor": 1299}),)
_ADDRESS = {
    "name": "Zoë",
    "lines": ["Weg 1"],
    "postal_code": "10115",
    "city": "Berlin",
    "region": "BE",
    "country": "DE",
}
_CONTACT = {"contact": {"name": "Zoë", "email": "z@example.org", "phone": "+49 30 1"}}
_TAXES = [{"code": "VAT", "rate": "0.19", "amount_minor": 415, "included": True}]
_DISCOUNT = {"discount_id": "d-1", "amount_minor": 200}
_HOLD = {"hold_id": "h-1", "kind": "fraud", "reason": "Two cards, one address."}
_AMENDING = {
    "amendment_id": "a-1",
    "changes": {
        "add_lines": [{"sku": "B-1", "quantity": 1, "unit_price_minor": 500}],
        "quantities": [{"line_id": "1", "quantity": 1}],
    },
    "reason": "The customer called.",
}
_A, _F, _E = {"amendment_id": "a-1"}, {"refund_id": "f-1"}, {"return_id": "e-1"}
_REFUNDING = ("request-refund", {**_F, **_P, "amount_minor": 100, "reason": "broken"})
_RETURNING = (
    *_SENDING,
    ("request-return", {**_E, "lines": PIECES, "reason": "too small"}),
    ("approve-return", _E),
)
_RECEIVED = {
    **_E,
    "lines": [{"line_id": "1", "quantity": 1, "condition": "as new", "restock": True}],
}
_IMPORTING = {
    "source": "old shop",
    "lifecycle": "ACCEPTED",
    **PLACING,
    "past": [{"line_id": "1", "cancelled": 0, "delivered": 1, "returned": 1}],
    "payments": [
        {
            "payment_id": "p-1",
            "psp_reference": "psp-1",
            "method": "card",
            "authorised_minor": 2598,
            "captured_minor": 2598,
            "refunded_minor": 1299,
        }
    ],
}
_CANCELLING = {"lines": PIECES, "reason": "out of stock"}
_FAILURE = {**_P, "psp_reference": "psp-1", "reason": "insufficient funds"}


@dataclass(frozen=True)
class Life:
    """What an order went through before a command, its data in full, and its events."""

    before: Sequence[tuple[str, dict]]
    data: dict
    events: Sequence[str]
    is_draft: bool = False


LIVES = {
    "place-order": Life((), PLACING, ["OrderPlaced"]),
    "accept": Life((), {}, ["OrderAccepted"]),
    "reject": Life((), {"reason": "We do not deliver there."}, ["OrderRejected"]),
    "request-authorisation": Life((), _PAYING[0][1], ["PaymentAuthorisationRequested"]),
    "record-authorisation": Life(_PAYING[:1], _PAYING[1][1], ["PaymentAuthorised"]),
    "record-authorisation-failure": Life(_PAYING[:1], _FAILURE, ["PaymentAuthorisationFailed"]),
    "request-capture": Life(_PAYING[:2], _PAYING[2][1], ["CaptureRequested"]),
    "record-capture": Life(_PAYING[:3], _PAYING[3][1], ["PaymentCaptured"]),
    "create-shipment": Life(_SENDING[:1], _SENDING[1][1], ["ShipmentCreated"]),
    "dispatch-shipment": Life(_SENDING[:2], _SENDING[2][1], ["ShipmentDispatched"]),
    "record-delivery": Life(_SENDING[:3], _SENDING[3][1], ["ShipmentDelivered"]),
    "cancel-lines": Life((), _CANCELLING, ["LinesCancelled", "OrderCancelled"]),
    "cancel": Life((), {"reason": "ordered by mistake"}, ["OrderCancelled"]),
    "add-note": Life((), NOTE, ["NoteAdded"]),
    "create-draft": Life((), {"customer_id": "c-1", "currency": "EUR"}, ["OrderDrafted"]),
    "import-order": Life((), _IMPORTING, ["OrderImported"]),
    "expire": Life((), {}, ["OrderExpired"]),
    "hold": Life((), _HOLD, ["OrderHeld"]),
    "release-hold": Life((("hold", _HOLD),), {"hold_id": "h-1"}, ["OrderHoldReleased"]),
    "complete": Life((*_PAYING, *_SENDING), {}, ["OrderCompleted"]),
    "archive": Life((("cancel", {}),), {}, ["OrderArchived"]),
    "correct-contact": Life((), _CONTACT, ["ContactCorrected"]),
    "erase-customer-data": Life((), {}, ["CustomerDataErased"]),
    "add-line": Life(
        (),
        {**_DRAFTING[0][1], "name": "Cup", "taxes": _TAXES},
        ["LineAdded"],
        is_draft=True,
    ),
    "change-line-quantity": Life(
        _DRAFTING, {"line_id": "1", "quantity": 3}, ["LineQuantityChanged"], is_draft=True
    ),
    "remove-line": Life(_DRAFTING, {"line_id": "1"}, ["LineRemoved"], is_draft=True),
    "set-addresses": Life(
        (),
        {"ship_to": _ADDRESS, "bill_to": {**_ADDRESS, "name": "Max"}, **_CONTACT},
        ["AddressesSet"],
        is_draft=True,
    ),
    "select-shipping": Life(
        (), {"method": "express", "price_minor": 990}, ["ShippingSelected"], is_draft=True
    ),
    "apply-discount": Life(
        _DRAFTING, {**_DISCOUNT, "line_id": "1"}, ["DiscountApplied"], is_draft=True
    ),
    "remove-discount": Life(
        (*_DRAFTING, ("apply-discount", _DISCOUNT)),
        {"discount_id": "d-1"},
        ["DiscountRemoved"],
        is_draft=True,
    ),
    "reprice": Life(
        _DRAFTING,
        {"lines": [{"line_id": "1", "unit_price_minor": 1199, "taxes": _TAXES}]},
        ["OrderRepriced"],
        is_draft=True,
    ),
    "place": Life(_DRAFTING, {}, ["OrderPlaced"], is_draft=True),
    "propose-amendment": Life((), _AMENDING, ["AmendmentProposed"]),
    "approve-amendment": Life((("propose-amendment", _AMENDING),), _A, ["AmendmentApplied"]),
    "decline-amendment": Life((("propose-amendment", _AMENDING),), _A, ["AmendmentDeclined"]),
    "withdraw-amendment": Life((("propose-amendment", _AMENDING),), _A, ["AmendmentWithdrawn"]),
    "expire-authorisation": Life(_PAYING[:2], _P, ["PaymentAuthorisationExpired"]),
    "void-authorisation": Life(_PAYING[:2], _P, ["PaymentVoided"]),
    "record-capture-failure": Life(_PAYING[:3], {**_FAILURE, **_K}, ["CaptureFailed"]),
    "request-refund": Life(_PAYING, _REFUNDING[1], ["RefundRequested"]),
    "record-refund": Life(
        (*_PAYING, _REFUNDING),
        {**_F, "psp_reference": "psp-3", "amount_minor": 100},
        ["RefundCompleted"],
    ),
    "record-refund-failure": Life(
        (*_PAYING, _REFUNDING),
        {**_F, "psp_reference": "psp-3", "reason": "account closed"},
        ["RefundFailed"],
    ),
    "record-chargeback": Life(
        _PAYING, {**_P, **_AMOUNT, "psp_reference": "psp-4"}, ["ChargebackRecorded"]
    ),
    "record-allocation": Life((), {"lines": PIECES}, ["LinesAllocated"]),
    "record-backorder": Life((), {"lines": PIECES}, ["LinesBackordered"]),
    "update-tracking": Life(
        _SENDING[:3],
        {**_S, "tracking_number": "T-2", "status": "in transit"},
        ["ShipmentTrackingUpdated"],
    ),
    "record-delivery-failure": Life(
        _SENDING[:3], {**_S, "reason": "nobody at home"}, ["ShipmentDeliveryFailed"]
    ),
    "cancel-shipment": Life(_SENDING[:2], _S, ["ShipmentCancelled"]),
    "request-return": Life(_SENDING, _RETURNING[4][1], ["ReturnRequested"]),
    "approve-return": Life(_RETURNING[:5], _E, ["ReturnApproved"]),
    "reject-return": Life(_RETURNING[:5], {**_E, "reason": "worn"}, ["ReturnRejected"]),
    "receive-return-items": Life(_RETURNING, _RECEIVED, ["ReturnItemsReceived"]),
    "close-return": Life(_RETURNING, _E, ["ReturnClosed"]),
}


class HeldLog(MemoryLog):
    """A log whose appends wait while it is held."""

    def __init__(self) -> None:
        super().__init__()
        self.is_free = asyncio.Event()
        self.is_free.set()
        self.waiting = 0

    async def open_appender(self, partition: int) -> "HeldAppender":
        return HeldAppender(self, await super().open_appender(partition))


@dataclass(frozen=True)
class HeldAppender:
    log: HeldLog
    appender: MemoryAppender

    async def append(self, records: Sequence[Record]) -> int:
        self.log.waiting += 1
        await self.log.is_free.wait()
        self.log.waiting -= 1
        return await self.appender.append(records)

    async def close(self) -> None:
        await self.appender.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, under a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.002)


@dataclass(frozen=True)
class Api:
    """Sends requests, and looks at the log behind them."""

    client: httpx2.AsyncClient
    log: MemoryLog
    partitions: Partitions

    async def post(
        self, path: str, body: Any = None, query: dict | None = None, **headers: str
    ) -> httpx2.Response:
        """Send `body` as it is, or as JSON; `if_match="…"` is the header If-Match."""
        if body is not None and not isinstance(body, bytes) and not hasattr(body, "__aiter__"):
            body = json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(
            path, content=body, params=query, headers={"content-type": JSON, **named}
        )

    async def problem(
        self, path: str, body: Any = None, query: dict | None = None, **headers: str
    ) -> dict:
        """Answer the document of a problem, after a look at what all of them have in common."""
        return problem_in(await self.post(path, body, query, **headers))

    async def live(self, life: Life) -> tuple[str, int]:
        """Begin an order and send what comes before; answer its id and version."""
        drafting = {"customer_id": "c-1", "currency": "EUR"}
        path, begun = ("/v1/drafts", drafting) if life.is_draft else ("/v1/orders", PLACING)
        answer = await self.post(path, begun)
        order_id = answer.json()["order_id"]
        for command, data in life.before:
            answer = await self.post(f"/v1/orders/{order_id}/{command}", data)
            assert answer.status_code == 200, answer.text
        return order_id, answer.json()["version"]

    def events(self, order_id: str | None = None) -> list[Recorded]:
        """Return what is in the log, of one order or of all, oldest first in its partition."""
        found = [
            decode(record)
            for partition in range(self.partitions.identity.partitions)
            for record in self.log.records(partition)
            if is_event(record.key)
        ]
        return [event for event in found if order_id in {None, event.order_id}]


def problem_in(answer: httpx2.Response) -> dict:
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert CODES[body["code"]] == (answer.status_code, body["title"])
    assert body["status"] == answer.status_code
    assert body["type"] == f"urn:orderlog:problem:{body['code']}"
    assert body["detail"]
    assert (answer.status_code in {429, 503}) == ("retry-after" in answer.headers)
    return body


@asynccontextmanager
async def serving(
    log: MemoryLog | None = None, decider: Any = DECIDER, *, is_ready: bool = True, **settings: Any
) -> AsyncIterator[Api]:
    """Serve over `log`; `log_settings` in `settings` are the log's, all others the API's."""
    log = log or MemoryLog()
    log_settings = LogSettings(**settings.pop("log_settings", {}))

    @asynccontextmanager
    async def open_partitions() -> AsyncIterator[Partitions]:
        async with await Partitions.open(
            log, decider, settings=log_settings, node="test"
        ) as partitions:
            states = partitions.health
            await until(lambda: "acquiring" not in states().values())
            assert not is_ready or set(states().values()) == {"serving"}
            yield partitions

    app = create_app(open_partitions, CommandSettings(**settings))
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: dict, receive: Callable, send: Callable) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = httpx2.ASGITransport(app=with_state)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Api(client, log, state["partitions"])


@pytest.fixture(scope="session")
def serve() -> Callable:
    """Answer `serve(log, decider, **settings)`: the API as an async context manager."""
    return serving


@pytest.fixture(scope="session")
def wait_until() -> Callable:
    return until


@pytest.fixture(scope="session")
def refusal() -> Callable:
    """Answer `refusal(answer)`: the document in it, after a look at what all have in common."""
    return problem_in


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving() as api:
        yield api


@pytest.fixture
def held_log() -> HeldLog:
    return HeldLog()


@pytest.fixture
def order_id() -> str:
    return str(uuid.uuid4())


@pytest.fixture(scope="session")
def lives() -> dict[str, Life]:
    """One life for every command."""
    return LIVES


@pytest.fixture(scope="session")
def path_of() -> Callable[[type[Body], str], str]:
    """Answer `path_of(model, order_id)`: where a command is sent to."""
    return lambda model, order_id: (
        model.route
        if issubclass(model, Beginning)
        else f"/v1/orders/{order_id}/{model.command_name}"
    )


@pytest.fixture(scope="session")
def placing() -> dict:
    """The smallest order."""
    return PLACING


@pytest.fixture(scope="session")
def note() -> dict:
    """The data of a command that every order takes."""
    return NOTE


@pytest.fixture
async def placed(api: Api) -> str:
    """The id of an order at version 1."""
    return (await api.post("/v1/orders", PLACING)).json()["order_id"]
