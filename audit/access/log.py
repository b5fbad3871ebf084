"""Who looked at the audit trail: an append-only log, written before anything is given out.

It is a log of one partition with the same fenced appender as the log itself: whoever writes first
fences every other writer, then reads the last record, so each record can name the hash of the one
before it however many processes export at once.
"""

import asyncio
import hashlib
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import uuid_utils

from audit.progress import Plan
from domain.values import Actor
from eventlog.log import Doubtful, EventLog, LogError, Record, StoredRecord
from runtime.finishing import to_its_end

FORMAT = "orderlog-audit-access/1"
FIRST_PREV_HASH = bytes(32)
ANONYMOUS = Actor("system", "anonymous")
ACTOR_MAX = 200
BEGUN, FINISHED, CUT = "begun", "finished", "cut"

_ATTEMPTS_MAX = 30
_PAUSE_S = 0.05
_LOOK_BACK = 16
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class AccessNotRecorded(Exception):  # noqa: N818 - says what happened
    """Nothing may be given out: who asks for it could not be written down. The message says why."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for what: `how` is `cli`, `http` or `report`; `what` is JSON-ready."""

    actor: Actor
    how: str
    what: Mapping[str, Any]


def asked_for(plan: Plan) -> dict[str, Any]:
    """Return what is recorded of an export: its form, its filter, and the range it reads."""
    form = plan.encoding.model_dump(exclude_none=True)
    ranges = {str(part.partition): [part.start_offset, part.end_offset] for part in plan.ranges}
    return {**form, **plan.filter.model_dump(exclude_none=True), "ranges": ranges}


class Access:
    """One access that has begun and is written down; end it once."""

    def __init__(self, accesses: "AccessLog", access_id: str) -> None:
        self.access_id = access_id
        self._accesses = accesses

    async def end(self, state: str, events: int) -> None:
        """Write down how it ended, `FINISHED` or `CUT`, and how many events were given out.

        Raises:
            AccessNotRecorded: the access stays open in the log, which is what a reader of it sees.
        """
        await self._accesses.write(self.access_id, state, {"events": events})


class AccessLog:
    """Writes accesses to `log`, which has one partition; `check` raises when it may not be used."""

    def __init__(
        self,
        log: EventLog,
        check: Callable[[], None] = lambda: None,
        clock_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        self._log = log
        self._check = check
        self._clock_us = clock_us
        self._one = asyncio.Lock()

    async def begin(self, question: Question) -> Access:
        """Write down who asks for what. Give nothing out before this has returned.

        Raises:
            AccessNotRecorded: give nothing out.
        """
        access_id = str(uuid_utils.uuid7())
        actor = {"kind": question.actor.kind, "id": question.actor.id}
        said = {"actor": actor, "how": question.how, "what": dict(question.what)}
        try:
            await asyncio.to_thread(self._check)
        except LogError as error:
            raise _not_recorded(error) from error
        await self.write(access_id, BEGUN, said)
        return Access(self, access_id)

    async def write(self, access_id: str, state: str, said: Mapping[str, Any]) -> None:
        """Append one record behind the last.

        Raises:
            AccessNotRecorded: it may have been written all the same.
        """
        named = {"format": FORMAT, "access_id": access_id, "state": state}
        known = {**named, "at_us": self._clock_us(), **said}
        key = f"{access_id}/{state}".encode()
        try:
            async with self._one:
                await self._append(key, known)
        except LogError as error:
            raise _not_recorded(error) from error

    async def _append(self, key: bytes, known: Mapping[str, Any]) -> None:
        seen = None  # The place of the last record at the first look: ours can only be behind it.
        for attempt in range(_ATTEMPTS_MAX):
            try:
                appender = await self._log.open_appender(0)
                try:
                    last, found = await self._behind(seen, key)
                    if found:  # An attempt whose outcome nobody knew has succeeded.
                        return
                    seen = seen if seen is not None else (last.offset if last else 0)
                    value = orjson.dumps({**known, "prev_hash": hash_of(last).hex()})
                    await appender.append([Record(key, value)])
                    return
                finally:
                    await appender.close()
            except Doubtful:
                # Another process writes too, or the brokers were slow: look again.
                await asyncio.sleep(random.random() * _PAUSE_S * (attempt + 1))  # noqa: S311
        raise Doubtful(f"others were faster {_ATTEMPTS_MAX} times")

    async def _behind(self, seen: int | None, key: bytes) -> tuple[StoredRecord | None, bool]:
        """Return the last record, and whether one with this key is behind the offset `seen`."""
        end = await self._log.end(0)
        back = _LOOK_BACK
        while True:
            start = max(0, end - back) if seen is None else min(seen, end)
            last, found = None, False
            async for batch in self._log.read(0, start, end):
                for record in batch.records:
                    last = record
                    found = found or record.key == key
            if last is not None or start == 0:
                return last, found
            # Only markers and what was aborted: look further back.
            seen, back = None, back * _LOOK_BACK


@asynccontextmanager
async def recorded(
    accesses: AccessLog,
    question: Question,
    count: Callable[[], int],
    complain: Callable[[str], None],
) -> AsyncIterator[None]:
    """Write down an access before what is inside begins, and how it ended.

    `count` answers how many events were given out. An end that cannot be written takes nothing
    back: `complain` is told, and the access stays open in the log.

    Raises:
        AccessNotRecorded: nothing was begun.
    """
    access = await accesses.begin(question)
    state = CUT
    try:
        yield
        state = FINISHED
    finally:
        try:
            # A client that has all it wanted leaves meanwhile: this comes first.
            await to_its_end(access.end(state, count()))
        except AccessNotRecorded as error:
            complain(f"how access {access.access_id} ended is not recorded: {error}")


def actor_of(text: str) -> Actor:
    """Read `kind:id`; a name alone is a user, as for commands.

    Raises:
        ValueError: it is neither.
    """
    if len(text) > ACTOR_MAX or _VISIBLE.fullmatch(text) is None:
        raise ValueError(
            f"must be kind:id in visible ASCII, like user:jane, of at most {ACTOR_MAX} characters"
        )
    kind, colon, name = text.partition(":")
    return Actor(kind, name) if colon and kind and name else Actor("user", text)


def hash_of(record: StoredRecord | None) -> bytes:
    """Return what the record after this one names as `prev_hash`; None: there is none before."""
    return FIRST_PREV_HASH if record is None else hashlib.sha256(record.value or b"").digest()


def _not_recorded(error: LogError) -> AccessNotRecorded:
    return AccessNotRecorded(
        f"every access to the audit trail is recorded first, and this one could not be: {error}"
    )
