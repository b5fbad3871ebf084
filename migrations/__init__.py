"""Alembic: everything in Postgres that cannot be rebuilt from the log, and who may do what."""
