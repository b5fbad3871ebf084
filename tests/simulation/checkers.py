"""What must be true of every run, said from outside: from the log's bytes and the clients' memory.

The names C1 to C5 are those of docs/log.md.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator

from domain.decide import DECIDER
from domain.errors import Refused
from domain.events import Recorded
from eventlog import codec
from eventlog.submission import Outcome

from .world import PARTITIONS, Run


class ViolatedError(AssertionError):
    """A guarantee does not hold."""


def require(is_true: bool, said: str) -> None:
    if not is_true:
        raise ViolatedError(said)


def check(run: Run) -> int:
    """Raise `ViolatedError`, or return the number of events looked at."""
    orders: dict[str, list[Recorded]] = defaultdict(list)
    for partition in range(PARTITIONS):
        for record in run.log.records(partition):
            if codec.is_event(record.key):
                recorded = codec.decode(record)
                orders[recorded.order_id].append(recorded)
    for events in orders.values():
        _versions_without_gap(events)
        _commands_whole_and_once(events)
    _answers_are_in_the_log(run, orders)
    _decided_on_what_was_there(run, orders)
    return sum(map(len, orders.values()))


def _versions_without_gap(events: list[Recorded]) -> None:
    """C3, and the chain."""
    before, last_us = bytes(32), 0
    for number, event in enumerate(events, 1):
        require(event.version == number, f"C3: version {event.version} at place {number}")
        require(event.prev_hash == before, f"C3: the chain breaks at version {number}")
        require(event.recorded_at_us >= last_us, f"C3: version {number} was recorded before it")
        last_us = event.recorded_at_us
        before = hashlib.sha256(event.value).digest()
    require(len({event.partition for event in events}) == 1, "C3: an order in two partitions")


def blocks(events: list[Recorded]) -> Iterator[list[Recorded]]:
    """Yield the events of one command after the other."""
    block: list[Recorded] = []
    for event in events:
        if block and event.command_id != block[0].command_id:
            yield block
            block = []
        block.append(event)
    if block:
        yield block


def _commands_whole_and_once(events: list[Recorded]) -> None:
    """C4 and C5."""
    seen = set()
    for block in blocks(events):
        key = block[0].command_id
        require(key not in seen, f"C5: {key} is in the log twice")
        seen.add(key)
        places = [(event.command_index, event.command_size) for event in block]
        require(
            places == [(place, len(block)) for place in range(len(block))], f"C4: {key} is torn"
        )


def _answers_are_in_the_log(run: Run, orders: dict[str, list[Recorded]]) -> None:
    """C1, C2, and of C5 that a repeat is answered like the first."""
    for asked in run.asked:
        key = asked.submission.command_id
        events = orders.get(asked.submission.order_id, [])
        found = [event for event in events if event.command_id == key]
        require(bool(asked.answers), f"{key} has no answer")
        was_accepted = False
        for answer in asked.answers:
            if isinstance(answer, Outcome):
                # What changed nothing is not in the log, and may be answered otherwise later.
                was_accepted = was_accepted or bool(answer.events)
                _is_in_the_log(key, answer, found)
            else:
                require(isinstance(answer, Refused), f"{key} got {answer!r}")
                require(not was_accepted, f"C5: {key} was accepted, then refused")
        # One that was refused may be sent again and be accepted: only the last word is for good.
        require(was_accepted or not found, f"C2: {key} was refused and is in the log")


def _is_in_the_log(key: str, answer: Outcome, found: list[Recorded]) -> None:
    told = [(event.event_id, event.type, event.version) for event in answer.events]
    stored = [(event.event_id, event.type, event.version) for event in found]
    require(told == stored, f"C1: {key} was told {told}, the log has {stored}")
    require(
        all(event.offset < answer.next_offset for event in found),
        f"C1: the position of {key} does not contain it",
    )


def _decided_on_what_was_there(run: Run, orders: dict[str, list[Recorded]]) -> None:
    """Every command is what the rules make of the order as it stands right before, in the log."""
    commands = {asked.submission.command_id: asked.submission for asked in run.asked}
    for events in orders.values():
        state = DECIDER.initial
        for block in blocks(events):
            submission = commands[block[0].command_id]
            decided = DECIDER.decide(state, submission.command)
            require(
                list(decided) == [event.event for event in block],
                f"{submission.command_id} was decided on another state",
            )
            require(
                submission.expected_version in {None, block[0].version - 1},
                f"{submission.command_id} was accepted at a version it did not expect",
            )
            for event in block:
                state = DECIDER.evolve(state, event.event)
