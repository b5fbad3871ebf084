"""`orderlog audit keygen`, `head` and `prove`: what is kept or shown elsewhere."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from audit.evidence.heads import Head, HeadRefused, fault_of, read_head
from audit.evidence.proofs import ProofRefused, prove
from audit.evidence.signing import (
    DocumentError,
    KeyRefused,
    make_key,
    public_hex,
    read_document,
)
from audit.folder import replace
from cli.audit import options
from cli.exit_codes import FAILED, INCOMPATIBLE, INTERRUPTED, VERIFICATION_FAILED, explained
from cli.output import Progress, fail, say
from eventlog.log import LogError, TopicMismatch

_KEYGEN_EXAMPLES = """Examples:

orderlog audit keygen --out /etc/orderlog/audit.key > audit.pub
"""
_HEAD_EXAMPLES = """Examples:

orderlog audit head --out head-2026-11-28.json

orderlog audit head --since head-2026-11-28.json --out head-2026-11-29.json
"""
_PROVE_EXAMPLES = """Examples:

orderlog audit prove audit-2026-11 --order 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11 --version 3
"""
_HEAD_CODES = {
    FAILED: "the file or Kafka refused",
    INCOMPATIBLE: "there is no such topic, or not as it is needed",
    VERIFICATION_FAILED: "the earlier head is not good, or the log does not go on from it",
    INTERRUPTED: "interrupted",
}


def register(group: typer.Typer) -> None:
    """Add the verbs to `group`."""
    group.command(
        "keygen", epilog=_KEYGEN_EXAMPLES + explained({FAILED: "no file can be written there"})
    )(keygen_command)
    group.command("head", epilog=_HEAD_EXAMPLES + explained(_HEAD_CODES))(head_command)
    group.command(
        "prove",
        epilog=_PROVE_EXAMPLES + explained({FAILED: "it is not there, or the export was changed"}),
    )(prove_command)


def keygen_command(
    out: Annotated[Path, typer.Option("--out", help="The file of the private key; a new one.")],
) -> None:
    """Make the key that exports and heads are signed with, and print its public key.

    Name its file in ORDERLOG_AUDIT_KEY_FILE.
    """
    try:
        pem = make_key(out)
    except KeyRefused as error:
        fail(str(error), FAILED)
    typer.echo(pem, nl=False)
    say(
        f"the private key is in {out}: set ORDERLOG_AUDIT_KEY_FILE to it.\n"
        "Keep the public key above where the operators of the log cannot write, and give it to "
        "whoever verifies."
    )


def head_command(
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write, instead of printing it.")
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(
            "--since",
            exists=True,
            dir_okay=False,
            help="An earlier head: it is checked, and only what came after it is read.",
        ),
    ] = None,
) -> None:
    """Say how far the log has come: end, number of events and head hash of every partition.

    Signed with the key of ORDERLOG_AUDIT_KEY_FILE. Keep it elsewhere; `audit verify --head` holds
    exports against it.
    """
    key = options.signing_key()
    trusted = None if key is None else public_hex(key.public_key())
    earlier = None if since is None else _earlier(since, trusted)
    try:
        document = asyncio.run(_read(earlier)).stamped(key)
        if out is not None:
            replace(out, document.dump())
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
    except HeadRefused as error:
        fail(f"{since}: {error}", VERIFICATION_FAILED)
    except TopicMismatch as error:
        fail(f"cannot read the log: {error}", INCOMPATIBLE)
    except (LogError, OSError) as error:
        fail(f"cannot make a head: {error}", FAILED)
    if out is None:
        typer.echo(document.dump(), nl=False)
    else:
        typer.echo(f"{document.events:,} events in {out}")
    if key is None:
        say("not signed: ORDERLOG_AUDIT_KEY_FILE names no key (`orderlog audit keygen` makes one)")


def _earlier(path: Path, trusted: str | None) -> Head:
    try:
        head = read_document(path, Head)
    except DocumentError as error:
        fail(str(error), VERIFICATION_FAILED)
    fault = fault_of(head, trusted)
    if fault is not None:
        fail(f"{path}: {fault}; make a head without --since", VERIFICATION_FAILED)
    return head


async def _read(since: Head | None) -> Head:
    from eventlog.kafka import KafkaLog  # noqa: PLC0415 - `audit prove` needs no Kafka client
    from runtime.settings import LogSettings  # noqa: PLC0415

    with Progress("reading", "offsets") as progress:
        async with KafkaLog(LogSettings()) as log:
            return await read_head(log, since, progress.update)


def prove_command(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, metavar="DIR")],
    *,
    order: Annotated[str, typer.Option("--order", callback=options.order_id)],
    version: Annotated[int, typer.Option("--version", min=1)],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write, instead of printing it.")
    ] = None,
) -> None:
    """Prove that one event is in an export, to somebody who is not given all the others.

    Check it with `orderlog audit verify --proof FILE`.
    """
    try:
        with Progress("proving", "events") as progress:
            document = prove(folder, order, version, progress.update).dump()
        if out is not None:
            replace(out, document)
    except ProofRefused as error:
        fail(str(error), FAILED)
    except OSError as error:
        fail(f"{out} cannot be written: {error.strerror}", FAILED)
    if out is None:
        typer.echo(document, nl=False)
    else:
        typer.echo(f"the proof is in {out}; check it with: orderlog audit verify --proof {out}")
