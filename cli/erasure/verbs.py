"""`orderlog erase customer`, `status` and `check`."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import httpx2
import typer

from audit.evidence.certificates import Certificate
from audit.evidence.signing import DocumentError, bad_signature, read_document
from audit.folder import replace
from cli.audit.options import PublicKey, asked_by, signing_key, trusted_key
from cli.erasure.erasing import Asked, NotErased, erase
from cli.erasure.orders import CustomerOrders, NotKnown, OrderState
from cli.exit_codes import (
    FAILED,
    INCOMPATIBLE,
    INTERRUPTED,
    UNHEALTHY,
    USAGE,
    VERIFICATION_FAILED,
    explained,
)
from cli.output import Output, Progress, fail, print_json, say, table
from cli.read_models.faults import fail_database
from eventlog.log import LogError
from personal_data.keys import KeysUnavailable
from personal_data.postgres import PostgresKeys
from projectors.database import Incompatible, connect
from runtime.settings import DatabaseSettings, KeysSettings, LogSettings

_CUSTOMER_EXAMPLES = """Examples:

orderlog erase customer c-1 --reason "request 2026-117"

orderlog erase customer c-1 --as user:jane --yes --out erased-c-1.json
"""
_CHECK_EXAMPLES = """Examples:

orderlog erase check erased-c-1.json --public-key audit.pub
"""
_STATUS_EXAMPLES = """Examples:

