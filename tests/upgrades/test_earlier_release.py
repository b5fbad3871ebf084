"""What an earlier release stored is served by this one, after the steps of docs/deployment.md.

Recorded by tests/golden/record_stack.py: every command in an order of its own, personal data in
the clear where the release had no keys.
"""

import json
import re

import pytest

NEW_NOTE = {"note_id": "n-new", "text": "Said after the upgrade."}


def contains(new: object, old: object) -> bool:
    """Tell whether all that was said then is still said; a later release may say more."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(
            name in new and contains(new[name], value) for name, value in old.items()
        )
    if isinstance(old, list):
        return (
            isinstance(new, list)
            and len(new) == len(old)
            and all(contains(*pair) for pair in zip(new, old, strict=True))
        )
    return new == old


async def require_answers(old, url: str) -> None:
    """Everything that the query API answered then is answered now."""
    for path, then in old.answers.items():
        answer = await old.client.get(url + path)
        assert answer.status_code == 200, (path, answer.text)
        assert contains(answer.json(), then), (path, then, answer.json())


async def rebuild_what_is_refused(old, projector: str) -> list[str]:
    """Run the commands that the projector names; return the projections."""
    said = " ".join(map(str, (await old.dependencies(projector)).values()))
    commands = re.findall(r"run `orderlog (rebuild --projection (\w+))`", said)
    for command, _ in commands:
        code, _, errors = await old.run(*command.split())
        assert code == 0, errors
    return [name for _, name in commands]


@pytest.mark.parametrize("words", [("project",), ("serve", "query")])
async def test_before_the_migration_nothing_starts(old, words):
    code, _, errors = await old.run(*words)

    assert code == 4, errors
    assert "orderlog migrate" in errors
    assert "Traceback" not in errors


async def test_all_of_it_is_served_after_the_steps_of_an_upgrade(old, tmp_path):
    for words in (("topics", "ensure"), ("migrate",)):
        code, _, errors = await old.run(*words)
        assert code == 0, errors

    projector = await old.serve("project", variable="ORDERLOG_METRICS_PORT")
    rebuilt = await rebuild_what_is_refused(old, projector)
    await old.until_ready(projector)
    query = await old.serve("serve", "query", variable="ORDERLOG_QUERY_PORT")
    await require_answers(old, query)

    assert rebuilt == ["timeline"]
    for words in (("verify", "--all"), ("rebuild",), ("verify", "--all")):
        code, _, errors = await old.run(*words)
        assert code == 0, errors
    await require_answers(old, query)


@pytest.fixture
async def upgraded(old):
    """The addresses of a command node and of a query API."""
    for words in (("topics", "ensure"), ("migrate",)):
        await old.run(*words)
    projector = await old.serve("project", variable="ORDERLOG_METRICS_PORT")
    await rebuild_what_is_refused(old, projector)
    query = await old.serve("serve", "query", variable="ORDERLOG_QUERY_PORT")
    command = await old.serve("serve", "command", variable="ORDERLOG_COMMAND_PORT")
    await old.until_ready(command)
    return command, query


async def test_a_request_of_then_is_a_repeat_now(old, upgraded):
    """Those with personal data, too, whose fingerprints had no key then."""
    command, _ = upgraded
    for one in old.sent:
        answer = await old.client.post(
            command + one["path"], json=one["body"], headers={"Idempotency-Key": one["key"]}
        )
        assert answer.is_success, (one, answer.text)
        assert answer.json()["replayed"] is True
        assert answer.json()["events"] == one["answer"]["events"]


async def test_orders_of_then_go_on(old, upgraded, tmp_path):
    """Every one takes a command, is read after it, and its history proves itself as one chain."""
    command, query = upgraded
    versions = {one["answer"]["order_id"]: one["answer"]["version"] for one in old.sent}
    taken = 0
    for order_id, version in versions.items():
        answer = await old.client.post(f"{command}/v1/orders/{order_id}/add-note", json=NEW_NOTE)
        if answer.status_code == 409:
            assert answer.json()["rule"] == "customer-data-erased"
            continue
        assert answer.status_code == 200, answer.text
        assert answer.json()["version"] == version + 1
        taken += 1
        order = await old.client.get(
            f"{query}/v1/orders/{order_id}",
            params={"wait_ms": 10_000},
            headers={"Orders-Min-Position": answer.json()["position"]},
        )
        assert order.status_code == 200, order.text
        assert NEW_NOTE["text"] in json.dumps(order.json())
    assert taken == len(versions) - 1

    folder = str(tmp_path / "export")
    for words in (("audit", "export", "--out", folder), ("audit", "verify", folder)):
        code, _, errors = await old.run(*words)
        assert code == 0, errors
