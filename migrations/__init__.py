"""Alembic: everything in Postgres that cannot be rebuilt from the log, and who may do what."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url

FOLDER = Path(__file__).parent


def configuration(database_url: str) -> Config:
    """Return Alembic's configuration for one database; nothing is read from a file."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = make_url(database_url).set(drivername="postgresql+asyncpg")
    return config


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to the newest schema; does nothing when it is there already.

    The user needs to own the database and to have CREATEROLE. Several callers may do it at once:
    one works, the others wait. Must not be called from a running event loop.
    """
    command.upgrade(configuration(database_url), revision)
