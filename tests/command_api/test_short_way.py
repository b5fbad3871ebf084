"""The two ways of a command give the same answers, and leave the same in the log."""

import re

import pytest

from command_api.bodies import COMMANDS
from command_api.submissions import Answers

from .conftest import serving
from .lives import LIVES, PLACING

ORDER = "00000000-0000-4000-8000-000000000001"
HEADERS = {"idempotency_key": "k-1", "orders_correlation_id": "c-1"}
WRONG = [
    ("/v1/orders", {**PLACING, "lines": []}, {}),
    ("/v1/orders", {**PLACING, "currency": "ABC"}, {}),
    ("/v1/orders", b'{"customer_id": 1, "customer_id": 2}', {}),
    ("/v1/orders", b"", {}),
    ("/v1/orders", PLACING, {"content_type": "text/plain"}),
    ("/v1/orders", PLACING, {"idempotency_key": "a b"}),
    ("/v1/orders", PLACING, {"if_match": "3"}),
    (f"/v1/orders/{ORDER}/accept", {}, {}),
    (f"/v1/orders/{ORDER}/place-order", {}, {}),
    (f"/v1/orders/{ORDER}/nonsense", {}, {}),
    ("/v1/orders/1/accept", {}, {}),
    (f"/v1/orders/{ORDER}/accept/", {}, {}),
    (f"/v1/orders/{ORDER}", {}, {}),
    ("/v1/orders/%31/accept", {}, {}),
    ("/v1/orders?dry_run=%74rue", {**PLACING, "lines": []}, {}),
    ("/v1/orders?dry_run=maybe", PLACING, {}),
]


async def told(is_short: bool, path: str, body, before=(), **headers: str) -> tuple:
    """Ask twice; return what is told, but for what is another one each time."""
    async with serving(is_short=is_short) as api:
        for command, data in before:
            begun = await api.post(command, data)
            assert begun.status_code < 300, begun.text
        answers = [await api.post(path, body, **{**HEADERS, **headers}) for _ in range(2)]
        events = [(event.type, event.version) for event in api.events()]
        return [plain(answer) for answer in answers], events


def plain(answer) -> tuple:
    text = re.sub(r'"(event_id|position)":"[^"]*"', "", answer.text)
    headers = {name: value for name, value in answer.headers.items() if name != "orders-position"}
    return answer.status_code, headers, text, "orders-position" in answer.headers


@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_is_answered_alike(name):
    life = LIVES[name]
    before = ()
    path = COMMANDS[name].route if COMMANDS[name].creates else f"/v1/orders/{ORDER}/{name}"
    if not COMMANDS[name].creates:
        drafting = {"customer_id": "c-1", "currency": "EUR", "order_id": ORDER}
        begin = (
            ("/v1/drafts", drafting)
            if life.is_draft
            else ("/v1/orders", {**PLACING, "order_id": ORDER})
        )
        before = (begin, *((f"/v1/orders/{ORDER}/{one}", data) for one, data in life.before))

    short = await told(True, path, life.data, before)

    assert short == await told(False, path, life.data, before)
    assert [status for status, *_ in short[0]] == [201 if COMMANDS[name].creates else 200] * 2


async def test_an_escaped_path_is_understood_both_ways():
    path = f"/v1/orders/{ORDER.replace('8', '%38')}/accept"
    before = [("/v1/orders", {**PLACING, "order_id": ORDER})]

    short = await told(True, path, {}, before)

    assert short == await told(False, path, {}, before)
    assert [status for status, *_ in short[0]] == [200, 200]


@pytest.mark.parametrize(("path", "body", "headers"), WRONG)
async def test_every_mistake_is_answered_alike(path, body, headers):
    short = await told(True, path, body, **headers)

    assert short == await told(False, path, body, **headers)
    assert all(400 <= status < 500 for status, *_ in short[0])
    assert short[1] == []


async def test_a_fault_after_the_commit_is_an_answer_too(monkeypatch):
    """Whoever waits is told that the outcome is unknown; the repeat finds it."""
    with monkeypatch.context() as faulty:
        faulty.setattr(Answers, "result", lambda *_: 1 / 0)
        async with serving() as api:
            answer = await api.post("/v1/orders", PLACING)

            assert (answer.status_code, answer.json()["code"]) == (500, "internal-error")
            assert len(api.events()) == 1
