"""A log by the rules of Kafka's old transaction protocol, for the real `KafkaAppender`.

Requests take their time, get lost, and arrive again when nobody expects them any more: KIP-98 for
what a coordinator does with them, KIP-890 for what is wrong with that (a late EndTxn ends whatever
transaction is open, since all of a producer's transactions have one epoch).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import ConcurrentTransactions, InvalidTxnState, ProducerFenced

from eventlog.log import Batch, LogIdentity, Record, StoredRecord
from eventlog.memory import Fault
from eventlog.transactions.appender import KafkaAppender
from runtime.settings import LogSettings

BACKOFF_S, CONCURRENT_S = 0.1, 0.001
MARKERS_S = (0.0, 0.001, 0.02)


@dataclass
class Transaction:
    """What one producer has begun; `number` is the producer's own count, which is never sent."""

    number: int
    state: str = "open"


@dataclass
class Entry:
    """An offset of the log: a record of a transaction, or a marker."""

    record: Record | None
    transaction: Transaction


@dataclass
class Place:
    """One partition with its transactional id."""

    entries: list[Entry] = field(default_factory=list)
    epoch: int = 0
    current: Transaction | None = None
    last: Transaction | None = None
    produced: dict[tuple[int, int], int] = field(default_factory=dict)
    snapshots: dict[bytes, bytes] = field(default_factory=dict)


class OldProtocolLog:
    """Implements `EventLog`. `verifies`: brokers ask the coordinator before they append.

    `tries`: how often a producer sends what nobody answers; ours does it once.
    """

    verifies = True
    has_epochs = True
    tries = 1

    def __init__(self, rng: random.Random, faults: Callable[[int], Fault]) -> None:
        self.rng = rng
        self.faults = faults
        self.places = [Place(), Place()]
        self.reached: dict[str, int] = {}

    def reach(self, what: str) -> None:
        """Count that this has come about."""
        self.reached[what] = self.reached.get(what, 0) + 1

    async def identity(self) -> LogIdentity:
        return LogIdentity("simulated", "orders.events", "simulated", len(self.places))

    async def pause(self) -> None:
        await asyncio.sleep(self.rng.choice([0, 0.001, 0.003, 0.02]))

    async def open_appender(self, partition: int) -> KafkaAppender:
        await self.pause()
        place = self.places[partition]
        place.epoch += 1
        if place.current is not None:
            was_decided = place.current.state == "committing"
            self._write_marker(place, place.current, "committed" if was_decided else "aborted")
        await self.pause()
        producer = Producer(self, partition, place.epoch, self.tries)
        return KafkaAppender(producer, LogSettings(), partition)

    async def end(self, partition: int) -> int:
        """Return the last stable offset."""
        await self.pause()
        entries = self.places[partition].entries
        is_open = {"open", "committing"}
        still_open = (n for n, one in enumerate(entries) if one.transaction.state in is_open)
        return next(still_open, len(entries))

    async def high_watermark(self, partition: int) -> int:
        await self.pause()
        return len(self.places[partition].entries)

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Batch]:
        await self.pause()
        found = [one for one in self.records(partition) if start <= one.offset < end]
        yield Batch(partition, tuple(found), end)

    async def saved(self, partition: int) -> AsyncIterator[Batch]:
        await self.pause()
        items = enumerate(self.places[partition].snapshots.items())
        found = [StoredRecord(partition, at, 0, key, value) for at, (key, value) in items]
        yield Batch(partition, tuple(found), len(found))

    async def close(self) -> None:
        """Release nothing."""

    def records(self, partition: int) -> list[StoredRecord]:
        """Return everything that is decided; readers stop at the first whose marker is missing."""
        return [
            StoredRecord(partition, offset, 0, entry.record.key, entry.record.value)
            for offset, entry in enumerate(self.places[partition].entries)
            if entry.record is not None and entry.transaction.state in {"committing", "committed"}
        ]

    def _current(self, partition: int, epoch: int) -> Place:
        place = self.places[partition]
        if self.has_epochs and epoch != place.epoch:
            raise ProducerFenced
        return place

    def add_partitions(self, partition: int, epoch: int, number: int) -> None:
        """Begin a transaction, unless one is open."""
        place = self._current(partition, epoch)
        if place.current is not None and place.current.state != "open":
            self.reach("concurrent transactions")
            raise ConcurrentTransactions
        place.current = place.current or Transaction(number)

    def produce(
        self, partition: int, epoch: int, sequence: int, records: Sequence[Record] | None
    ) -> int:
        """Append; the same batch again has the same place."""
        place = self._current(partition, epoch)
        if (epoch, sequence) in place.produced:
            self.reach("produced again")
            return place.produced[epoch, sequence]
        if place.current is None:
            self.reach("produced after its transaction")
            if self.verifies:
                raise InvalidTxnState
            transaction = Transaction(sequence)  # It hangs: no coordinator will ever end it.
        else:
            transaction = place.current
        first = place.produced[epoch, sequence] = len(place.entries)
        place.entries += [Entry(record, transaction) for record in records or ()]
        return first

    def end_transaction(self, partition: int, epoch: int, number: int) -> None:
        """Commit what is open, whichever the sender means; the markers come a little later."""
        place = self._current(partition, epoch)
        transaction = place.current
        if transaction is None or transaction.state != "open":
            if transaction is None and place.last is None:
                raise InvalidTxnState
            self.reach("committed again")
            return
        if transaction.number > number:
            self.reach("a late commit met the next transaction")
        transaction.state = "committing"
        delay_s = self.rng.choice(MARKERS_S)
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s, self._write_marker, place, transaction, "committed")

    def _write_marker(self, place: Place, transaction: Transaction, state: str) -> None:
        if place.current is transaction:
            transaction.state, place.last, place.current = state, transaction, None
            place.entries.append(Entry(None, transaction))


