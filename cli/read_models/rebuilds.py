"""`orderlog rebuild`, `orderlog rollback`, `orderlog verify`: read models and the log."""

import asyncio
import os
from collections.abc import Coroutine, Sequence
from typing import Annotated, Any, TypeVar

import typer

from cli.exit_codes import FAILED, INCOMPATIBLE, INTERRUPTED, VERIFICATION_FAILED, explained
from cli.output import Output, Progress, fail, print_json, say, table
from cli.read_models.faults import fail_database
from eventlog.log import IntegrityError, LogError, Undecodable
from projectors import generations
from projectors.database import Incompatible, connect
from projectors.kinds import Projection
from projectors.parked.parking import TooManyParked
from projectors.read_models import PROJECTIONS
from projectors.replay.built import Built, ParityFailed, RebuildRefused
from projectors.replay.parity import Report
from projectors.replay.rebuild import Rebuild
from projectors.replay.verify import verify_all, verify_sample
from runtime.collecting import collect_seldom
from runtime.settings import DatabaseSettings, LogSettings, ProjectorSettings

_REBUILD = """Examples:

orderlog rebuild

orderlog rebuild --projection orders --projection revenue --workers 4

orderlog rebuild --projection orders --no-switch
"""
_ROLLBACK = """Examples:

orderlog rollback --projection orders
"""
_VERIFY = """Examples:

orderlog verify --all

orderlog verify --sample 500 --projection orders
"""
_CODES = {
    FAILED: "Kafka or Postgres does not answer, or another one is at work",
    INCOMPATIBLE: "not migrated, built from another log, or nothing to go back to",
    INTERRUPTED: "interrupted",
}
_COMPARING = {**_CODES, VERIFICATION_FAILED: "the rows differ from the log"}
_SAMPLE = 100

Result = TypeVar("Result")


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    app.command("rebuild", epilog=_REBUILD + explained(_COMPARING))(rebuild)
    app.command("rollback", epilog=_ROLLBACK + explained(_CODES))(rollback)
    app.command("verify", epilog=_VERIFY + explained(_COMPARING))(verify)


Names = Annotated[
    list[str] | None,
    typer.Option("--projection", help=f"One of {', '.join(PROJECTIONS)}; default: all of them."),
]
Workers = Annotated[
    int,
    typer.Option("--workers", min=1, max=64, help="Processes that replay partitions in parallel."),
]
As = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]


def rebuild(
    *,
    projection: Names = None,
    workers: Workers = os.cpu_count() or 1,
    no_switch: Annotated[
        bool, typer.Option("--no-switch", help="Build and compare, keep serving the old one.")
    ] = False,
    output: As = Output.TEXT,
) -> None:
    """Replay the log from offset zero into new generations, compare them, and switch to them.

    The old generation is served until the new one is as far and holds the same rows (unless the
    function's version has changed). Interrupted? The same command goes on.
    """
    with Progress("replaying", "offsets") as progress:
        job = Rebuild(
            LogSettings(),
            DatabaseSettings(),
            _chosen(projection),
            workers_max=workers,
            parked_max=ProjectorSettings().parked_orders_max,
            report=progress.update,
        )
        built = _done(job.run(is_switching=not no_switch))
    if output is Output.JSON:
        print_json([_described(one) for one in built])
        return
    for one in built:
        rows = one.report.new_rows if one.report else 0
        ending = "is live" if one.is_live else "is built and not yet live"
        compared = _compared(one)
        typer.echo(
            f"{one.projection.name}: generation {one.place.generation} {ending}; {compared} "
            f"({rows:,} rows)"
        )


def _compared(one: Built) -> str:
    if one.report is None:
        return "there was nothing to compare with"
    taken_up = ""
    if one.report.taken_up:
        taken_up = f"; {one.report.taken_up} orders that were parked are applied"
    if one.report.is_equal:
        return f"equal to the one before{taken_up}"
    if taken_up:
        return f"{one.report.differing_buckets} of 256 groups differ{taken_up}"
    return f"{one.report.differing_buckets} of 256 groups differ, as its function has changed"


