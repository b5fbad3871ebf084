"""One order as its owner holds it."""

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct, field

from domain.events import Recorded
from eventlog.codec import FIRST_PREV_HASH, event_hash
from eventlog.log import IntegrityError
from eventlog.submission import EventRef

State = TypeVar("State")


class Answered(Struct, frozen=True, gc=False):
    """A command that is in the log: what it was, and which versions it made."""

    fingerprint: bytes
    first_version: int
    last_version: int


class Stream(Struct, Generic[State], frozen=True):
    """The fold of one order's events: the aggregate's state and what idempotency needs.

    `commands` answers a repeated command for the life of the log, since it comes from the events.
    """

    state: State
    version: int = 0
    prev_hash: bytes = FIRST_PREV_HASH
    recorded_at_us: int = 0
    next_offset: int = 0
    refs: tuple[EventRef, ...] = ()
    commands: Mapping[str, Answered] = field(default_factory=dict)
    is_whole: bool = True

    def placed(self, next_offset: int) -> "Stream[State]":
        """Return this stream with its place in the log; quicker than `dataclasses.replace`."""
        return Stream(
            self.state,
            self.version,
            self.prev_hash,
            self.recorded_at_us,
            next_offset,
            self.refs,
            self.commands,
            self.is_whole,
        )

    def follow(
        self, recorded: Recorded, evolve: Callable[[State, object], State]
    ) -> "Stream[State]":
        """Return this stream after one event that was read from the log.

        Raises:
            IntegrityError: the event does not follow: a gap, a repeat, a broken chain, or the
                command before it is not whole. Nothing may be appended to this partition.
        """
        self._check(recorded)
        known = self.commands.get(recorded.command_id)
        first = known.first_version if known and recorded.command_index else recorded.version
        commands = dict(self.commands)
        commands[recorded.command_id] = Answered(recorded.fingerprint, first, recorded.version)
        return Stream(
            evolve(self.state, recorded.event),
            recorded.version,
            event_hash(recorded.value),
            recorded.recorded_at_us,
            recorded.offset + 1,
            (*self.refs, EventRef(recorded.event_id, recorded.type, recorded.version)),
            commands,
            recorded.command_index + 1 == recorded.command_size,
        )

    def _check(self, recorded: Recorded) -> None:
        place = f"order {recorded.order_id} at offset {recorded.offset}"
        if recorded.version != self.version + 1:
            raise IntegrityError(
                f"{place}: version {recorded.version} follows version {self.version}"
            )
        if recorded.prev_hash != self.prev_hash:
            raise IntegrityError(f"{place}: the hash chain is broken at version {recorded.version}")
        if self.is_whole != (recorded.command_index == 0):
            raise IntegrityError(f"{place}: the events of a command are torn apart")
