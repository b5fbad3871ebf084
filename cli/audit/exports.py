"""`orderlog audit export`."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.access.log import AccessNotRecorded, Question, asked_for, recorded
from audit.evidence.signing import DocumentError
from audit.export import ExportFailed, Request, begun, events_in, export, planned
from audit.filters import Filter
from audit.folder import FolderRefused
from audit.manifest import NAME, Encoding, Manifest, parse
from audit.progress import Plan
from cli.audit import options
from cli.exit_codes import FAILED, INCOMPATIBLE, INTERRUPTED, explained
from cli.output import Output, Progress, print_json, say
from domain.values import Actor
from eventlog.log import EventLog, LogError, TopicMismatch

_EXAMPLES = """Examples:

orderlog audit export --out audit-2026-11

orderlog audit export --out audit-2026-11 --format csv --compress zstd

orderlog audit export --out one-order --order 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11

orderlog audit export --out november --format parquet --from 2026-11-01 --to 2026-12-01

orderlog audit export --out by-one-person --actor user:mira --customer c-7

orderlog audit export --out again --same-as audit-2026-11
"""
_CODES = {
    FAILED: "the folder, the disk or Kafka refused",
    INCOMPATIBLE: "there is no such topic, or not as it is needed",
    INTERRUPTED: "interrupted, and goes on with the same command",
}


def register(group: typer.Typer) -> None:
    """Add the verb to `group`."""
    group.command("export", epilog=_EXAMPLES + explained(_CODES))(export_command)


Out = Annotated[
    Path, typer.Option("--out", help="The folder to write; new, empty, or an unfinished export.")
]
Format = Annotated[
    str,
    typer.Option("--format", help="jsonl (one event per line), csv or parquet."),
]
Compress = Annotated[
    str | None,
    typer.Option("--compress", help="zstd, for jsonl and csv; parquet is compressed anyway."),
]
Order = Annotated[
    str | None, typer.Option("--order", callback=options.order_id, help="Only this order's events.")
]
Customer = Annotated[
    str | None, typer.Option("--customer", help="Only orders whose first event names them.")
]
From = Annotated[
    str | None, typer.Option("--from", help="Only events recorded at or after this time.")
]
To = Annotated[str | None, typer.Option("--to", help="Only events recorded before this time.")]
FromVersion = Annotated[
    int | None, typer.Option("--from-version", min=1, help="Only events of this version or later.")
]
ToVersion = Annotated[
    int | None, typer.Option("--to-version", min=1, help="Only events up to this version.")
]
ActorOption = Annotated[
    str | None, typer.Option("--actor", help="Only what they did: kind:id, or id of any kind.")
]
Correlation = Annotated[
    str | None, typer.Option("--correlation", help="Only events with this correlation id.")
]
Causation = Annotated[
    str | None, typer.Option("--causation", help="Only events with this causation id.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Only events whose reason has this text in it.")
]
SameAs = Annotated[
    Path | None,
    typer.Option(
        "--same-as",
        exists=True,
        file_okay=False,
        help="An earlier export: take its range, filter and format, for the same bytes again.",
    ),
]


def export_command(  # noqa: PLR0913 - one per option
    out: Out,
    *,
    format_: Format = "jsonl",
    compress: Compress = None,
    order: Order = None,
    customer: Customer = None,
    from_: From = None,
    to: To = None,
    from_version: FromVersion = None,
    to_version: ToVersion = None,
    actor: ActorOption = None,
    correlation: Correlation = None,
    causation: Causation = None,
    reason: Reason = None,
    same_as: SameAs = None,
    as_: options.AskedBy = None,
    output: options.As = Output.TEXT,
) -> None:
    """Write every event, decoded and as stored, to a folder that can be verified offline.

    Interrupted? Give the same command again: it goes on, over the range it began with. The
    manifest is signed when ORDERLOG_AUDIT_KEY_FILE names a key. Who exports what is recorded
    first (`orderlog audit access`), and how it ended.
    """
    kind, actor_id = options.actor(actor)
    chosen = Filter(
        order_id=order,
        customer_id=customer,
        from_us=options.moment_us(from_),
        to_us=options.moment_us(to),
        from_version=from_version,
        to_version=to_version,
        actor_kind=kind,
        actor_id=actor_id,
        correlation_id=correlation,
        causation_id=causation,
        reason=reason,
    )
    request = _request(chosen, _encoding(format_, compress), same_as)
    manifest = _exported(_Export(out, request, options.asked_by(as_), options.signing_key()))
    if output is Output.JSON:
        print_json(manifest.model_dump())
    else:
        typer.echo(
            f"{manifest.events:,} events in {len(manifest.files)} files in {out}; check them with: "
            f"orderlog audit verify {out}"
        )


def _encoding(format_: str, compress: str | None) -> Encoding:
    if format_ not in {"jsonl", "csv", "parquet"}:
        raise typer.BadParameter(f"--format {format_!r} is not there; use jsonl, csv or parquet")
    if compress not in {None, "zstd"}:
        raise typer.BadParameter(f"--compress {compress!r} is not there; use zstd")
    if format_ == "parquet" and compress:
        raise typer.BadParameter("parquet is compressed with zstd anyway: leave --compress out")
    return Encoding.model_validate({"format": format_, "compression": compress})


def _request(chosen: Filter, encoding: Encoding, same_as: Path | None) -> Request:
    if same_as is not None:
        if not chosen.is_whole or encoding != Encoding():
            raise typer.BadParameter("--same-as brings its own filters and its own format")
        return _same_as(same_as)
    if chosen.from_us is not None and chosen.to_us is not None and chosen.from_us >= chosen.to_us:
        raise typer.BadParameter("--from must be before --to")
    if (
        chosen.from_version is not None
        and chosen.to_version is not None
        and chosen.from_version > chosen.to_version
    ):
        raise typer.BadParameter("--from-version must not be above --to-version")
    return Request(chosen, encoding)


def _same_as(path: Path) -> Request:
    try:
        return Request.same_as(parse(path / NAME))
    except DocumentError as error:
        raise typer.BadParameter(f"{path}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Export:
    """What is asked for, where to, by whom, and signed with what."""

    out: Path
    request: Request
    actor: Actor
    key: Ed25519PrivateKey | None

    async def run(self) -> Manifest:
        """Record the access, make the export, and record how it ended."""
        from audit.access.topic import access_log  # noqa: PLC0415 - `audit verify` needs no Kafka
        from eventlog.kafka import KafkaLog  # noqa: PLC0415
        from runtime.settings import LogSettings  # noqa: PLC0415

        settings = LogSettings()
        accesses, before = access_log(settings), events_in(self.out)
        async with KafkaLog(settings) as log:
            request, plan = await self._fixed(log)
            asked = Question(self.actor, "cli", asked_for(plan))
            with Progress("exporting", "offsets") as progress:
                async with recorded(accesses, asked, lambda: events_in(self.out) - before, say):
                    return await export(log, self.out, request, progress.update, key=self.key)

    async def _fixed(self, log: EventLog) -> tuple[Request, Plan]:
        """Fix the range, so that the one that is recorded is the one that is read."""
        progress = begun(self.out)
        if progress is not None:
            return self.request, progress.plan
        plan = await planned(log, self.request)
        ends = {part.partition: part.end_offset for part in plan.ranges}
        return replace(self.request, ends=ends), plan


def _exported(wanted: _Export) -> Manifest:
    try:
        return asyncio.run(wanted.run())
    except KeyboardInterrupt as error:
        say("interrupted; the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from error
    except TopicMismatch as error:
        say(f"cannot export: {error}")
        raise typer.Exit(INCOMPATIBLE) from error
    except (FolderRefused, ExportFailed, AccessNotRecorded, LogError, OSError) as error:
        say(f"cannot export: {error}")
        raise typer.Exit(FAILED) from error