def _described(one: Built) -> dict[str, Any]:
    return {
        "projection": one.projection.name,
        "generation": one.place.generation,
        "is_live": one.is_live,
        "rows": one.report.new_rows if one.report else None,
        "is_equal": one.report.is_equal if one.report else None,
        "taken_up": one.report.taken_up if one.report else 0,
    }


def rollback(
    *,
    projection: Annotated[str, typer.Option("--projection", help="Which one.")],
    output: As = Output.TEXT,
) -> None:
    """Switch back to the generation before; the projector brings it up to date.

    A second rollback returns to the one that was left.
    """
    (chosen,) = _chosen([projection])
    left, live = _done(_roll_back(chosen))
    if output is Output.JSON:
        print_json({"projection": projection, "left": left.generation, "live": live.generation})
    else:
        typer.echo(f"{projection}: generation {live.generation} is live, {left.generation} is kept")


async def _roll_back(
    projection: Projection,
) -> tuple[generations.Generation, generations.Generation]:
    connection = await connect(DatabaseSettings())
    try:
        return await generations.rollback(connection, projection)
    finally:
        await connection.close(timeout=5)


def verify(
    *,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=1, help=f"Compare so many orders; default: {_SAMPLE}."),
    ] = None,
    all_rows: Annotated[
        bool, typer.Option("--all", help="Compare every row, and the sums over orders.")
    ] = False,
    projection: Names = None,
    workers: Workers = os.cpu_count() or 1,
    output: As = Output.TEXT,
) -> None:
    """Fold the log again and compare it with what is served."""
    if all_rows and sample is not None:
        raise typer.BadParameter("give --sample N or --all, not both")
    chosen = _chosen(projection)
    log, database = LogSettings(), DatabaseSettings()
    with Progress("verifying", "offsets") as progress:
        if all_rows:
            work = verify_all(
                log,
                database,
                chosen,
                workers_max=workers,
                parked_max=ProjectorSettings().parked_orders_max,
                report=progress.update,
            )
        else:
            work = verify_sample(
                log, database, chosen, orders=sample or _SAMPLE, report=progress.update
            )
        reports = _done(work)
    if output is Output.JSON:
        print_json([_reported(report) for report in reports])
    else:
        _tell(reports)
    if not all(report.is_equal for report in reports):
        raise typer.Exit(VERIFICATION_FAILED)


def _reported(report: Report) -> dict[str, Any]:
    return {
        "projection": report.projection,
        "served_rows": report.old_rows,
        "rows_of_the_log": report.new_rows,
        "is_equal": report.is_equal,
        "differences": [
            {"key": difference.key, "columns": difference.columns}
            for difference in report.differences
        ],
    }


def _tell(reports: Sequence[Report]) -> None:
    table(
        ("projection", "served rows", "rows of the log", ""),
        [
            (
                r.projection,
                f"{r.old_rows:,}",
                f"{r.new_rows:,}",
                "equal" if r.is_equal else "DIFFER",
            )
            for r in reports
        ],
    )
    for report in reports:
        for difference in report.differences:
            where = ", ".join(f"{name} {value}" for name, value in difference.key.items())
            for column, (served, wanted) in difference.columns.items():
                typer.echo(
                    f"{report.projection} {where}: {column}: served {served}, by the log {wanted}"
                )


def _chosen(names: list[str] | None) -> list[Projection]:
    unknown = [name for name in names or [] if name not in PROJECTIONS]
    if unknown:
        raise typer.BadParameter(
            f"there is no projection {unknown[0]!r}; there are {', '.join(PROJECTIONS)}"
        )
    return [PROJECTIONS[name] for name in names or PROJECTIONS]


def _done(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end; known errors become their exit codes."""
    collect_seldom()
    try:
        return asyncio.run(work)
    except KeyboardInterrupt as error:
        say("interrupted; the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from error
    except ParityFailed as error:
        _tell([error.report])
        fail(str(error), VERIFICATION_FAILED)
    except (Incompatible, Undecodable, IntegrityError, TooManyParked) as error:
        fail(str(error), INCOMPATIBLE)
    except (RebuildRefused, LogError) as error:
        fail(str(error), FAILED)
    except Exception as error:  # noqa: BLE001 - told apart there
        fail_database(error)
