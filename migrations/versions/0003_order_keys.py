"""The keys of personal data, one per order: not a read model, nothing can make them again."""

from alembic import op

from migrations.roles import ensure

revision = "0003"
down_revision = "0002"

_UP = (
    "CREATE SCHEMA orderlog_keys",
    """
    CREATE TABLE orderlog_keys.order_keys (
        order_id uuid PRIMARY KEY,
        key bytea CHECK (octet_length(key) = 32),
        made_at timestamptz NOT NULL DEFAULT now(),
        destroyed_at timestamptz,
        CHECK ((key IS NULL) = (destroyed_at IS NOT NULL))
    )
    """,
    """
    CREATE VIEW orderlog.key_states AS
        SELECT order_id, made_at, destroyed_at FROM orderlog_keys.order_keys
    """,
    "GRANT USAGE ON SCHEMA orderlog_keys TO orderlog_command, orderlog_query",
    "GRANT SELECT, INSERT, UPDATE ON orderlog_keys.order_keys TO orderlog_command",
    "GRANT SELECT ON orderlog_keys.order_keys TO orderlog_query",
    "GRANT SELECT ON orderlog.key_states TO orderlog_projector, orderlog_query",
)


def upgrade() -> None:
    """Make the key store, and what may be known of it without a key."""
    ensure("orderlog_command")
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Refuse while there are keys: without them personal data cannot be read ever again."""
    op.execute(
        """
        DO $$
        BEGIN
            IF EXISTS (SELECT FROM orderlog_keys.order_keys WHERE key IS NOT NULL) THEN
                RAISE EXCEPTION 'orderlog_keys.order_keys holds keys: save them elsewhere first';
            END IF;
        END
        $$
        """
    )
    op.execute("DROP VIEW orderlog.key_states")
    op.execute("DROP SCHEMA orderlog_keys CASCADE")
