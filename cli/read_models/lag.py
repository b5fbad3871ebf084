"""`orderlog lag`: how far the read models are behind the log."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from cli.exit_codes import FAILED, INCOMPATIBLE, INTERRUPTED, UNHEALTHY, explained
from cli.output import Output, fail, print_json, say, table
from cli.read_models.faults import fail_database
from eventlog.log import LogError
from eventlog.reader import LogReader
from eventlog.topics import Topics
from projectors import binding
from projectors.database import Incompatible, connect
from projectors.lag import HELD_TIMEOUTS, hanging
from runtime.settings import DatabaseSettings, LogSettings

_EXAMPLES = """Examples:

orderlog lag

orderlog lag --max-seconds 30 || page-somebody

orderlog lag -o json
"""
_CODES = {
    FAILED: "Kafka or Postgres does not answer",
    UNHEALTHY: "over the limit, stuck, or nothing is projected yet",
    INCOMPATIBLE: "not migrated, or built from another log",
    INTERRUPTED: "interrupted",
}
_LOAD = """
SELECT c.projection, c.generation, c.partition, c.next_offset, c.error, c.parked_orders,
    extract(epoch FROM now() - c.moved_at)::float8 AS still_s
FROM orderlog.live_checkpoints c ORDER BY c.projection, c.partition
"""
_STILL_S = 30.0
"""Whoever has not moved for so long, and has something to do, is stuck."""


@dataclass(frozen=True, slots=True)
class Lag:
    """One partition of one live projection.

    `seconds_behind` is the age of the oldest record that is not applied yet; 0.0 when none is.
    `error` says why a projection is stuck. `open_transaction_seconds` is the age of what keeps all
    readers of the partition from going on; 0.0 when nothing does.
    """

    projection: str
    generation: int
    partition: int
    next_offset: int
    end_offset: int
    records_behind: int
    seconds_behind: float
    parked_orders: int
    open_transaction_seconds: float
    error: str | None


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command("lag", epilog=_EXAMPLES + explained(_CODES))(lag)


def lag(
    *,
    max_seconds: Annotated[
        float | None, typer.Option("--max-seconds", min=0, help="Exit 3 when behind by more.")
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="How to print the result.")
    ] = Output.TEXT,
) -> None:
    """Say per projection and partition how many records and seconds it is behind the log.

    Asks Kafka and Postgres, not the projector, so it also works when that is down.
    """
    try:
        found = asyncio.run(_measured())
    except Incompatible as error:
        fail(str(error), INCOMPATIBLE)
    except LogError as error:
        fail(str(error), FAILED)
    except Exception as error:  # noqa: BLE001 - told apart there
        fail_database(error)
    if output is Output.JSON:
        print_json([asdict(one) for one in found])
    else:
        _tell(found)
    if not found:
        fail("nothing is projected yet: start `orderlog project`", UNHEALTHY)
    is_late = max_seconds is not None and any(one.seconds_behind > max_seconds for one in found)
    hangs = _hanging(found)
    for said in hangs.values():
        say(said)
    if is_late or hangs or any(one.error for one in found):
        raise typer.Exit(UNHEALTHY)


def _hanging(found: Iterable[Lag]) -> dict[int, str]:
    """Say per partition which transaction nobody ends any more."""
    limit_s = HELD_TIMEOUTS * LogSettings().transaction_timeout_ms / 1000
    return {
        one.partition: hanging(one.partition, one.end_offset, one.open_transaction_seconds)
        for one in found
        if one.open_transaction_seconds > limit_s
    }


def _tell(found: list[Lag]) -> None:
    table(
        (
            *("projection", "generation", "partition", "records behind", "seconds behind"),
            *("parked orders", "stuck"),
        ),
        [
            (
                one.projection,
                str(one.generation),
                str(one.partition),
                f"{one.records_behind:,}",
                f"{one.seconds_behind:.1f}",
                str(one.parked_orders),
                "yes" if one.error else "no",
            )
            for one in found
        ],
    )
    for one in found:
        if one.error:
            say(f"{one.projection} is stuck at partition {one.partition}: {one.error}")


async def _measured() -> list[Lag]:
    log = LogSettings()
    connection = await connect(DatabaseSettings())
    try:
        identity = await binding.bind(connection, log)
        rows = await connection.fetch(_LOAD)
    finally:
        await connection.close(timeout=5)
    topics = Topics(log)
    ends = await asyncio.to_thread(topics.ends, identity.partitions)
    highs = await asyncio.to_thread(topics.ends, identity.partitions, is_committed_only=False)
    places = {(row["partition"], row["next_offset"]) for row in rows}
    ages_s = await asyncio.to_thread(_ages_s, log, places, ends)
    open_at = set(ends.items())
    open_s = await asyncio.to_thread(_ages_s, log, open_at, highs, is_committed_only=False)
    return [_lag(row, ends, ages_s, open_s) for row in rows]


def _ages_s(
    log: LogSettings,
    places: AbstractSet[tuple[int, int]],
    ends: Mapping[int, int],
    *,
    is_committed_only: bool = True,
) -> dict[tuple[int, int], float]:
    """Return how old the first record at or after each place is; 0.0 where there is none."""
    found = dict.fromkeys(places, 0.0)
    behind = [(partition, offset) for partition, offset in places if offset < ends[partition]]
    if behind:
        with LogReader(log, is_committed_only=is_committed_only) as reader:
            for partition, offset in behind:
                for batch in reader.read_range(partition, offset, ends[partition]):
                    if batch.records:
                        age_s = time.time() - batch.records[0].timestamp_ms / 1000
                        found[partition, offset] = max(0.0, age_s)
                        break
    return found


def _lag(
    row: Any,
    ends: Mapping[int, int],
    ages_s: Mapping[tuple[int, int], float],
    open_s: Mapping[tuple[int, int], float],
) -> Lag:
    partition, next_offset = row["partition"], row["next_offset"]
    end, behind_s = ends[partition], ages_s[partition, next_offset]
    error = row["error"]
    if error is None and min(behind_s, row["still_s"]) > _STILL_S:
        error = (
            f"nobody has moved it for {row['still_s']:.0f} s though there is more in the log: is "
            "`orderlog project` running, and what does its /readyz say?"
        )
    return Lag(
        row["projection"],
        row["generation"],
        partition,
        next_offset,
        end,
        max(0, end - next_offset),
        round(behind_s, 3),
        row["parked_orders"],
        round(open_s[partition, end], 3),
        error,
    )
