"""`orderlog audit report` and `orderlog audit access`: the trail for people, and who read it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from audit.access import log as accesses
from audit.access.log import AccessNotRecorded, Question
from audit.access.trail import Trail
from audit.manifest import tool
from audit.report.history import history
from audit.report.wording import moment
from cli.audit import options
from cli.exit_codes import FAILED, INCOMPATIBLE, INTERRUPTED, VERIFICATION_FAILED, explained
from cli.output import Output, fail, print_json, say, table
from eventlog.log import IntegrityError, LogError, TopicMismatch, Undecodable
from runtime.settings import LogSettings
from runtime.telemetry import printable

_REPORT = """Examples:

orderlog audit report 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11 --html order.html

orderlog audit report 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11 --html order.html --force --as user:jane
"""
_ACCESS = """Examples:

orderlog audit access

orderlog audit access --since 2026-11-01 -o json
"""
_REPORT_CODES = {
    FAILED: "the log holds no event of this order, the file is there, or Kafka refused",
    INCOMPATIBLE: "there is no such topic, or an event is of a later release",
    INTERRUPTED: "interrupted",
}
_ACCESS_CODES = {
    FAILED: "Kafka does not answer",
    INCOMPATIBLE: "there is no such topic: `orderlog topics ensure`",
    VERIFICATION_FAILED: "the access log was changed",
    INTERRUPTED: "interrupted",
}


def register(group: typer.Typer) -> None:
    """Add the verbs to `group`."""
    group.command("report", epilog=_REPORT + explained(_REPORT_CODES))(report_command)
    group.command("access", epilog=_ACCESS + explained(_ACCESS_CODES))(access_command)


def report_command(
    order_id: Annotated[
        str, typer.Argument(callback=options.order_id, help="The order's id, a UUID.")
    ],
    html: Annotated[Path, typer.Option("--html", dir_okay=False, help="The file to write.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_: options.AskedBy = None,
) -> None:
    """Write one order's audit trail as a page to read and print, straight from the log.

    The page needs nothing else: no network, no script. That somebody asked for it is recorded.
    """
    from audit.report.page import PageRefused, require_new  # noqa: PLC0415 - few verbs need it

    what = {"order_id": order_id, "format": "html"}
    asked = Question(options.asked_by(as_), "report", what)
    try:
        require_new(html, is_forced=force)
        events = asyncio.run(_report(asked, order_id, html, is_forced=force))
    except (TopicMismatch, Undecodable) as error:
        fail(str(error), INCOMPATIBLE)
    except (PageRefused, AccessNotRecorded, LogError) as error:
        fail(f"cannot write the page: {error}", FAILED)
    if not events:
        fail(f"the log holds no event of order {order_id}", FAILED)
    typer.echo(f"{events:,} events of order {order_id} in {html}")


async def _report(asked: Question, order_id: str, html: Path, *, is_forced: bool) -> int:
    """Return how many events are on the page; 0: there is no such order, and no page."""
    from audit.access.topic import access_log  # noqa: PLC0415 - `audit verify` needs no Kafka
    from audit.report import page  # noqa: PLC0415
    from eventlog.kafka import KafkaLog  # noqa: PLC0415

    settings = LogSettings()
    async with KafkaLog(settings) as log:
        events = await history(log, order_id)
        if not events:
            return 0
        content = page.page(await log.identity(), events, tool())
        given = 0
        async with accesses.recorded(access_log(settings), asked, lambda: given, say):
            page.write(html, content, is_forced=is_forced)
            given = len(events)
    return given


def access_command(
    *,
    since: Annotated[
        str | None, typer.Option("--since", help="Only what began at or after this time.")
    ] = None,
    output: options.As = Output.TEXT,
) -> None:
    """List who exported or read the audit trail, oldest first, and check that the list is whole."""
    from audit.access.topic import trail_of  # noqa: PLC0415

    from_us = options.moment_us(since)
    try:
        found = asyncio.run(trail_of(LogSettings()))
    except TopicMismatch as error:
        fail(str(error), INCOMPATIBLE)
    except IntegrityError as error:
        fail(f"the access log was changed: {error}", VERIFICATION_FAILED)
    except LogError as error:
        fail(str(error), FAILED)
    entries = [
        entry for entry in found.entries if from_us is None or entry["begun_at_us"] >= from_us
    ]
    if output is Output.JSON:
        print_json(
            {
                "accesses": entries,
                "records": found.records,
                "head": found.head,
                "findings": found.findings,
            }
        )
    else:
        table(
            ("BEGAN", "WHO", "HOW", "WHAT", "STATE", "EVENTS"), [_row(entry) for entry in entries]
        )
    _tell(found)


def _row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    actor, what = entry["actor"], entry["what"]
    who = f"{actor.get('kind')}:{actor.get('id')}" if isinstance(actor, dict) else "?"
    asked = what if isinstance(what, dict) else {}
    # The ranges are for programs: of many partitions they would fill the terminal.
    shown = " ".join(f"{name}={value}" for name, value in asked.items() if name != "ranges")
    events = "" if entry["events"] is None else f"{entry['events']}"
    cells = (moment(entry["begun_at_us"]), who, entry["how"], shown, entry["state"], events)
    return tuple(printable(str(cell)) for cell in cells)


def _tell(found: Trail) -> None:
    for finding in found.findings:
        say(f"NOT VALID: {finding}")
    if found.findings:
        raise typer.Exit(VERIFICATION_FAILED)
    say(f"{found.records:,} records, their chain holds; head {found.head}")
