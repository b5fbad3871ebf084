"""What a batch costs, counted: it repeats exactly, where seconds do not."""

import asyncio

import pytest

from eventlog import codec
from projectors import folding
from projectors.engine import Engine, Move
from projectors.read_models import PROJECTIONS

STATEMENTS_MAX = {"orders": 5, "timeline": 3, "customers": 4, "revenue": 4}
"""State, checkpoint, rows read, rows written, notification; COPY is no statement."""


@pytest.mark.usefixtures("live_tables")
@pytest.mark.parametrize("name", PROJECTIONS)
async def test_statements_of_a_batch_do_not_grow_with_its_events(connection, histories, name):
    engine, at = Engine(PROJECTIONS[name], 1), dict.fromkeys(range(4), 0)
    batches = [folding.decode(batch) for batch in histories(3).batches(400)]
    seen: list[str] = []
    for number, decoded in enumerate(batches):
        if number == 1:  # At first the driver asks for types.
            connection.add_query_logger(lambda query: seen.append(query.query))
        old, at[decoded.partition] = at[decoded.partition], decoded.next_offset
        move = Move(decoded.partition, old, decoded.next_offset, decoded.records)
        await engine.apply(connection, [move])
    await asyncio.sleep(0)  # What was seen is told a moment later.

    ours = [one for one in seen if one not in {"BEGIN;", "COMMIT;"}]
    assert max(len(decoded.records) for decoded in batches) > 5
    assert 0 < len(ours) <= STATEMENTS_MAX[name] * (len(batches) - 1)


async def test_an_event_is_parsed_once_for_all_read_models(facts, projecting, monkeypatch):
    parsed: list[int] = []
    decode = codec.decode

    def counting(record):
        parsed.append(record.offset)
        return decode(record)

    await facts.happen(60)
    events = sum(len(batch.records) for batch in facts.decoded())
    monkeypatch.setattr(codec, "decode", counting)
    async with projecting() as projector:
        await projector.reach()

    assert len(parsed) == events
