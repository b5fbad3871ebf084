"""Events as they are projected, of one order and of all: resumed without a gap or a repetition."""

import heapq
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from query_api import parameters
from query_api.parameters import AtLeast
from query_api.positions import Identity, contained, of_offsets, wanted
from query_api.problems import invalid
from query_api.reading import Asked, Reader, statement
from query_api.resources import FollowingOf, Once, ReaderOf
from query_api.routes import documentation
from query_api.routes.orders import no_such_order, order_id_of
from query_api.routes.timeline import COLUMNS, EVENTS_OF_ORDER, OrderPath, entry
from query_api.sse import Look, frame

router = APIRouter(tags=["streams"], dependencies=[Once])

_PROJECTION = "timeline"
_HEADER = "Last-Event-ID"
_EVENTS_OF_ORDER_MAX = 200
_EVENTS_PER_PARTITION_MAX = 100
_VERSION_DIGITS_MAX = 18
_AT_ONCE = Asked(None, None)
_POSITION = statement(_PROJECTION, "SELECT NULL WHERE false")
_EVENTS = statement(
    _PROJECTION,
    "SELECT e.* FROM unnest($1::int[], $2::bigint[]) AS after (partition, next_offset) "
    f"CROSS JOIN LATERAL (SELECT {COLUMNS} FROM read_models.timeline t "
    "WHERE t.partition = after.partition AND t.log_offset >= after.next_offset "
    # What is parked comes later, with the offsets that it has: what is behind it waits for it.
    "AND t.log_offset < coalesce((SELECT min(p.offsets[1]) FROM orderlog.live_parked p "
    f"WHERE p.projection = '{_PROJECTION}' AND p.partition = after.partition "
    "AND p.discarded_at IS NULL), 9223372036854775807) "
    "ORDER BY t.log_offset LIMIT $3) e",
    "r.partition, r.log_offset",
)

LastEventId = Annotated[
    str | None,
    Header(
        alias=_HEADER,
        description="the `id` of the last event that was seen; browsers send it by themselves",
    ),
]


@router.get("/v1/orders/{order_id}/stream", **documentation.ORDER_STREAM)
async def stream_order(
    order_id: OrderPath,
    query: Annotated[parameters.Waiting, Query()],
    reader: ReaderOf,
    following: FollowingOf,
    at_least: AtLeast = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Send the events of an order, from its first on, and then each as it is projected."""
    known_id = order_id_of(order_id)
    version = _version(last_event_id)
    asked = Asked(at_least, query.wait_ms)
    first = await reader.read(EVENTS_OF_ORDER, known_id, 0, 1, asked=asked)
    if not first.rows:
        raise no_such_order(known_id)
    partition = first.rows[0]["partition"]
    tail = _OrderTail(reader, await reader.identity(), known_id, partition, version)
    return following.response(_PROJECTION, tail.look, first.headers(partition))


@router.get("/v1/stream", **documentation.STREAM)
async def stream_all(
    query: Annotated[parameters.Stream, Query()],
    reader: ReaderOf,
    following: FollowingOf,
    at_least: AtLeast = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Send all events from now on (or from the first); those of one order in their order."""
    identity = await reader.identity()
    seen = wanted(identity, last_event_id, _HEADER).offsets if last_event_id else None
    now = await reader.read(_POSITION, asked=Asked(at_least, query.wait_ms))
    if seen is None:
        seen = now.contained.position.offsets if query.begin == "now" else {}
    everywhere = dict.fromkeys(range(identity.partitions), 0)
    tail = _LogTail(reader, identity, everywhere | dict(seen))
    return following.response(_PROJECTION, tail.look, now.headers())


class _OrderTail:
    """What comes behind one version of an order."""

    def __init__(
        self, reader: Reader, identity: Identity, order_id: UUID, partition: int, version: int
    ) -> None:
        self._reader, self._identity = reader, identity
        self._order_id, self._partition, self._version = order_id, partition, version

    async def look(self) -> Look:
        answer = await self._reader.read(
            EVENTS_OF_ORDER, self._order_id, self._version, _EVENTS_OF_ORDER_MAX, asked=_AT_ONCE
        )
        if answer.rows:
            self._version = answer.rows[-1]["version"]
        offset = answer.contained.position.offsets[self._partition]
        return Look(
            await self._reader.opened(
                b"".join(frame(entry(row), row["version"]) for row in answer.rows)
            ),
            is_more=len(answer.rows) == _EVENTS_OF_ORDER_MAX,
            is_news=lambda text: self._offset(text) != offset,
        )

    def _offset(self, text: str) -> int:
        return contained(self._identity, text).position.offsets[self._partition]


class _LogTail:
    """What comes behind an offset of every partition; it first tells where it begins."""

    def __init__(self, reader: Reader, identity: Identity, offsets: Mapping[int, int]) -> None:
        self._reader, self._identity = reader, identity
        self._offsets = dict(offsets)
        self._is_begun = False

    async def look(self) -> Look:
        answer = await self._reader.read(
            _EVENTS,
            list(self._offsets),
            list(self._offsets.values()),
            _EVENTS_PER_PARTITION_MAX,
            asked=_AT_ONCE,
        )
        frames = [] if self._is_begun else [frame({}, self._token(), "begin")]
        self._is_begun = True
        parts = [list(rows) for _, rows in groupby(answer.rows, itemgetter("partition"))]
        # A merge never changes the order within a part, so that no offset is passed over.
        for row in heapq.merge(*parts, key=itemgetter("recorded_at")):
            self._offsets[row["partition"]] = row["log_offset"] + 1
            frames.append(frame(entry(row), self._token()))
        text = answer.contained.text
        return Look(
            await self._reader.opened(b"".join(frames)),
            is_more=any(len(part) == _EVENTS_PER_PARTITION_MAX for part in parts),
            is_news=lambda now: now != text,
        )

    def _token(self) -> str:
        return of_offsets(self._identity, self._offsets).token


def _version(last_event_id: str | None) -> int:
    if not last_event_id:
        return 0
    is_number = last_event_id.isascii() and last_event_id.isdigit()
    if not is_number or len(last_event_id) > _VERSION_DIGITS_MAX:
        raise invalid([(_HEADER, "must be the id of an event of this stream, a version")])
    return int(last_event_id)