orderlog erase status c-1
"""
_CUSTOMER_CODES = {
    FAILED: "not everything is erased; the same command goes on",
    INCOMPATIBLE: "database or topic is not what this release needs",
    INTERRUPTED: "interrupted; the same command goes on",
}
_CHECK_CODES = {VERIFICATION_FAILED: "it was changed, or is not signed as it must be"}
_STATUS_CODES = {
    FAILED: "a store does not answer",
    UNHEALTHY: "some orders are not erased, or not wholly",
    INCOMPATIBLE: "database or topic is not what this release needs",
}
Result = TypeVar("Result")

_TIMEOUT_S = 30.0
_ROLE = "orderlog_query"

Customer = Annotated[str, typer.Argument(metavar="CUSTOMER_ID", help="As in the orders.")]
Reason = Annotated[
    str, typer.Option("--reason", help="Why; kept in the log with every order's erasure.")
]
AskedBy = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ACTOR",
        help="Who erases, for the log: kind:id, or a user's name. Default: your login.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="The file of the certificate, instead of printing it."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
CommandUrl = Annotated[
    str, typer.Option("--command-url", envvar="ORDERLOG_COMMAND_URL", help="The command API.")
]
Wait = Annotated[
    float,
    typer.Option("--wait-seconds", min=0, help="How long to wait for the read models."),
]
As = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    group = typer.Typer(
        help="Erase a customer's personal data for good: their orders' keys are destroyed.",
        no_args_is_help=True,
    )
    group.command("customer", epilog=_CUSTOMER_EXAMPLES + explained(_CUSTOMER_CODES))(customer)
    group.command("check", epilog=_CHECK_EXAMPLES + explained(_CHECK_CODES))(check)
    group.command("status", epilog=_STATUS_EXAMPLES + explained(_STATUS_CODES))(status)
    app.add_typer(group, name="erase")


def customer(  # noqa: PLR0913 - one per option
    customer_id: Customer,
    *,
    reason: Reason = "",
    actor: AskedBy = None,
    out: Out = None,
    yes: Yes = False,
    command_url: CommandUrl = "http://127.0.0.1:8000",
    wait_seconds: Wait = 60.0,
) -> None:
    """Erase contact, addresses and notes in all orders of a customer. There is no way back.

    The orders stay, with goods and money. Every copy of the log, read models, backups of them and
    exports hold what nobody can open any more (docs/personal-data.md). The result is a certificate,
    signed with the key of ORDERLOG_AUDIT_KEY_FILE.
    """
    key = signing_key()
    by = asked_by(actor)
    known = _run(_known(customer_id, wait_seconds))
    if not known:
        fail(f"customer {customer_id} has no orders", FAILED)
    _confirm(customer_id, known, yes=yes)
    asked = Asked(customer_id, f"{by.kind}:{by.id}", reason, wait_seconds)
    certificate = _run(_erased(asked, command_url)).stamped(key)
    if out is None:
        typer.echo(certificate.dump(), nl=False)
    else:
        _write(out, certificate.dump())
        typer.echo(f"erased: {len(certificate.orders):,} orders, see {out}")
    if key is None:
        say("not signed: ORDERLOG_AUDIT_KEY_FILE names no key (`orderlog audit keygen` makes one)")
    if certificate.plain_events:
        say(
            f"{certificate.plain_events:,} events of these orders were stored before personal "
            "data was sealed, and still hold it (docs/personal-data.md)"
        )


def _write(out: Path, document: bytes) -> None:
    try:
        replace(out, document)
    except OSError as error:
        fail(f"everything is erased, but {out} cannot be written: {error.strerror}", FAILED)


def check(
    certificate: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE")],
    *,
    public_key: PublicKey = None,
) -> None:
    """Check a certificate of erasure: whether it is as it was written, and who signed it."""
    trusted = trusted_key(public_key)
    try:
        document = read_document(certificate, Certificate)
    except DocumentError as error:
        fail(f"NOT VALID: {error}", VERIFICATION_FAILED)
    fault = "it was changed after it was written" if document.is_changed() else None
    fault = fault or bad_signature(document.stamp, document.statement(), trusted)
    if fault is not None:
        fail(f"NOT VALID: {certificate}: {fault}", VERIFICATION_FAILED)
    signed = f"signed by {document.stamp.public_key}" if document.stamp.signature else "not signed"
    typer.echo(
        f"valid: {len(document.orders):,} orders of customer {document.customer_id} were erased; "
        f"{signed}"
    )


def _confirm(customer_id: str, known: list[OrderState], *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        fail("say --yes: nobody is here to be asked", USAGE)
    typer.confirm(
        f"Erase the personal data of {len(known):,} orders of customer {customer_id} for good?",
        abort=True,
    )


def status(customer_id: Customer, *, wait_seconds: Wait = 60.0, output: As = Output.TEXT) -> None:
    """Say of each order of a customer whether its personal data is erased."""
    found = _run(_known(customer_id, wait_seconds))
    if output is Output.JSON:
        print_json([{**asdict(one), "is_erased": one.is_erased} for one in found])
    else:
        table(
            ("order", "in the log", "key", "erased"),
            [
                (
                    one.order_id,
                    f"version {one.fact.version}" if one.fact else "no",
                    "there" if one.has_key else "none",
                    "yes" if one.is_erased else "no",
                )
                for one in found
            ],
        )
    left = sum(not one.is_erased for one in found)
    if left:
        fail(
            f"{left:,} of {len(found):,} orders are not erased: `orderlog erase customer "
            f"{customer_id}`",
            UNHEALTHY,
        )


async def _known(customer_id: str, wait_s: float) -> list[OrderState]:
    async with _orders() as orders:
        await orders.projected(wait_s)
        return await orders.of(customer_id)


async def _erased(asked: Asked, command_url: str) -> Certificate:
    with Progress("erasing", "orders") as progress:
        async with (
            _orders() as orders,
            httpx2.AsyncClient(base_url=command_url, timeout=_TIMEOUT_S) as commands,
        ):
            return await erase(orders, commands, asked, progress.update)


@asynccontextmanager
async def _orders() -> AsyncIterator[CustomerOrders]:
    database, keys = DatabaseSettings(), KeysSettings()
    store = PostgresKeys(keys.url_beside(database), keys.keys_timeout_ms / 1000, _ROLE)
    connection = await connect(database)
    try:
        async with store.opened():
            yield CustomerOrders(connection, LogSettings(), store)
    finally:
        await connection.close(timeout=5)


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run it; what goes wrong ends the verb with the remedy and the exit code."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt as error:
        say("interrupted; the same command goes on from here")
        raise typer.Exit(INTERRUPTED) from error
    except Incompatible as error:
        fail(str(error), INCOMPATIBLE)
    except (NotErased, NotKnown, KeysUnavailable, LogError) as error:
        fail(str(error), FAILED)
    except Exception as error:  # noqa: BLE001 - told apart there
        fail_database(error)
