"""`orderlog migrate`: the schema of everything that cannot be rebuilt."""

import typer
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from cli.exit_codes import FAILED, INTERRUPTED, explained
from cli.output import fail, say
from migrations import upgrade
from runtime.settings import DatabaseSettings

_EXAMPLES = """Examples:

ORDERLOG_DATABASE_URL=postgresql://owner:password@db/orderlog orderlog migrate
"""
_CODES = {
    FAILED: "Postgres does not answer, or the user may not do it; nothing was changed",
    INTERRUPTED: "interrupted; nothing was changed",
}


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command("migrate", epilog=_EXAMPLES + explained(_CODES))(migrate)


def migrate() -> None:
    """Bring the database to the newest schema; safe to run at every deployment.

    The user of ORDERLOG_DATABASE_URL must own the database and may create roles. Read models are
    no part of it: they are rebuilt from the log.
    """
    try:
        upgrade(DatabaseSettings().database_url.get_secret_value())
    except (SQLAlchemyError, OSError) as error:
        # What Postgres said; SQLAlchemy's own text goes on with statements and links.
        said = error.orig if isinstance(error, DBAPIError) else error
        fail(f"the database was not migrated (ORDERLOG_DATABASE_URL): {said}", FAILED)
    say("the database is at the newest schema")