class Producer:
    """What `KafkaAppender` uses of our own producer, over a network like this."""

    def __init__(self, log: OldProtocolLog, partition: int, epoch: int, tries: int) -> None:
        self._log, self._place, self._tries = log, (partition, epoch), tries
        self._sequence = 0

    async def send(self, topic: str, partition: int, records: Sequence[Record]) -> int:
        assert partition == self._place[0]
        self._sequence += 1
        log, place, sequence = self._log, self._place, self._sequence
        while True:
            try:
                await self._asked(lambda: log.add_partitions(*place, sequence))
                break
            except ConcurrentTransactions:
                await asyncio.sleep(CONCURRENT_S)
        if topic.endswith(".snapshots"):
            log.places[partition].snapshots.update((r.key, r.value) for r in records)
            records = []
        return await self._asked(lambda: log.produce(*place, sequence, records))

    async def end(self) -> None:
        log, number = self._log, self._sequence
        await self._asked(lambda: log.end_transaction(*self._place, number))

    async def close(self) -> None:
        await asyncio.sleep(0)

    async def _asked(self, ask: Callable[[], Any]) -> Any:
        """Send a request until it is answered; copies that seem lost may arrive later on."""
        log = self._log
        for _ in range(self._tries):
            await log.pause()
            fault = log.faults(self._place[0])
            if fault is Fault.NONE:
                answer = ask()
                await log.pause()
                return answer
            if fault is Fault.ANSWER_LOST:
                ask()
            elif fault is Fault.LATE:
                delay_s = log.rng.choice([0.05, 0.1, 0.103, 0.11, 0.15, 0.5])
                asyncio.get_running_loop().call_later(delay_s, self._arrive, ask)
            await asyncio.sleep(BACKOFF_S)
        raise ConnectionError("no answer from the coordinator")

    def _arrive(self, request: Callable[[], Any]) -> None:
        """Let a late copy do what it does; nobody waits for its answer."""
        try:
            request()
        except (ProducerFenced, InvalidTxnState, ConcurrentTransactions):
            self._log.reach("came too late")
        else:
            self._log.reach("came late")
