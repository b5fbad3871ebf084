"""`orderlog audit export` and `orderlog audit verify`."""

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from audit.access.log import AccessNotRecorded, Question, recorded
from audit.export import ExportFailed, Request, events_in, export
from audit.folder import FolderRefused
from audit.manifest import NAME, Filter, Manifest, ManifestError, parse
from audit.verify import Verdict, verify
from cli import audit_access
from cli.exit_codes import FAILED, INCOMPATIBLE, INTERRUPTED, VERIFICATION_FAILED, explained
from cli.output import Output, Progress, print_json, say
from eventlog.log import LogError, TopicMismatch

_EXPORT_EXAMPLES = """Examples:

orderlog audit export --out audit-2026-11

orderlog audit export --out one-order --order 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11

orderlog audit export --out november --from 2026-11-01 --to 2026-12-01

orderlog audit export --out again --same-as audit-2026-11
"""
_VERIFY_EXAMPLES = """Examples:

orderlog audit verify audit-2026-11

orderlog audit verify audit-2026-12 --against kept-elsewhere/manifest.json
"""
_EXPORT_CODES = {
    FAILED: "the folder, the disk or Kafka refused",
    INCOMPATIBLE: "there is no such topic, or not as it is needed",
    INTERRUPTED: "interrupted, and goes on with the same command",
}
_VERIFY_CODES = {VERIFICATION_FAILED: "the export was changed", INTERRUPTED: "interrupted"}
_MICROSECONDS = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    group = typer.Typer(
        help="Export the log so that it proves itself, and check exports.", no_args_is_help=True
    )
    group.command("export", epilog=_EXPORT_EXAMPLES + explained(_EXPORT_CODES))(export_command)
    group.command("verify", epilog=_VERIFY_EXAMPLES + explained(_VERIFY_CODES))(verify_command)
    audit_access.register(group)
    app.add_typer(group, name="audit")


def _format(value: str) -> str:
    if value != "jsonl":
        raise typer.BadParameter(f"{value!r} is not there in this release; use jsonl")
    return value


def _order_id(value: str | None) -> str | None:
    try:
        return None if value is None else str(uuid.UUID(value))
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is no order id (a UUID)") from error


