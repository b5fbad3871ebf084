"""A member of the group hears what Kafka says later on, though it never polls."""

import asyncio

from aiokafka.errors import GroupAuthorizationFailedError

from eventlog.group.membership import Membership

HEARD_S = 60


async def test_a_right_that_is_taken_away_is_said(log_settings):
    refused: list[str] = []
    told = asyncio.Event()
    settings = log_settings.model_copy(update={"group_heartbeat_ms": 100})
    member = Membership(
        settings, "http://127.0.0.1:1", frozenset, lambda *_: told.set(), refused.append
    )
    await member.start()
    try:
        await asyncio.wait_for(told.wait(), HEARD_S)
        coordinator = member._consumer._coordinator
        waits = asyncio.ensure_future(
            coordinator._push_error_to_user(GroupAuthorizationFailedError("command"))
        )
        await asyncio.wait_for(waits, HEARD_S)  # It goes on once somebody has heard.
    finally:
        await member.stop()

    assert len(refused) == 1
    assert "GroupAuthorizationFailed" in refused[0]
