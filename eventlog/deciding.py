"""One command against staged state: a repeat, a refusal, or new records. Pure but for the clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from domain.decider import Decider
from domain.errors import Refused
from eventlog.codec import Envelope, encode, event_hash, event_key, headers
from eventlog.log import Record
from eventlog.stream import Answered, Staging, Stream
from eventlog.submission import (
    CommandTooLarge,
    EventRef,
    KeyReused,
    Outcome,
    Submission,
    VersionMismatch,
)

State = TypeVar("State")

_RECORD_OVERHEAD_BYTES = 80


@dataclass(frozen=True, slots=True)
class Decision:
    """What one command comes to: an answer, and the records that must be committed first.

    An answer's `next_offset` is filled in by `settled`, once the group is committed.
    """

    answer: Outcome | Exception
    records: tuple[Record, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Deciding(Generic[State]):
    """All that deciding needs besides state: rules, place, clock, ids, limits."""

    decider: Decider[State, Any, Any]
    partition: int
    source: str
    clock_us: Callable[[], int]
    new_event_id: Callable[[], str]
    bytes_max: int

    def decide(
        self, staging: Staging[State], submission: Submission, *, index: int, was_doubtful: bool
    ) -> Decision:
        """Decide one command; stage its events when it is accepted.

        `index` is the number of records that the group holds already. A command of a doubtful
        group that is found in the log is an acceptance, not a replay.
        """
        stream = staging.get(submission.order_id)
        try:
            known = stream.commands.get(submission.command_id)
            if known is not None:
                return Decision(self._known(stream, known, submission, not was_doubtful))
            _check_version(stream, submission.expected_version)
            events = self.decider.decide(stream.state, submission.command)
            if not events:
                return Decision(self._outcome(submission, stream.version, (), replayed=False))
            return self._accept(staging, stream, submission, events, index)
        except Refused as refusal:
            return Decision(refusal)
        except Exception as error:  # noqa: BLE001 - a faulty rule fails its own command alone
            return Decision(error)

    def _known(
        self, stream: Stream[State], known: Answered, submission: Submission, replayed: bool
    ) -> Outcome:
        if known.fingerprint != submission.fingerprint:
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
        staging: Staging[State],
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
        staging.put(submission.order_id, after)
        return Decision(answer, tuple(records), size)

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


def settled(answer: Outcome | Exception, live: Mapping[str, Stream[Any]]) -> Outcome | Exception:
    """Return `answer` with its place in the log, after the group's streams were published."""
    if isinstance(answer, Exception) or answer.order_id not in live:
        return answer
    return replace(answer, next_offset=live[answer.order_id].next_offset)


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
