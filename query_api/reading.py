"""Rows together with the position they are at: one statement, so that neither outruns the other.

A single statement sees one snapshot. Postgres takes it after the locks on the views, so a switch
of generations is before it or after it, never in between.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg

from personal_data.keys import Keys, KeysUnavailable
from personal_data.opening import open_all
from query_api import metrics
from query_api.checkpoints import LAST_WAIT_S, Checkpoints
from query_api.database import Database, RowsMissing
from query_api.positions import (
    HEADER,
    Contained,
    Identity,
    contained,
    contained_sql,
    wanted,
)
from query_api.problems import Problem
from runtime.position import Position

WAIT_MS_MAX = 10_000

_IDENTITY = "SELECT cluster_id, topic, topic_id, partitions FROM orderlog.log_identity"
_BUILDING = """
SELECT EXISTS (SELECT FROM orderlog.generations WHERE projection = $1 AND state = 'building')
"""
_AS_JSON = """to_char(p.stale_since, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_RETRY_AFTER_S = {"pending": 1, "rebuilding": 5, "parked": 30}
_WHY = {
    "pending": "the projectors have not come that far yet; ask again",
    "rebuilding": "the read model is being rebuilt; ask again",
    "parked": "an event before it cannot be applied, a person has to look: see /v1/projections",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """A query on one read model; its rows have a first column that is never null."""

    projection: str
    sql: str


def statement(projection: str, select: str, order_by: str = "") -> Statement:
    """Make a statement of a query; `order_by` names columns of it as `r.name`."""
    order = f" ORDER BY {order_by}" if order_by else ""
    return Statement(
        projection,
        f"SELECT at.contained, r.* FROM ({contained_sql(projection)}) at "
        f"LEFT JOIN LATERAL ({select}) r ON true{order}",
    )


def stale_since(projection: str, order_id: str) -> str:
    """Return a column: since when an order's rows are stale, as JSON has it; null: they are not."""
    return (
        f"(SELECT {_AS_JSON} FROM orderlog.live_parked p WHERE p.projection = '{projection}' "
        f"AND p.order_id = {order_id}::uuid::text) AS stale_since"
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request wants contained at least: a token or None, and for how long it waits."""

    token: str | None
    wait_ms: int | None


Headers: TypeAlias = list[tuple[bytes, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, and what they contain."""

    contained: Contained
    rows: Sequence[asyncpg.Record]

    def headers(
        self, partition: int | None = None, stale_since: str | None = None
    ) -> dict[str, str]:
        """Return what every answer carries; see `raw_headers`."""
        raw = self.raw_headers(partition, stale_since)
        return {name.decode(): value for name, value in raw}

    def raw_headers(self, partition: int | None = None, stale_since: str | None = None) -> Headers:
        """Return what every answer carries.

        `partition`: all rows are of one order in it, and `stale_since` is that order's.
        """
        at = self.contained
        is_parked = bool(at.parked) if partition is None else partition in at.stuck
        return [
            (b"orders-position", at.token),
            (b"orders-freshness", "parked" if is_parked or stale_since else "fresh"),
            (b"cache-control", "no-cache"),
        ]


class Reader:
    """Asks the read models, and waits for them."""

    def __init__(
        self, database: Database, checkpoints: Checkpoints, keys: Keys, wait_ms_default: int
    ) -> None:
        self._database = database
        self._checkpoints = checkpoints
        self._keys = keys
        self._wait_ms_default = wait_ms_default
        self._known: Identity | None = None

    async def read(self, query: Statement, *arguments: Any, asked: Asked) -> Answer:
        """Return the rows once they contain what was asked for.

        Raises:
            Problem: `not-yet-projected` when they do not in time, and what `Database.fetch` and
                `positions.wanted` raise.
        """
        identity = await self.identity()
        if asked.token is None:
            return await self._fetch(identity, query, arguments)
        position = wanted(identity, asked.token)
        wait_ms = self._wait_ms_default if asked.wait_ms is None else asked.wait_ms
        deadline = time.monotonic() + wait_ms / 1000
        answer = await self._fetch(identity, query, arguments)
        while not answer.contained.position.contains(position):
            left_s = deadline - time.monotonic()
            with metrics.WAITING.track_inprogress():
                is_there = await self._checkpoints.until(
                    query.projection,
                    lambda text: contained(identity, text).position.contains(position),
                    left_s,
                    last_wait_s=LAST_WAIT_S,
                )
            if not is_there:
                raise await self._not_yet(query.projection, answer.contained, position)
            answer = await self._fetch(identity, query, arguments)
        return answer

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Return the rows of a query on the control tables.

        Raises:
            Problem: see `Database.fetch`.
        """
        try:
            return await self._database.fetch(sql, *arguments)
        except RowsMissing as error:
            raise schema_missing() from error

    async def opened(self, body: bytes) -> bytes:
        """Return JSON with the personal data in it in the clear; null where it was erased.

        Keys are asked for each time: whoever erases need not wait for anybody's memory.

        Raises:
            Problem: `key-store-unavailable`.
        """
        try:
            return await open_all(body, self._keys)
        except KeysUnavailable as error:
            raise Problem(
                "key-store-unavailable", str(error), retry_after_s=_RETRY_AFTER_S["pending"]
            ) from error

    async def identity(self) -> Identity:
        """Return which log the read models are built from; asked once, it never changes.

        Raises:
            Problem: `not-yet-projected`, no projector has run here yet; and see `rows`.
        """
        if self._known is None:
            found = await self.rows(_IDENTITY)
            if not found:
                raise _never_projected("pending")
            self._known = Identity.of(*found[0])
        return self._known

    async def _fetch(
        self, identity: Identity, query: Statement, arguments: Sequence[Any]
    ) -> Answer:
        try:
            rows = await self._database.fetch(query.sql, *arguments)
        except RowsMissing as error:
            raise _never_projected(await self._reason(query.projection)) from error
        text = rows[0]["contained"]
        if text is None:
            raise _never_projected(await self._reason(query.projection))
        return Answer(contained(identity, text), [] if rows[0][1] is None else rows)

    async def _not_yet(self, projection: str, has: Contained, position: Position) -> Problem:
        behind = {p for p, offset in position.offsets.items() if has.position.offsets[p] < offset}
        reason = "parked" if behind & has.stuck else await self._reason(projection)
        return _not_projected(
            reason,
            f"{projection} does not contain the position of {HEADER} yet: {_WHY[reason]}",
            has.token,
        )

    async def _reason(self, projection: str) -> str:
        rows = await self.rows(_BUILDING, projection)
        return "rebuilding" if rows[0][0] else "pending"


def schema_missing() -> Problem:
    """Return the problem of a database without our tables."""
    return Problem(
        "schema-missing",
        "the tables of orderlog are not there: run `orderlog migrate`",
        retry_after_s=_RETRY_AFTER_S["pending"],
    )


def _never_projected(reason: str) -> Problem:
    return _not_projected(
        reason, "this read model was never built: start `orderlog project`; ask again", None
    )


def _not_projected(reason: str, detail: str, token: str | None) -> Problem:
    more: Mapping[str, Any] = {"reason": reason} | ({"position": token} if token else {})
    return Problem("not-yet-projected", detail, retry_after_s=_RETRY_AFTER_S[reason], more=more)
