"""Parked orders: which events of which orders wait for a projection that could not apply one."""

from alembic import op

revision = "0002"
down_revision = "0001"

_UP = (
    """
    CREATE TABLE orderlog.parked (
        projection text NOT NULL,
        generation integer NOT NULL,
        order_id text NOT NULL,
        partition integer NOT NULL,
        offsets bigint[] NOT NULL CHECK (cardinality(offsets) > 0),
        error text NOT NULL,
        stale_since timestamptz NOT NULL,
        parked_at timestamptz NOT NULL DEFAULT now(),
        tried_at timestamptz,
        discarded_at timestamptz,
        discard_reason text,
        PRIMARY KEY (projection, generation, order_id),
        FOREIGN KEY (projection, generation) REFERENCES orderlog.generations ON DELETE CASCADE
    )
    """,
    """
    ALTER TABLE orderlog.checkpoints
        ADD COLUMN parked_orders integer NOT NULL DEFAULT 0 CHECK (parked_orders >= 0)
    """,
    """
    CREATE OR REPLACE VIEW orderlog.live_checkpoints AS
        SELECT c.* FROM orderlog.checkpoints c
        JOIN orderlog.generations g USING (projection, generation) WHERE g.state = 'live'
    """,
    """
    CREATE VIEW orderlog.live_parked AS
        SELECT p.* FROM orderlog.parked p
        JOIN orderlog.generations g USING (projection, generation) WHERE g.state = 'live'
    """,
    "GRANT SELECT, INSERT, UPDATE, DELETE ON orderlog.parked TO orderlog_projector",
    "GRANT SELECT ON orderlog.live_parked TO orderlog_projector, orderlog_query",
)


def upgrade() -> None:
    """Make the table, the counter beside the checkpoints, and what readers see of them."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Forget what is parked; `orderlog rebuild` finds it again."""
    op.execute("DROP VIEW orderlog.live_parked")
    op.execute("DROP VIEW orderlog.live_checkpoints")
    op.execute("DROP TABLE orderlog.parked")
    op.execute("ALTER TABLE orderlog.checkpoints DROP COLUMN parked_orders")
    op.execute(
        "CREATE VIEW orderlog.live_checkpoints AS SELECT c.* FROM orderlog.checkpoints c "
        "JOIN orderlog.generations g USING (projection, generation) WHERE g.state = 'live'"
    )
    op.execute("GRANT SELECT ON orderlog.live_checkpoints TO orderlog_projector, orderlog_query")
