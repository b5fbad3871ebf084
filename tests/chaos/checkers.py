"""C1 to C5, C7 and C8 of docs/chaos.md over a history and the log that it left behind.

Pure: histories, events and owners in, what is wrong out, each with the name of its rule.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from command_api.bodies import COMMANDS
from domain.decide import DECIDER
from domain.errors import Refused
from domain.events import Recorded
from eventlog.codec import FIRST_PREV_HASH, event_hash

from .history import Answer, Operation

ANSWERED_BY_STATE = {404, 409, 412}


@dataclass(frozen=True)
class Owner:
    """An ownership record, where it stands."""

    partition: int
    offset: int
    epoch: int


@dataclass(frozen=True)
class Log:
    """Everything that is committed."""

    events: list[Recorded]
    owners: list[Owner]

    def orders(self) -> dict[str, list[Recorded]]:
        found: dict[str, list[Recorded]] = defaultdict(list)
        for event in sorted(self.events, key=lambda one: (one.partition, one.offset)):
            found[event.order_id].append(event)
        return found


def violations(operations: list[Operation], log: Log) -> list[str]:
    """Return what is wrong, the worst first; empty: every guarantee held."""
    orders = log.orders()
    commands: dict[tuple[str, str], list[Recorded]] = defaultdict(list)
    for events in orders.values():
        for event in events:
            commands[event.order_id, event.command_id].append(event)
    wrong = list(durable(operations, commands))
    wrong += refused_for_good(operations, commands)
    for order_id, events in orders.items():
        wrong += gapless(order_id, events)
        wrong += whole(order_id, events)
    wrong += once(operations, commands)
    wrong += epochs(log.owners)
    for order_id, events in orders.items():
        own = [one for one in operations if one.order_id == order_id]
        wrong += linear(own, events)
    return wrong


Commands = dict[tuple[str, str], list[Recorded]]


def durable(operations: Iterable[Operation], commands: Commands) -> Iterator[str]:
    """C1: what was acknowledged is in the log, with the events that were named."""
    for one in operations:
        found = [
            (event.event_id, event.type, event.version)
            for event in commands.get((one.order_id, one.key), [])
        ]
        for answer in one.accepted:
            told = [(e["event_id"], e["type"], e["version"]) for e in answer.body["events"]]
            if told and not found:
                yield f"C1 lost: {one.key} was told {told}, the log has nothing"
            elif told != found:
                yield f"C1 changed: {one.key} was told {told}, the log has {found}"


def refused_for_good(operations: Iterable[Operation], commands: Commands) -> Iterator[str]:
    """C2: what was refused, and neither accepted nor sent again after that, is not in the log."""
    for one in operations:
        if not one.answers or one.accepted or (one.order_id, one.key) not in commands:
            continue
        refusal = one.answers[0]
        if not any(sent_s > refusal.at_s for sent_s in one.unknown_s):
            yield (
                f"C2 aborted read: {one.key} was refused ({refusal.status} "
                f"{refusal.body.get('code')}) and is in the log; it was sent before without an "
                f"answer {len(one.unknown_s)} times"
            )


def gapless(order_id: str, events: list[Recorded]) -> Iterator[str]:
    """C3: versions 1, 2, 3 … in one partition, each naming the bytes before it."""
    before = FIRST_PREV_HASH
    for number, event in enumerate(events, 1):
        if event.version != number:
            yield f"C3 order: {order_id} has version {event.version} at place {number}"
        if event.prev_hash != before:
            yield f"C3 chain: {order_id} breaks at version {event.version}"
        before = event_hash(event.value)
    if len({event.partition for event in events}) > 1:
        yield f"C3 place: {order_id} is in several partitions"


def whole(order_id: str, events: list[Recorded]) -> Iterator[str]:
    """C4: a command's events, all of them, side by side."""
    for block in blocks(events):
        places = [(event.command_index, event.command_size) for event in block]
        offsets = [event.offset - block[0].offset for event in block]
        wanted = list(range(len(block)))
        if places != [(place, len(block)) for place in wanted] or offsets != wanted:
            yield f"C4 torn: {block[0].command_id} of {order_id} has {places} at {offsets}"


