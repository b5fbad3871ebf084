"""What is handed to the owner of an order, and what comes back."""

from msgspec import Struct

from domain.errors import Refused
from domain.values import Actor
from eventlog.log import LogError


class Submission(Struct, frozen=True):
    """One command on its way to the owner of its order.

    `command_id` is the idempotency key; `fingerprint` is the SHA-256 of the canonical request, so
    that a repeat is told from a reuse. `occurred_at_us` None: now. A dry run is decided like any
    other command, and changes nothing.

    A command that brings personal data has its order's `key`, which seals it; the fingerprint is
    then a keyed one, and `plain_fingerprint` that of releases before. `is_erased`: the key was
    destroyed, and nothing personal can be kept any more.
    """

    order_id: str
    command: object
    command_name: str
    command_id: str
    fingerprint: bytes
    expected_version: int | None
    occurred_at_us: int | None
    correlation_id: str
    causation_id: str
    actor: Actor
    tenant_id: str
    traceparent: str | None = None
    is_dry_run: bool = False
    reason: str = ""
    key: bytes | None = None
    plain_fingerprint: bytes | None = None
    is_erased: bool = False

    def is_repeat_of(self, fingerprint: bytes) -> bool:
        """Tell whether this is the same request; without the key there is no telling, and it is."""
        return self.is_erased or fingerprint in (self.fingerprint, self.plain_fingerprint)


class EventRef(Struct, frozen=True, gc=False):
    """An event by its names: enough to find it, not what it says."""

    event_id: str
    type: str
    version: int


class Outcome(Struct, frozen=True):
    """A command that was accepted; `events` is empty when it was already so.

    A reader whose checkpoint of `partition` is at or past `next_offset` contains the events.
    `facts` is what a dry run would append; empty otherwise.
    """

    order_id: str
    version: int
    replayed: bool
    events: tuple[EventRef, ...]
    partition: int
    next_offset: int
    facts: tuple[object, ...] = ()


class VersionMismatch(Refused):
    """The order is not at the expected version: read `missed`, decide again."""

    def __init__(self, current_version: int, missed: tuple[EventRef, ...]) -> None:
        super().__init__(f"the order is at version {current_version}")
        self.current_version = current_version
        self.missed = missed


class KeyReused(Refused):
    """The idempotency key belongs to another request on this order: choose a new key."""


class CommandTooLarge(Refused):
    """The command's events do not fit into one transaction: send less at once."""


class Overloaded(LogError):  # noqa: N818 - the name is the state
    """The owner's queue is full: send again after `retry_after_s`."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PartitionUnavailable(Overloaded):
    """The partition is moving, in doubt, or the log does not answer; the outcome is unknown.

    Send the same command with the same key after `retry_after_s`.
    """


class NotServing(PartitionUnavailable):
    """The partition does not take commands here, and nothing was queued or decided.

    Wait for `Partitions.changed`, and send it to the owner of then.
    """


class PartitionHalted(PartitionUnavailable):
    """The log contradicts itself; the message says what was seen. A person must look."""
