"""`orderlog parked`: orders that a projection could not go on with."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import asdict
from typing import Annotated, Any, TypeVar

import typer

from cli.exit_codes import FAILED, INCOMPATIBLE, explained
from cli.output import Output, fail, print_json, say, table
from cli.read_models.faults import fail_database
from domain.events import Recorded
from eventlog import codec
from eventlog.log import IntegrityError, LogError, StoredRecord
from projectors import folding
from projectors.checkpoints import GenerationChanged
from projectors.database import Connection, Incompatible, connect
from projectors.parked import redrive
from projectors.parked.redrive import ParkedOrder
from projectors.read_models import PROJECTIONS
from runtime.settings import DatabaseSettings, LogSettings

Result = TypeVar("Result")

_HEX_BYTES = 64

OrderId = Annotated[str, typer.Argument(help="The order, as `orderlog parked list` names it.")]
Name = Annotated[
    str | None,
    typer.Option("--projection", help=f"One of {', '.join(PROJECTIONS)}; default: all of them."),
]
As = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]

_LIST = """Examples:

orderlog parked list

orderlog parked list --projection orders -o json
"""
_SHOW = """Examples:

orderlog parked show 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11
"""
_RETRY = """Examples:

orderlog parked retry --all

orderlog parked retry 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11 --projection orders
"""
_DISCARD = """Examples:

