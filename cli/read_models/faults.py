"""What Postgres says, told with the setting, the remedy and the exit code."""

from typing import NoReturn

import asyncpg

from cli.exit_codes import FAILED, INCOMPATIBLE
from cli.output import fail
from projectors.database import is_passing

_NO_ENTRY = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
_NO_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)


def fail_database(error: Exception) -> NoReturn:
    """End the verb for a fault that an operator can put right; raise any other again."""
    if isinstance(error, _NO_ENTRY):
        fail(f"Postgres does not let us in (ORDERLOG_DATABASE_URL): {error}", FAILED)
    if isinstance(error, _NO_SCHEMA):
        fail(f"the database is not migrated: run `orderlog migrate` ({error})", INCOMPATIBLE)
    if is_passing(error):
        fail(f"Postgres does not answer (ORDERLOG_DATABASE_URL): {error}", FAILED)
    raise error
