"""One command against staged state: a repeat, a refusal, or new records. Pure but for the clock."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from domain.decider import Decider
from domain.errors import Refused, Rejected
from eventlog.codec import Envelope, encode, event_hash, event_key, headers
from eventlog.log import Record
from eventlog.state.staging import Staging
from eventlog.state.stream import Answered, Stream
from eventlog.state.streams import Streams
from eventlog.submission import (
    CommandTooLarge,
    EventRef,
    KeyReused,
    Outcome,
    Submission,
    VersionMismatch,
)
from eventlog.waiting import Waiting
from personal_data.sealing import seal
from runtime.failpoints import reach

State = TypeVar("State")

_RECORD_OVERHEAD_BYTES = 80
_ERASED = "The personal data of this order was erased; none can be recorded again."


class Decision(Struct, frozen=True):
    """What one command comes to: an answer, and the records that must be committed first.

    An answer's `next_offset` is filled in by `settled`, once the group is committed. `after` is the
    order with the new events; None: it stays as it is.
    """

    answer: Outcome | Exception
    records: tuple[Record, ...] = ()
    size_bytes: int = 0
    after: Stream[Any] | None = None


@dataclass(frozen=True, slots=True)
class Deciding(Generic[State]):
    """All that deciding needs besides state: rules, place, clock, ids, limits."""

    decider: Decider[State, Any, Any]
    partition: int
    source: str
    clock_us: Callable[[], int]
    new_event_id: Callable[[], str]
    bytes_max: int

    def take(
        self,
        queue: deque[Waiting],
        group: list[Waiting],
        staging: Staging[State],
        commands_max: int,
    ) -> tuple[list[Decision], list[Record]]:
        """Move commands from `queue` to `group` and decide them, as many as fit together.

        A command that nobody waits for is dropped: its client may have sent it again elsewhere, and
        have been refused there, for good.
        """
        decisions: list[Decision] = []
        records: list[Record] = []
        size_bytes = 0
        while queue and len(group) < commands_max:
            if queue[0].answer.cancelled():
                queue.popleft()
                continue
            submission = queue[0].submission
            decision = self.decide(
                staging.get(submission.order_id),
                submission,
                index=len(records),
                was_doubtful=queue[0].is_doubtful,
            )
            if size_bytes + decision.size_bytes > self.bytes_max:
                break
            if decision.after is not None:
                staging.put(submission.order_id, decision.after)
            group.append(queue.popleft())
            decisions.append(decision)
            records.extend(decision.records)
            size_bytes += decision.size_bytes
        reach("decided")
        return decisions, records

    def decide(
        self, stream: Stream[State], submission: Submission, *, index: int, was_doubtful: bool
    ) -> Decision:
        """Decide one command on its order as it stands.

        `index` is the number of records that the group holds already. A command of a doubtful
        group that is found in the log is an acceptance, not a replay.
        """
        try:
            known = stream.commands.get(submission.command_id)
            if known is not None:
                return Decision(self._known(stream, known, submission, not was_doubtful))
            _check_version(stream, submission.expected_version)
            events = self.decider.decide(stream.state, self._command(stream, submission))
            if not events:
                return Decision(self._outcome(submission, stream.version, (), replayed=False))
            if submission.is_erased:
                return Decision(Rejected("customer-data-erased", _ERASED))
            return self._accept(stream, submission, events, index)
        except Refused as refusal:
            return Decision(refusal)
        except Exception as error:  # noqa: BLE001 - a faulty rule fails its own command alone
            return Decision(error)

    def _command(self, stream: Stream[State], submission: Submission) -> Any:
        """Return what is to be decided: nothing behind this sees personal data in the clear."""
        if submission.key is None:
            return submission.command
        place = (submission.key, submission.order_id, stream.version + 1)
        return self.decider.sealed(submission.command, partial(seal, *place))

    def _known(
        self, stream: Stream[State], known: Answered, submission: Submission, replayed: bool
    ) -> Outcome:
        if not submission.is_repeat_of(known.fingerprint):
            raise KeyReused(
                "this Idempotency-Key belongs to another request on this order; use a new key"
            )
        refs = stream.refs[known.first_version - 1 : known.last_version]
        return self._outcome(submission, known.last_version, refs, replayed=replayed)

    def _outcome(
        self, submission: Submission, version: int, refs: tuple[EventRef, ...], *, replayed: bool
    ) -> Outcome:
        return Outcome(submission.order_id, version, replayed, refs, self.partition, 0)

    def _accept(
        self,
        stream: Stream[State],
        submission: Submission,
        events: Sequence[Any],
        index: int,
    ) -> Decision:
        now_us = max(self.clock_us(), stream.recorded_at_us)
        records, refs = [], []
        state, prev_hash, version = stream.state, stream.prev_hash, stream.version
        for place, event in enumerate(events):
            version = stream.version + place + 1
            envelope = self._envelope(submission, version, now_us, prev_hash, place, len(events))
            value = encode(envelope, event)
            prev_hash = event_hash(value)
            state = self.decider.evolve(state, event)
            refs.append(EventRef(envelope.event_id, type(event).__name__, envelope.version))
            records.append(self._record(submission, event, envelope, value))
        size = sum(_size(record) for record in records)
        if size > self.bytes_max:
            raise CommandTooLarge(f"the command's events take {size} bytes of {self.bytes_max}")
        answer = self._outcome(submission, version, tuple(refs), replayed=False)
        if submission.is_dry_run:
            return Decision(replace(answer, facts=tuple(events)))
        answered = Answered(submission.fingerprint, stream.version + 1, version)
        after = Stream(
            state,
            version,
            prev_hash,
            now_us,
            index + len(records),
            (*stream.refs, *refs),
            {**stream.commands, submission.command_id: answered},
        )
        return Decision(answer, tuple(records), size, after)

    def _envelope(
        self,
        submission: Submission,
        version: int,
        now_us: int,
        prev_hash: bytes,
        place: int,
        size: int,
    ) -> Envelope:
        return Envelope(
            self.new_event_id(),
            submission.tenant_id,
            submission.order_id,
            version,
            now_us if submission.occurred_at_us is None else submission.occurred_at_us,
            now_us,
            submission.command_id,
            submission.fingerprint,
            submission.correlation_id,
            submission.causation_id,
            submission.reason,
            submission.actor,
            prev_hash,
            place,
            size,
        )

    def _record(
        self, submission: Submission, event: Any, envelope: Envelope, value: bytes
    ) -> Record:
        return Record(
            event_key(submission.order_id, envelope.version),
            value,
            headers(
                event, envelope.event_id, source=self.source, traceparent=submission.traceparent
            ),
        )


def settled(answer: Outcome | Exception, live: Streams[Any]) -> Outcome | Exception:
    """Return `answer` with its place in the log, after the group's streams were published."""
    if isinstance(answer, Exception):
        return answer
    return replace(answer, next_offset=live.get(answer.order_id).next_offset)


def _check_version(stream: Stream[Any], expected: int | None) -> None:
    if expected is not None and expected != stream.version:
        raise VersionMismatch(stream.version, stream.refs[expected:])


def _size(record: Record) -> int:
    return (
        len(record.key)
        + len(record.value)
        + _RECORD_OVERHEAD_BYTES
        + sum(len(name) + len(value) for name, value in record.headers)
    )
