"""What must be true at any moment, said from outside: from the log and from one snapshot.

C6: rows are the fold of the events before the checkpoint. C9: each of those events is applied or
parked. The names are those of the reliability tests of the log.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from projectors.folding import Decoded
from projectors.kinds import Projection
from projectors.parked.parking import Unreadable
from projectors.read_models import PROJECTIONS

from .histories import plain, pure
from .running import at

_PARKED = """
SELECT projection, order_id, partition, offsets, discarded_at IS NOT NULL AS is_discarded
FROM orderlog.live_parked
"""
_COUNTED = "SELECT projection, partition, parked_orders FROM orderlog.live_checkpoints"


class ViolatedError(AssertionError):
    """A guarantee does not hold."""


def require(is_true: bool, said: str) -> None:
    if not is_true:
        raise ViolatedError(said)


@dataclass(frozen=True)
class Snapshot:
    """Everything that is live, at one moment; `parked` is (projection, order) -> offsets."""

    at: Mapping[str, Mapping[int, int]]
    rows: Mapping[str, list[tuple]]
    parked: Mapping[tuple[str, str], list[int]]
    alarming: Counter[tuple[str, int]]
    counted: Mapping[tuple[str, int], int]


async def look(connection: asyncpg.Connection, names: Collection[str] = PROJECTIONS) -> Snapshot:
    """Take rows, checkpoints and parked orders in one REPEATABLE READ snapshot."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        checkpoints = await at(connection)
        parked = await connection.fetch(_PARKED)
        counted = await connection.fetch(_COUNTED)
        rows = {}
        for name in checkpoints.keys() & set(names):
            found = await connection.fetch(f"SELECT * FROM read_models.{name}")
            rows[name] = sorted((tuple(map(plain, row)) for row in found), key=str)
    return Snapshot(
        checkpoints,
        rows,
        {(one["projection"], one["order_id"]): list(one["offsets"]) for one in parked},
        Counter((o["projection"], o["partition"]) for o in parked if not o["is_discarded"]),
        {(o["projection"], o["partition"]): o["parked_orders"] for o in counted},
    )


class Exact:
    """Compares snapshots with the facts; what was folded once is kept."""

    def __init__(self, projections: Collection[Projection] = tuple(PROJECTIONS.values())) -> None:
        self._projections = {projection.name: projection for projection in projections}
        self._known: dict[tuple, list[tuple]] = {}

    def require(self, snapshot: Snapshot, facts: Sequence[Decoded]) -> None:
        """Raise `ViolatedError` unless C6 and C9 hold. `facts`: the log, read as it is read now."""
        for name in snapshot.rows:
            self._require(name, snapshot, facts)

    def _require(self, name: str, snapshot: Snapshot, facts: Sequence[Decoded]) -> None:
        below = snapshot.at[name]
        parked = {
            order: offsets for (one, order), offsets in snapshot.parked.items() if one == name
        }
        applied, waiting = _apart(facts, below, parked)
        for order, offsets in parked.items():
            require(
                waiting.get(order) == offsets,
                f"C9: {order} of {name} waits for {offsets}, the log has {waiting.get(order)}",
            )
        for partition in below:
            place = (name, partition)
            require(
                snapshot.counted[place] == snapshot.alarming[place],
                f"C9: {snapshot.counted[place]} parked orders are counted in {place}, there are "
                f"{snapshot.alarming[place]}",
            )
        key = (name, tuple(sorted(below.items())), tuple(sorted(map(str, parked.items()))))
        if key not in self._known:
            self._known[key] = sorted(pure(self._projections[name], applied), key=str)
        wanted, found = self._known[key], snapshot.rows[name]
        require(found == wanted, f"C6: {name} at {dict(below)}: {_difference(found, wanted)}")


def _apart(
    facts: Sequence[Decoded], below: Mapping[int, int], parked: Mapping[str, Sequence[int]]
) -> tuple[list[Decoded], dict[str, list[int]]]:
    """Part the events before the checkpoint into those that must be applied, and that must wait.

    All events of a parked order wait, from the first that is parked on.
    """
    applied, waiting = [], defaultdict(list)
    for decoded in facts:
        rest = []
        for item in decoded.records:
            if item.offset >= below[decoded.partition]:
                break
            offsets = parked.get(item.order_id)
            if offsets and item.offset >= offsets[0]:
                waiting[item.order_id].append(item.offset)
                continue
            require(
                not isinstance(item, Unreadable),
                f"C9: offset {item.offset} of partition {item.partition} is not parked",
            )
            rest.append(item)
        applied.append(Decoded(decoded.partition, tuple(rest), decoded.next_offset))
    return applied, waiting


def _difference(found: list[tuple], wanted: list[tuple]) -> str:
    more = [row for row in found if row not in wanted][:2]
    less = [row for row in wanted if row not in found][:2]
    return f"{len(found)} rows for {len(wanted)}; too much: {more}; too little: {less}"
