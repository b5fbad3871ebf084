"""`orderlog audit verify`: of an export, or of a proof."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from audit.evidence.proofs import verify_proof
from audit.findings import Finding
from audit.unpacking import verify_sent
from audit.verify import Trusted, Verdict, verify
from cli.audit import options
from cli.exit_codes import INTERRUPTED, VERIFICATION_FAILED, explained
from cli.output import Output, Progress, print_json, say

_EXAMPLES = """Examples:

orderlog audit verify audit-2026-11

orderlog audit verify audit-2026-12 --head kept-elsewhere/head.json --public-key audit.pub

orderlog audit verify sent-over-http.jsonl

orderlog audit verify --proof event.json --public-key audit.pub
"""
_CODES = {
    VERIFICATION_FAILED: "what was checked is not as it was written",
    INTERRUPTED: "interrupted",
}

HeadOption = Annotated[
    Path | None,
    typer.Option(
        "--head",
        exists=True,
        dir_okay=False,
        help="A head that was kept elsewhere, or the manifest of an earlier export with the same "
        "filter: its events must be there unchanged.",
    ),
]
ProofOption = Annotated[
    Path | None,
    typer.Option(
        "--proof", exists=True, dir_okay=False, help="A proof of one event, instead of an export."
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; all processors by default.")
]


def register(group: typer.Typer) -> None:
    """Add the verb to `group`."""
    group.command("verify", epilog=_EXAMPLES + explained(_CODES))(verify_command)


def verify_command(
    folder: Annotated[Path | None, typer.Argument(exists=True, metavar="[DIR|FILE]")] = None,
    *,
    head: HeadOption = None,
    public_key: options.PublicKey = None,
    proof: ProofOption = None,
    workers: Workers = None,
    output: options.As = Output.TEXT,
) -> None:
    """Recompute everything an export says; needs neither Kafka nor Postgres nor a network.

    DIR is the folder of an export; FILE is one that the query API sent as JSON lines.

    Exit code 5: it was changed; the first broken event is named, and what is wrong with it.
    """
    if (folder is None) == (proof is None):
        raise typer.BadParameter("name a folder or a file, or a proof with --proof")
    trusted = Trusted(head, options.trusted_key(public_key))
    if proof is not None:
        _verify_proof(proof, trusted, output)
        return
    if folder is None:
        return
    with Progress("verifying", "events") as progress:
        check = verify_sent if folder.is_file() else verify
        verdict = check(folder, trusted, progress.update, workers)
    if output is Output.JSON:
        print_json(_described(verdict))
    elif verdict.is_valid and verdict.manifest is not None:
        _tell_valid(folder, verdict, trusted)
    else:
        _tell(verdict.findings)
    if not verdict.is_valid:
        raise typer.Exit(VERIFICATION_FAILED)


def _described(verdict: Verdict) -> dict[str, object]:
    manifest = verdict.manifest
    facts: dict[str, object] = {
        "is_valid": verdict.is_valid,
        "events": verdict.events,
        "orders": verdict.orders,
        "findings": [finding.to_json() for finding in verdict.findings],
    }
    if manifest is None:
        return facts
    return facts | {
        "content_sha256": manifest.stamp.content_sha256,
        "public_key": manifest.stamp.public_key,
        "root_hash": manifest.root_hash,
        "heads": {str(entry.partition): entry.head_hash for entry in manifest.partitions},
    }


def _tell_valid(folder: Path, verdict: Verdict, trusted: Trusted) -> None:
    manifest = verdict.manifest
    if manifest is None:
        return
    typer.echo(
        f"valid: {verdict.events:,} events of {verdict.orders:,} orders in {folder}\n"
        f"root {manifest.root_hash}"
    )
    if trusted.public_key is None:
        key = manifest.stamp.public_key
        said = "is not signed" if key is None else f"is signed with {key}"
        say(f"the manifest {said}; --public-key checks that it is signed with a key you trust")


def _tell(findings: Sequence[Finding]) -> None:
    first, *rest = findings
    typer.echo(f"NOT VALID: {first}")
    for finding in rest:
        typer.echo(f"  also: {finding}")


def _verify_proof(path: Path, trusted: Trusted, output: Output) -> None:
    proof, findings = verify_proof(path, trusted)
    if output is Output.JSON:
        print_json(
            {
                "is_valid": not findings,
                "findings": [finding.to_json() for finding in findings],
                "event": None if proof is None else proof.event,
            }
        )
    elif proof is not None and not findings:
        event = proof.event
        typer.echo(
            f"valid: version {event['version']} of order {event['order_id']}, {event['type']}, is "
            f"event {proof.index + 1:,} of {proof.events:,}\nroot {proof.root_hash}"
        )
        if trusted.public_key is None:
            say("--public-key checks that the root is signed with a key you trust")
    else:
        _tell(findings)
    if findings:
        raise typer.Exit(VERIFICATION_FAILED)