def blocks(events: list[Recorded]) -> Iterator[list[Recorded]]:
    """Yield the events of one command after the other."""
    block: list[Recorded] = []
    for event in events:
        if block and (event.command_id != block[0].command_id or event.command_index == 0):
            yield block
            block = []
        block.append(event)
    if block:
        yield block


def once(operations: Iterable[Operation], commands: Commands) -> Iterator[str]:
    """C5: a key appends at most once, and what was accepted is answered alike each time."""
    for (order_id, key), events in commands.items():
        if sum(event.command_index == 0 for event in events) > 1:
            yield f"C5 doubled: {key} of {order_id} is in the log more than once"
    for one in operations:
        said = {_sameness(answer) for answer in one.accepted if answer.body["events"]}
        if len(said) > 1:
            yield f"C5 answers differ: {one.key} was told {sorted(said)}"
        first = next((n for n, a in enumerate(one.answers) if a.is_accepted), None)
        is_kept = first is not None and one.answers[first].body["events"]
        if is_kept and not all(answer.is_accepted for answer in one.answers[first:]):
            yield f"C5 taken back: {one.key} was accepted, then refused"


def _sameness(answer: Answer) -> str:
    """Return what must not change: not the position, which a repeat has of the order as it is."""
    return str([answer.body["version"], answer.body["events"]])


def epochs(owners: Iterable[Owner]) -> Iterator[str]:
    """C7: epochs of owners rise; some are missing, of takeovers that were cut off."""
    last: dict[int, int] = {}
    for owner in sorted(owners, key=lambda one: (one.partition, one.offset)):
        if owner.epoch <= last.get(owner.partition, 0):
            yield (
                f"C7 epoch: {owner.epoch} follows {last.get(owner.partition, 0)} in partition "
                f"{owner.partition} at offset {owner.offset}"
            )
        last[owner.partition] = owner.epoch


def linear(operations: list[Operation], events: list[Recorded]) -> Iterator[str]:
    """C8: the log is an order of the commands that agrees with the clock and with every answer.

    What was answered before something else was sent comes before it. Every refusal, and every "it
    is already so", fits a state that the order had between the request and its answer.
    """
    spans = {block[0].command_id: (block[0].version, block[-1].version) for block in blocks(events)}
    states = [DECIDER.initial]
    for event in events:
        states.append(DECIDER.evolve(states[-1], event.event))
    stored = [one for one in operations if one.key in spans]
    answered = sorted((one.accepted[0].at_s, spans[one.key][1]) for one in stored if one.accepted)
    for one in stored:
        first = spans[one.key][0]
        before = [last for at_s, last in answered if at_s < one.sent_s]
        if before and max(before) >= first:
            yield f"C8 time: {one.key} (version {first}) was sent after {max(before)} was answered"
    for one in operations:
        for answer in one.answers:
            is_old = answer.is_accepted and answer.body["events"]
            if is_old or (not answer.is_accepted and answer.status not in ANSWERED_BY_STATE):
                continue
            low = max((last for at_s, last in answered if at_s < answer.sent_s), default=0)
            high = max(
                (spans[other.key][1] for other in stored if other.sent_s < answer.at_s),
                default=0,
            )
            if not any(_explains(one, answer, states[v], v) for v in range(low, high + 1)):
                yield (
                    f"C8 stale: {one.key} got {answer.status} {answer.body.get('code')}, which no "
                    f"version of {low} to {high} explains"
                )


def _explains(one: Operation, answer: Answer, state, version: int) -> bool:
    if answer.status == 412:
        return one.expected_version != version
    try:
        command = COMMANDS[one.command].model_validate_json(json.dumps(one.data)).command()
        decided = DECIDER.decide(state, command)
    except Refused:
        return not answer.is_accepted
    return answer.is_accepted and not decided
