"""Control tables, group roles and their rights."""

from alembic import op

from migrations.roles import ensure

revision = "0001"
down_revision = None

_TABLES = (
    """
    CREATE TABLE orderlog.log_identity (
        only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
        cluster_id text NOT NULL,
        topic text NOT NULL,
        topic_id text NOT NULL,
        partitions integer NOT NULL,
        bound_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE orderlog.generations (
        projection text NOT NULL,
        generation integer NOT NULL CHECK (generation > 0),
        function_version integer NOT NULL,
        state text NOT NULL CHECK (state IN ('building', 'live', 'previous')),
        created_at timestamptz NOT NULL DEFAULT now(),
        switched_at timestamptz,
        PRIMARY KEY (projection, generation)
    )
    """,
    """
    CREATE UNIQUE INDEX generations_one_live ON orderlog.generations (projection)
        WHERE state = 'live'
    """,
    """
    CREATE TABLE orderlog.checkpoints (
        projection text NOT NULL,
        generation integer NOT NULL,
        partition integer NOT NULL,
        next_offset bigint NOT NULL CHECK (next_offset >= 0),
        end_offset bigint NOT NULL DEFAULT 0,
        last_recorded_at timestamptz,
        updated_at timestamptz NOT NULL DEFAULT now(),
        error text,
        PRIMARY KEY (projection, generation, partition),
        FOREIGN KEY (projection, generation) REFERENCES orderlog.generations ON DELETE CASCADE
    )
    """,
    """
    CREATE VIEW orderlog.live_checkpoints AS
        SELECT c.* FROM orderlog.checkpoints c
        JOIN orderlog.generations g USING (projection, generation) WHERE g.state = 'live'
    """,
)

_RIGHTS = (
    "GRANT USAGE ON SCHEMA orderlog TO orderlog_projector, orderlog_query",
    "GRANT SELECT ON ALL TABLES IN SCHEMA orderlog TO orderlog_query",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON orderlog.log_identity TO orderlog_projector",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON orderlog.generations TO orderlog_projector",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON orderlog.checkpoints TO orderlog_projector",
    "GRANT SELECT ON orderlog.live_checkpoints TO orderlog_projector",
    "CREATE SCHEMA read_models",
    "GRANT USAGE, CREATE ON SCHEMA read_models TO orderlog_projector",
    "GRANT USAGE ON SCHEMA read_models TO orderlog_query",
    # Read models are made by the projector, generation after generation; readers see them at once.
    """
    ALTER DEFAULT PRIVILEGES FOR ROLE orderlog_projector IN SCHEMA read_models
    GRANT SELECT ON TABLES TO orderlog_query
    """,
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
)


def upgrade() -> None:
    """Make them."""
    ensure("orderlog_projector", "orderlog_query")
    for statement in (*_TABLES, *_RIGHTS):
        op.execute(statement)


def downgrade() -> None:
    """Drop them; the roles stay, since they belong to the whole server."""
    op.execute("DROP SCHEMA read_models CASCADE")
    for table in ("checkpoints", "generations", "log_identity"):
        op.execute(f"DROP TABLE orderlog.{table} CASCADE")