def _moment(value: str | None) -> datetime | None:
    """Read a day (its midnight UTC) or a time with zone."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise typer.BadParameter(
            f"{value!r} is no time; write 2026-11-24 or 2026-11-24T09:00:00Z"
        ) from error
    if moment.tzinfo is None and "T" in value:
        raise typer.BadParameter(f"{value!r} has no zone; add Z for UTC")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _us(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * _MICROSECONDS + since.microseconds


Out = Annotated[
    Path, typer.Option("--out", help="The folder to write; new, empty, or an unfinished export.")
]
Format = Annotated[
    str, typer.Option("--format", callback=_format, help="jsonl, one event per line.")
]
Order = Annotated[
    str | None, typer.Option("--order", callback=_order_id, help="Only this order's events.")
]
From = Annotated[
    str | None, typer.Option("--from", help="Only events recorded at or after this time.")
]
To = Annotated[str | None, typer.Option("--to", help="Only events recorded before this time.")]
SameAs = Annotated[
    Path | None,
    typer.Option(
        "--same-as",
        exists=True,
        file_okay=False,
        help="An earlier export: take its range and filter, for the same bytes again.",
    ),
]
As = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]


def export_command(  # noqa: PLR0913 - one per option
    out: Out,
    *,
    format_: Format = "jsonl",
    order: Order = None,
    from_: From = None,
    to: To = None,
    same_as: SameAs = None,
    as_: audit_access.As = None,
    output: As = Output.TEXT,
) -> None:
    """Write every event, decoded and as stored, to a folder that can be verified offline.

    Interrupted? Give the same command again: it goes on, over the range it began with. That
    somebody exports is recorded first, and how it ended afterwards.
    """
    request = _request(order, from_, to, same_as)
    asked = audit_access.question(as_, "cli", {"format": format_, **_asked_for(request)})
    try:
        manifest = asyncio.run(_export(out, request, asked))
    except KeyboardInterrupt as error:
        say("interrupted; the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from error
    except TopicMismatch as error:
        say(f"cannot export: {error}")
        raise typer.Exit(INCOMPATIBLE) from error
    except (FolderRefused, ExportFailed, AccessNotRecorded, LogError, OSError) as error:
        say(f"cannot export: {error}")
        raise typer.Exit(FAILED) from error
    if output is Output.JSON:
        print_json(manifest.model_dump())
    else:
        typer.echo(
            f"{manifest.events:,} events in {len(manifest.files)} files in {out}; check them with: "
            f"orderlog audit verify {out}"
        )


def _request(order: str | None, from_: str | None, to: str | None, same_as: Path | None) -> Request:
    if same_as is None:
        since, before = _moment(from_), _moment(to)
        if since is not None and before is not None and since >= before:
            raise typer.BadParameter("--from must be before --to")
        return Request(Filter(order_id=order, from_us=_us(since), to_us=_us(before)))
    if order or from_ or to:
        raise typer.BadParameter("--same-as brings its own --order, --from and --to")
    return Request.same_as(_manifest(same_as / NAME))


def _asked_for(request: Request) -> dict[str, object]:
    """Return what an access record says of a request."""
    ends = {} if request.ends is None else {"ends": {str(p): e for p, e in request.ends.items()}}
    return {**request.filter.model_dump(exclude_none=True), **ends}


def _manifest(path: Path) -> Manifest:
    try:
        return parse(path)
    except ManifestError as error:
        raise typer.BadParameter(f"{path.parent}: {error}") from error


async def _export(out: Path, request: Request, asked: Question) -> Manifest:
    from audit.access.topic import access_log  # noqa: PLC0415 - `audit verify` needs no Kafka
    from eventlog.kafka import KafkaLog  # noqa: PLC0415
    from runtime.settings import LogSettings  # noqa: PLC0415

    settings = LogSettings()
    accesses, before = access_log(settings), events_in(out)
    async with KafkaLog(settings) as log:
        await log.identity()  # A log that is not there is no access to it.
        with Progress("exporting", "offsets") as progress:
            async with recorded(accesses, asked, lambda: events_in(out) - before, say):
                return await export(log, out, request, progress.update)


Against = Annotated[
    Path | None,
    typer.Option(
        "--against",
        exists=True,
        dir_okay=False,
        help="The manifest of an earlier export, kept elsewhere: its events must be unchanged.",
    ),
]


def verify_command(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, metavar="DIR")],
    *,
    against: Against = None,
    output: As = Output.TEXT,
) -> None:
    """Recompute everything an export says; needs neither Kafka nor Postgres nor a network.

    Exit code 5: it was changed; the first broken event is named.
    """
    earlier = None if against is None else _manifest(against)
    with Progress("verifying", "events") as progress:
        verdict = verify(folder, earlier=earlier, report=progress.update)
    if output is Output.JSON:
        print_json(_described(verdict))
    else:
        _tell(folder, verdict)
    if not verdict.is_valid:
        raise typer.Exit(VERIFICATION_FAILED)


def _described(verdict: Verdict) -> dict[str, object]:
    manifest = verdict.manifest
    return {
        "is_valid": verdict.is_valid,
        "events": verdict.events,
        "orders": verdict.orders,
        "findings": [finding.to_json() for finding in verdict.findings],
        "manifest_sha256": None if manifest is None else manifest.manifest_sha256,
        "heads": {}
        if manifest is None
        else {str(entry.partition): entry.head_hash for entry in manifest.partitions},
    }


def _tell(folder: Path, verdict: Verdict) -> None:
    if verdict.is_valid and verdict.manifest is not None:
        typer.echo(
            f"valid: {verdict.events:,} events of {verdict.orders:,} orders in {folder}\n"
            f"manifest {verdict.manifest.manifest_sha256}"
        )
        return
    first, *rest = verdict.findings
    typer.echo(f"NOT VALID: {first}")
    for finding in rest:
        typer.echo(f"  also: {finding}")
