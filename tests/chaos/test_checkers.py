"""The checkers pass what is right, and find what is planted: each anomaly by its own rule."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from command_api.bodies import COMMANDS
from command_api.bodies.body import Beginning
from command_api.problems import problem_of
from command_api.reading import Asked
from command_api.submissions import Answers, submission
from domain.decide import DECIDER
from domain.errors import Refused
from domain.values import Actor
from eventlog.codec import decode, is_event, ownership_epoch
from eventlog.memory import MemoryLog
from eventlog.ownership import Partitions
from runtime.settings import LogSettings

from .checkers import Log, Owner, violations
from .clients import PLACING
from .history import Answer, Operation

ORDER, OTHER = (str(uuid.UUID(int=number)) for number in (1, 2))
NOTE = {"note_id": "n", "text": "Please ring."}
PARTITIONS = 2

SENT = [
    ("early", ORDER, "accept", {}, None),
    ("place", ORDER, "place-order", {**PLACING, "order_id": ORDER}, None),
    ("accept", ORDER, "accept", {}, None),
    ("again", ORDER, "accept", {}, None),
    ("note", ORDER, "add-note", NOTE, 2),
    ("conflict", ORDER, "add-note", {**NOTE, "note_id": "m"}, 1),
    ("cancel", ORDER, "cancel", {"reason": "changed my mind"}, None),
    ("late", ORDER, "hold", {"hold_id": "h", "kind": "fraud", "reason": "Two cards."}, None),
    ("other", OTHER, "place-order", {**PLACING, "order_id": OTHER}, None),
]


async def lived() -> tuple[list[Operation], Log]:
    """What two owners, one after the other, make of `SENT`; every command is sent twice."""
    log = MemoryLog(PARTITIONS)
    answers = Answers(await log.identity())
    operations: list[Operation] = []
    now = 0.0
    for half in (SENT[:5], SENT[5:]):
        async with await Partitions.open(
            log, DECIDER, settings=LogSettings(), node="n"
        ) as partitions:
            await partitions.wait_ready(20)
            for key, order_id, command, data, expected in half:
                one = Operation(0, key, order_id, command, data, expected, now + 0.1)
                body = COMMANDS[command].model_validate_json(json.dumps(data))
                asked = Asked(key, expected, "c", Actor("user", "u"), None, is_dry_run=False)
                given = None if isinstance(body, Beginning) else order_id
                for _ in range(2):
                    sent_s, now = now + 0.1, now + 1
                    try:
                        outcome = await partitions.submit(submission(body, given, asked, "default"))
                    except Refused as refusal:
                        problem = problem_of(refusal).result()
                        one.answers.append(Answer(problem["status"], problem, sent_s, now))
                    else:
                        one.answers.append(Answer(200, answers.result(outcome), sent_s, now))
                operations.append(one)
    stored = [record for partition in range(PARTITIONS) for record in log.records(partition)]
    return operations, Log(
        [decode(record) for record in stored if is_event(record.key)],
        [
            Owner(record.partition, record.offset, ownership_epoch(record))
            for record in stored
            if not is_event(record.key)
        ],
    )


async def test_a_good_history_passes():
    operations, log = await lived()

    assert violations(operations, log) == []
    assert [len(one.answers) for one in operations] == [2] * len(SENT)
    statuses = {one.key: one.answers[0].status for one in operations}
    assert (statuses["early"], statuses["conflict"], statuses["late"]) == (404, 412, 409)
    assert len(log.events) >= 5


async def test_a_command_that_is_sent_again_after_its_refusal_may_be_taken():
    operations, log = await lived()
    _aborted_read(operations, log)
    note = _of(operations, "note")
    note.unknown_s = [note.answers[0].at_s + 1]

    assert not any(said.startswith("C2") for said in violations(operations, log))


def _of(operations: list[Operation], key: str) -> Operation:
    return next(one for one in operations if one.key == key)


def _event(log: Log, key: str) -> int:
    return next(n for n, event in enumerate(log.events) if event.command_id == key)


def _changed(log: Log, key: str, **changes: object) -> None:
    place = _event(log, key)
    log.events[place] = log.events[place]._replace(**changes)


def _lost(operations: list[Operation], log: Log) -> None:
    log.events[:] = [event for event in log.events if event.command_id != "other"]


def _doubled(operations: list[Operation], log: Log) -> None:
    last = max(log.events, key=lambda event: (event.order_id == ORDER, event.version))
    copy = last._replace(version=last.version + 1, offset=last.offset + 100, command_id="note")
    log.events.append(copy._replace(command_index=0))


def _torn(operations: list[Operation], log: Log) -> None:
    _changed(log, "note", command_size=2)


def _swapped(operations: list[Operation], log: Log) -> None:
    first, second = _event(log, "accept"), _event(log, "note")
    one, two = log.events[first], log.events[second]
    log.events[first] = one._replace(offset=two.offset)
    log.events[second] = two._replace(offset=one.offset)


def _aborted_read(operations: list[Operation], log: Log) -> None:
    refused = _of(operations, "late").answers[0]
    note = _of(operations, "note")
    note.answers[:] = [refused]


def _late_copy(operations: list[Operation], log: Log) -> None:
    """It was sent without an answer, sent again, refused, and the first copy came after that."""
    _aborted_read(operations, log)
    note = _of(operations, "note")
    note.unknown_s = [note.answers[0].sent_s - 1]


def _refused_after(operations: list[Operation], log: Log) -> None:
    note = _of(operations, "note")
    note.answers.append(replace(_of(operations, "late").answers[0], at_s=99, sent_s=98))


def _told_otherwise(operations: list[Operation], log: Log) -> None:
    note = _of(operations, "note")
    again = note.answers[1]
    note.answers[1] = replace(again, body={**again.body, "version": 9})


def _wrong_event(operations: list[Operation], log: Log) -> None:
    other = _of(operations, "other")
    for place, answer in enumerate(other.answers):
        events = [{**event, "event_id": "another"} for event in answer.body["events"]]
        other.answers[place] = replace(answer, body={**answer.body, "events": events})


def _stale_refusal(operations: list[Operation], log: Log) -> None:
    """The order is not there, says a node that has not heard of it."""
    late = _of(operations, "late")
    missing = _of(operations, "early").answers[0]
    accept = _of(operations, "again")
    accept.answers[:] = [replace(missing, sent_s=accept.sent_s, at_s=accept.sent_s + 0.1)]
    assert late.answers


def _epoch_back(operations: list[Operation], log: Log) -> None:
    log.owners[-1] = replace(log.owners[-1], epoch=log.owners[-1].epoch - 1)


def _time_back(operations: list[Operation], log: Log) -> None:
    """What comes first in the log was sent after the answer to what comes second."""
    accept = _of(operations, "accept")
    accept.sent_s = 50.0
    accept.answers[:] = [replace(accept.answers[0], sent_s=50.0, at_s=51.0)]


def _chain(operations: list[Operation], log: Log) -> None:
    _changed(log, "note", prev_hash=bytes(32))


PLANTED: dict[str, tuple[Callable[[list[Operation], Log], None], str]] = {
    "lost": (_lost, "C1 lost"),
    "another event": (_wrong_event, "C1 changed"),
    "aborted read": (_aborted_read, "C2"),
    "late copy": (_late_copy, "C2"),
    "swapped": (_swapped, "C3 order"),
    "broken chain": (_chain, "C3 chain"),
    "torn": (_torn, "C4"),
    "doubled": (_doubled, "C5 doubled"),
    "told otherwise": (_told_otherwise, "C5 answers differ"),
    "taken back": (_refused_after, "C5 taken back"),
    "epoch goes back": (_epoch_back, "C7"),
    "time goes back": (_time_back, "C8 time"),
    "stale refusal": (_stale_refusal, "C8 stale"),
}


@pytest.mark.parametrize("what", PLANTED)
async def test_an_anomaly_is_found_by_its_rule(what):
    operations, log = await lived()
    plant, rule = PLANTED[what]

    plant(operations, log)

    assert any(said.startswith(rule) for said in violations(operations, log))
