"""What an earlier release stored is served by this one, after the steps of docs/deployment.md.

Recorded by tests/golden/record_stack.py: every command in an order of its own, personal data in
the clear where the release had no keys.
"""

import re

from .conftest import eventually

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

    async def has_looked() -> bool:
        return (await old.dependencies(projector))["postgres"] == "ok"

    await eventually(has_looked)
    said = " ".join((await old.dependencies(projector)).values())
    commands = re.findall(r"run `orderlog (rebuild --projection (\w+))`", said)
    for command, _ in commands:
        await require_done(old, *command.split())
    return [name for _, name in commands]


async def require_done(old, *words: str) -> None:
    code, _, errors = await old.run(*words)
    assert code == 0, (words, errors)


async def require_refused(old, *words: str) -> None:
    """It does not start, and says what mends it."""
    code, _, errors = await old.run(*words)
    assert code == 4, errors
    assert "run `orderlog migrate`" in errors
    assert "Traceback" not in errors


async def upgrade(old) -> str:
    """Take the steps up to the query API; return its address."""
    await require_done(old, "topics", "ensure")
    await require_done(old, "migrate")
    projector = await old.serve("project", variable="ORDERLOG_METRICS_PORT")
    assert await rebuild_what_is_refused(old, projector) == ["timeline"]
    await old.until_ready(projector)
    return await old.serve("serve", "query", variable="ORDERLOG_QUERY_PORT")


async def test_all_that_was_read_then_is_read_now(old):
    await require_refused(old, "project")
    await require_refused(old, "serve", "query")

    query = await upgrade(old)

    await require_answers(old, query)
    await require_done(old, "verify", "--all")
    await require_done(old, "rebuild")
    await require_answers(old, query)
    await require_done(old, "verify", "--all")


async def test_requests_of_then_are_repeats_and_orders_go_on(old, tmp_path):
    query = await upgrade(old)
    command = await old.serve("serve", "command", variable="ORDERLOG_COMMAND_PORT")
    await old.until_ready(command)

    await require_repeats(old, command)
    await require_going_on(old, command, query)

    await require_done(old, "audit", "export", "--out", str(tmp_path / "export"))
    await require_done(old, "audit", "verify", str(tmp_path / "export"))


async def require_repeats(old, command: str) -> None:
    """Those with personal data, too, whose fingerprints had no key then."""
    for one in old.sent:
        answer = await old.client.post(
            command + one["path"], json=one["body"], headers={"Idempotency-Key": one["key"]}
        )
        assert answer.is_success, (one, answer.text)
        assert answer.json()["replayed"] is True
        assert answer.json()["events"] == one["answer"]["events"]


async def require_going_on(old, command: str, query: str) -> None:
    """Every order but the erased one takes a command, and is read after it."""
    versions = {one["answer"]["order_id"]: one["answer"]["version"] for one in old.sent}
    refused = []
    for order_id, version in versions.items():
        answer = await old.client.post(f"{command}/v1/orders/{order_id}/add-note", json=NEW_NOTE)
        if answer.status_code == 409:
            refused.append(answer.json()["rule"])
            continue
        assert answer.status_code == 200, answer.text
        assert answer.json()["version"] == version + 1
        order = await old.client.get(
            f"{query}/v1/orders/{order_id}",
            params={"wait_ms": 10_000},
            headers={"Orders-Min-Position": answer.json()["position"]},
        )
        assert NEW_NOTE["text"] in order.text, order.text
    assert refused == ["customer-data-erased"]