orderlog parked discard 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11 --reason "test data, ticket 17"
"""
_CODES = {
    FAILED: "no such parked order, or Kafka or Postgres does not answer",
    INCOMPATIBLE: "another log, schema or function than this release needs",
}
_RETRY_CODES = {**_CODES, FAILED: f"{_CODES[FAILED]}, or some are still parked"}


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    group = typer.Typer(
        help="Orders whose next event a projection cannot apply.", no_args_is_help=True
    )
    group.command("list", epilog=_LIST + explained(_CODES))(list_parked)
    group.command("show", epilog=_SHOW + explained(_CODES))(show)
    group.command("retry", epilog=_RETRY + explained(_RETRY_CODES))(retry)
    group.command("discard", epilog=_DISCARD + explained(_CODES))(discard)
    app.add_typer(group, name="parked")


def list_parked(*, projection: Name = None, output: As = Output.TEXT) -> None:
    """List parked orders: since when their rows are stale, how many events wait, and why."""
    found = _done(_with_connection(lambda c: redrive.find(c, _known(projection))))
    if output is Output.JSON:
        print_json([asdict(one) for one in found])
        return
    table(
        ("projection", "order", "partition", "offset", "waiting", "stale since", "why"),
        [
            (
                one.projection,
                one.order_id,
                str(one.partition),
                str(one.offsets[0]),
                str(len(one.offsets)),
                one.stale_since.isoformat(),
                f"discarded: {one.discard_reason}" if one.discarded_at else one.error,
            )
            for one in found
        ],
    )


def show(order_id: OrderId, *, projection: Name = None, output: As = Output.TEXT) -> None:
    """Show one parked order: the cause, its event, and the events that wait behind it."""
    log = LogSettings()

    async def read(connection: Connection) -> list[tuple[ParkedOrder, list[StoredRecord]]]:
        found = await _require(connection, projection, order_id)
        return [(one, await redrive.records(log, one)) for one in found]

    told = [
        {**asdict(order), "events": [_described(record) for record in records]}
        for order, records in _done(_with_connection(read))
    ]
    if output is Output.JSON:
        print_json(told)
        return
    for one in told:
        typer.echo(f"{one['projection']}: {one['error']}")
        typer.echo(
            f"  parked {one['parked_at'].isoformat()}, stale since "
            f"{one['stale_since'].isoformat()}, {len(one['events'])} events wait:"
        )
        for event in one["events"]:
            typer.echo(f"  offset {event['offset']}: {event['what']}")


def retry(
    order_ids: Annotated[list[str] | None, typer.Argument(help="Which orders.")] = None,
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="All that are parked.")] = False,
    projection: Name = None,
    output: As = Output.TEXT,
) -> None:
    """Read the waiting events again and apply them, in order, with the code of this release.

    Discarded orders are tried only when they are named.
    """
    if all_of_them == bool(order_ids):
        raise typer.BadParameter("name orders, or give --all")
    log = LogSettings()

    async def work(connection: Connection) -> list[tuple[ParkedOrder, ParkedOrder | None]]:
        chosen: list[ParkedOrder] = []
        for order_id in order_ids or []:
            chosen += await _require(connection, projection, order_id)
        if all_of_them:
            found = await redrive.find(connection, _known(projection))
            chosen = [one for one in found if one.discarded_at is None]
        return [
            (one, await redrive.retry(connection, log, PROJECTIONS[one.projection], one))
            for one in chosen
        ]

    done = _done(_with_connection(work))
    if output is Output.JSON:
        print_json([_outcome(before, after) for before, after in done])
    else:
        for before, after in done:
            typer.echo(_sentence(before, after))
    if any(after is not None for _, after in done):
        raise typer.Exit(FAILED)


def _outcome(before: ParkedOrder, after: ParkedOrder | None) -> dict[str, Any]:
    return {
        "projection": before.projection,
        "order_id": before.order_id,
        "is_parked": after is not None,
        "waiting": len(after.offsets) if after else 0,
        "error": after.error if after else None,
    }


def _sentence(before: ParkedOrder, after: ParkedOrder | None) -> str:
    name = f"{before.projection} {before.order_id}"
    if after is None:
        return f"{name}: applied, nothing waits any more"
    return f"{name}: still parked, {len(after.offsets)} events wait: {after.error}"


def discard(
    order_id: OrderId,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept with the order.")],
    projection: Name = None,
) -> None:
    """Give an order up: no alarm counts it any more, its rows stay and are served as stale.

    Its events are kept by reference: a later `retry` of the order, or a rebuild, applies them.
    """
    if not reason.strip():
        raise typer.BadParameter("must not be empty", param_hint="--reason")

    async def work(connection: Connection) -> list[tuple[ParkedOrder, bool]]:
        found = await _require(connection, projection, order_id)
        return [(one, await redrive.discard(connection, one, reason)) for one in found]

    for one, is_new in _done(_with_connection(work)):
        ending = "discarded" if is_new else "had been discarded before"
        typer.echo(f"{one.projection} {one.order_id}: {ending}")


class _NotParked(Exception):  # noqa: N818 - the name is the state
    """There is no such parked order."""


async def _require(
    connection: Connection, projection: str | None, order_id: str
) -> Sequence[ParkedOrder]:
    found = await redrive.find(connection, _known(projection), order_id)
    if not found:
        where = f" in {projection}" if projection else ""
        raise _NotParked(f"no order {order_id} is parked{where}; see `orderlog parked list`")
    return found


def _known(projection: str | None) -> str | None:
    if projection is not None and projection not in PROJECTIONS:
        raise typer.BadParameter(
            f"there is no projection {projection!r}; there are {', '.join(PROJECTIONS)}"
        )
    return projection


def _described(record: StoredRecord) -> dict[str, Any]:
    """Return an event, or the reference of bytes that are none."""
    read = folding.item(record)
    told: dict[str, Any] = {"offset": record.offset, "key": record.key.decode(errors="replace")}
    if isinstance(read, Recorded):
        return told | {
            "what": f"{read.type}, version {read.version}, event {read.event_id}",
            "event": codec.to_json(read),
        }
    raw = record.value or b""
    sha256 = hashlib.sha256(raw).hexdigest()
    return told | {
        "what": f"{len(raw)} bytes that cannot be read, SHA-256 {sha256}",
        "bytes": len(raw),
        "sha256": sha256,
        "begins_with_hex": raw[:_HEX_BYTES].hex(),
    }


async def _with_connection(work: Callable[[Connection], Awaitable[Result]]) -> Result:
    connection = await connect(DatabaseSettings())
    try:
        return await work(connection)
    finally:
        await connection.close(timeout=5)


def _done(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end; known errors become their exit codes."""
    try:
        return asyncio.run(work)
    except (typer.BadParameter, KeyboardInterrupt):
        raise
    except _NotParked as error:
        fail(str(error), FAILED)
    except GenerationChanged as error:
        say("nothing was changed for that read model; call again")
        fail(str(error), FAILED)
    except (Incompatible, IntegrityError) as error:
        fail(str(error), INCOMPATIBLE)
    except LogError as error:
        fail(str(error), FAILED)
    except Exception as error:  # noqa: BLE001 - told apart there
        fail_database(error)
