"""Parked orders, since when a checkpoint stands, and what `orderlog verify` has found."""

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
        ADD COLUMN parked_orders integer NOT NULL DEFAULT 0 CHECK (parked_orders >= 0),
        ADD COLUMN moved_at timestamptz NOT NULL DEFAULT now(),
        ADD COLUMN held_since timestamptz
    """,
    """
    CREATE TABLE orderlog.verified (
        projection text NOT NULL,
        generation integer NOT NULL,
        verified_at timestamptz NOT NULL DEFAULT now(),
        compared_rows bigint NOT NULL,
        differing_rows bigint NOT NULL,
        PRIMARY KEY (projection, generation),
        FOREIGN KEY (projection, generation) REFERENCES orderlog.generations ON DELETE CASCADE
    )
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
    "GRANT SELECT, INSERT, UPDATE, DELETE ON orderlog.verified TO orderlog_projector",
    "GRANT SELECT ON orderlog.verified TO orderlog_query",
)


def upgrade() -> None:
    """Make the tables, the columns beside the checkpoints, and what readers see of them."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Forget what is parked; `orderlog rebuild` finds it again."""
    op.execute("DROP VIEW orderlog.live_parked")
    op.execute("DROP VIEW orderlog.live_checkpoints")
    op.execute("DROP TABLE orderlog.verified")
    op.execute("DROP TABLE orderlog.parked")
    for column in ("parked_orders", "moved_at", "held_since"):
        op.execute(f"ALTER TABLE orderlog.checkpoints DROP COLUMN {column}")
    op.execute(
        "CREATE VIEW orderlog.live_checkpoints AS SELECT c.* FROM orderlog.checkpoints c "
        "JOIN orderlog.generations g USING (projection, generation) WHERE g.state = 'live'"
    )
    op.execute("GRANT SELECT ON orderlog.live_checkpoints TO orderlog_projector, orderlog_query")
