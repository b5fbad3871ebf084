"""What headers say about a request is kept with every event it makes."""

import uuid

import pytest

from domain.values import Actor
from eventlog.log import Record
from eventlog.memory import MemoryLog

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class ListeningLog(MemoryLog):
    """Keeps the headers of records, which the log in memory does not."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[dict[str, bytes]] = []

    def commit(self, partition: int, records: list[Record]) -> int:
        self.headers += [dict(record.headers) for record in records if record.headers]
        return super().commit(partition, records)


@pytest.mark.parametrize(
    ("header", "actor"),
    [
        ("user:jane", Actor("user", "jane")),
        ("service:billing:eu", Actor("service", "billing:eu")),
        ("jane", Actor("user", "jane")),
        (":jane", Actor("user", ":jane")),
        ("user:", Actor("user", "user:")),
    ],
)
async def test_the_actor_is_kept_as_kind_and_id(api, placing, header, actor):
    await api.post("/v1/orders", placing, orders_actor=header)

    assert [event.actor for event in api.events()] == [actor]


async def test_without_headers_an_event_still_says_where_it_is_from(api, placing):
    await api.post("/v1/orders", placing, idempotency_key="k-1")

    [event] = api.events()
    assert event.actor == Actor("system", "anonymous")
    assert uuid.UUID(event.correlation_id)
    assert (event.command_id, event.causation_id, event.tenant_id) == ("k-1", "k-1", "default")


async def test_all_events_of_a_command_belong_to_one_request(api, placed):
    await api.post(
        f"/v1/orders/{placed}/cancel-lines",
        {"lines": [{"line_id": "1", "quantity": 2}]},
        orders_correlation_id="case-7",
        orders_actor="user:jane",
        idempotency_key="k-1",
    )

    both = api.events(placed)[1:]
    assert [event.type for event in both] == ["LinesCancelled", "OrderCancelled"]
    assert {event.correlation_id for event in both} == {"case-7"}
    assert {event.actor for event in both} == {Actor("user", "jane")}
    assert {event.command_id for event in both} == {"k-1"}


async def test_the_events_belong_to_the_tenant_of_the_process(serve, placing):
    async with serve(tenant="shop-7") as api:
        await api.post("/v1/orders", placing)

        assert [event.tenant_id for event in api.events()] == ["shop-7"]


async def test_the_headers_count_for_every_command_of_a_batch(api, placing):
    items = [{"command": "place-order", "data": placing}] * 3

    await api.post("/v1/commands", items, orders_correlation_id="case-7", orders_actor="user:jane")

    events = api.events()
    assert {event.correlation_id for event in events} == {"case-7"}
    assert {event.actor for event in events} == {Actor("user", "jane")}
    assert len(events) == 3


async def test_the_trace_goes_into_the_record_headers(serve, placing):
    async with serve(ListeningLog()) as api:
        await api.post("/v1/orders", placing, traceparent=TRACEPARENT)

        [headers] = api.log.headers
    assert headers["traceparent"] == TRACEPARENT.encode()
    assert headers["ce_type"] == b"OrderPlaced"


@pytest.mark.parametrize("traceparent", ["", "x", TRACEPARENT.upper(), TRACEPARENT + "-1"])
async def test_a_trace_that_cannot_be_read_is_left_out(serve, placing, traceparent):
    """W3C Trace Context asks for this: a broken trace must not break the request."""
    async with serve(ListeningLog()) as api:
        answer = await api.post("/v1/orders", placing, traceparent=traceparent)

        assert answer.status_code == 201
        assert "traceparent" not in api.log.headers[0]


@pytest.mark.parametrize("name", ["Orders-Actor", "Orders-Correlation-Id"])
@pytest.mark.parametrize(
    "value", ["", "a b", "k\tb", "ä", "x" * 201], ids=["empty", "space", "tab", "umlaut", "201"]
)
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/commands"])
async def test_a_malformed_header_is_named(api, placing, refusal, path, name, value):
    answer = await api.client.post(path, json=placing, headers={name: value.encode()})

    problem = refusal(answer)
    assert (problem["status"], problem["code"]) == (422, "invalid-command")
    assert [entry["field"] for entry in problem["errors"]] == [name]
    assert api.events() == []
