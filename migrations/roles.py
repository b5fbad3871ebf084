"""Group roles: what a process may do, whoever logs in for it."""

from alembic import op

# Roles belong to the whole server, so another database's migration may make them first.
_ENSURE = """
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[{names}] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
        IF NOT pg_has_role(current_user, wanted, 'SET') THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I WITH INHERIT TRUE, SET TRUE', wanted, current_user);
            EXCEPTION WHEN duplicate_object OR unique_violation OR internal_error THEN
                IF NOT pg_has_role(current_user, wanted, 'SET') THEN RAISE; END IF;
            END;
        END IF;
    END LOOP;
END $$
"""


def ensure(*names: str) -> None:
    """Make the roles unless they are there, and let the current user act as each of them."""
    listed = ", ".join(f"'{name}'" for name in names)
    op.execute(_ENSURE.replace("{names}", listed))
