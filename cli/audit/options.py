"""What the audit verbs have in common: how their options are read."""

import getpass
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.access.log import actor_of
from audit.evidence.signing import KeyRefused, private_key, public_key
from cli.exit_codes import USAGE
from cli.output import Output, fail
from domain.values import Actor
from runtime.settings import AuditSettings

_MICROSECONDS = 1_000_000

As = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]
PublicKey = Annotated[
    Path | None,
    typer.Option(
        "--public-key",
        exists=True,
        dir_okay=False,
        help="The public key (PEM) that everything here must be signed with.",
    ),
]


AskedBy = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ACTOR",
        help="Who asks, for the access log: kind:id, or a user's name. Default: your login.",
    ),
]


def asked_by(value: str | None) -> Actor:
    """Return who asks; without a word of theirs, whoever is logged in."""
    if value is None:
        return Actor("user", _login())
    try:
        return actor_of(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} {error}") from error


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # A container's user may have no name.
        return f"uid-{os.getuid()}"


def order_id(value: str | None) -> str | None:
    """Read an order id, in whatever form a UUID is written."""
    try:
        return None if value is None else str(uuid.UUID(value))
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is no order id (a UUID)") from error


def moment_us(value: str | None) -> int | None:
    """Read a day (its midnight UTC) or a time with zone; return microseconds since 1970."""
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
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * _MICROSECONDS + since.microseconds


def actor(value: str | None) -> tuple[str | None, str | None]:
    """Read `kind:id` or `id`; return kind and id."""
    if value is None:
        return None, None
    kind, colon, actor_id = value.partition(":")
    return (kind, actor_id) if colon else (None, value)


def signing_key() -> Ed25519PrivateKey | None:
    """Return the key of the settings; None: there is none."""
    file = AuditSettings().audit_key_file
    if not file:
        return None
    try:
        return private_key(Path(file))
    except KeyRefused as error:
        fail(f"ORDERLOG_AUDIT_KEY_FILE: {error}", USAGE)


def trusted_key(path: Path | None) -> str | None:
    """Return a public key in hexadecimal; None: none was given."""
    if path is None:
        return None
    try:
        return public_key(path)
    except KeyRefused as error:
        raise typer.BadParameter(str(error)) from error
