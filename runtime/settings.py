"""Settings from `ORDERLOG_*` variables: the only reader of the environment."""

import re

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_POSTGRES = re.compile(r"postgres(ql)?://([^@/]*@)?(\[[^\]]*\]|[^:/?\[\]]*)(:\d*)?([/?].*)?")


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="ORDERLOG_", frozen=True, extra="ignore", hide_input_in_errors=True
    )


class LogSettings(_Settings):
    """Where the log is, and how its writer behaves."""

    kafka_bootstrap: str = Field(
        "127.0.0.1:9092", min_length=1, description="host:port[,host:port] of Kafka"
    )
    kafka_topic: str = Field("orders.events", pattern=r"^[a-zA-Z0-9._-]{1,200}$")
    environment: str = Field(
        "dev",
        pattern=r"^[a-zA-Z0-9_-]{1,40}$",
        description="part of every transactional id; two environments must never share one",
    )
    partitions: int = Field(12, ge=1, le=1000, description="used once, when the topic is created")
    replication_factor: int = Field(1, ge=1, le=7, description="3 in production")
    min_insync_replicas: int = Field(1, ge=1, le=7, description="2 in production")
    transaction_timeout_ms: int = Field(10_000, ge=1_000, le=900_000)
    request_timeout_ms: int = Field(5_000, ge=500, le=60_000)
    retry_backoff_ms: int = Field(100, ge=10, le=10_000)
    commit_deadline_ms: int = Field(4_000, ge=100, le=60_000)
    acquire_deadline_ms: int = Field(15_000, ge=1_000, le=600_000)
    failpoints: str = Field(
        "",
        pattern=r"^(|(decided|begun|delivered|committed|published|fenced|caught_up|marked):\d+"
        r"(,(decided|begun|delivered|committed|published|fenced|caught_up|marked):\d+)*)$",
        description="for tests alone: where the process kills itself, `name:count`",
    )
    group_heartbeat_ms: int = Field(
        500, ge=100, le=10_000, description="how soon a node learns that partitions move"
    )
    group_session_timeout_ms: int = Field(
        10_000, ge=1_000, le=300_000, description="a silent node loses its partitions after this"
    )
    transactions_max: int = Field(
        2, ge=1, le=1_000, description="at once per node; fewer gather larger groups"
    )
    group_commands_max: int = Field(500, ge=1, le=10_000)
    group_bytes_max: int = Field(900_000, ge=1_000, le=100_000_000)
    queue_commands_max: int = Field(5_000, ge=1, le=1_000_000, description="per partition")
    hot_orders_max: int = Field(
        1_000, ge=1, le=1_000_000, description="kept unpacked, per partition; others are packed"
    )
    snapshot_interval_ms: int = Field(
        10_000, ge=0, le=3_600_000, description="how often changed orders are saved; 0: never"
    )


class AuditSettings(_Settings):
    """What makes exports and heads of the log trusted elsewhere."""

    audit_key_file: str = Field(
        "", max_length=4_096, description="private Ed25519 key (PEM); empty: nothing is signed"
    )


class HttpSettings(_Settings):
    """What a connection to either API may ask for."""

    http_head_bytes_max: int = Field(
        32 * 1024, ge=1024, le=1024 * 1024, description="request line and headers together"
    )
    http_head_timeout_ms: int = Field(
        10_000, ge=100, le=600_000, description="a client that has not sent them by then is let go"
    )
    http_keep_alive_ms: int = Field(
        5_000, ge=1_000, le=600_000, description="how long a connection may wait for another one"
    )


class CommandSettings(_Settings):
    """The command API's own settings."""

    command_host: str = "127.0.0.1"
    command_port: int = Field(8000, ge=0, le=65535)
    query_url: str = Field("http://127.0.0.1:8001", description="named in Location headers' docs")
    node: str = Field(
        "",
        pattern=r"^[a-zA-Z0-9._:-]{0,200}$",
        description="this node's name in ownership records; empty: host and port of its URL",
    )
    node_url: str = Field(
        "",
        pattern=r"^(https?://[^/?#]+)?$",
        description="where other command nodes reach this one; empty: command_host and its port",
    )
    peer_timeout_ms: int = Field(
        10_000, ge=100, le=600_000, description="a command that was sent on is unknown after this"
    )
    handover_wait_ms: int = Field(
        5_000,
        ge=0,
        le=60_000,
        description="how long a command waits for the owner of a partition that is moving",
    )
    tenant: str = Field("default", pattern=r"^[a-zA-Z0-9._-]{1,100}$")
    body_bytes_max: int = Field(256 * 1024, ge=1024, le=64 * 1024 * 1024)
    batch_bytes_max: int = Field(4 * 1024 * 1024, ge=1024, le=256 * 1024 * 1024)
    batch_commands_max: int = Field(1_000, ge=1, le=10_000)
    in_flight_max: int = Field(1_000, ge=1, le=1_000_000)
    body_timeout_ms: int = Field(10_000, ge=100, le=600_000)
    json_depth_max: int = Field(
        32, ge=8, le=200, description="objects and arrays in one another; a batch needs 7"
    )
    json_digits_max: int = Field(
        1_000, ge=20, le=4_300, description="digits of a whole number; 64 bits have 19"
    )


def _postgres(url: SecretStr) -> SecretStr:
    """Refuse what no client can use, here and in words: theirs may quote the password."""
    if not _POSTGRES.fullmatch(url.get_secret_value()):
        raise ValueError("must look like postgresql://user:password@host:port/database")
    return url


class KeysSettings(_Settings):
    """Where the keys of personal data are."""

    keys_database_url: SecretStr = Field(
        SecretStr(""),
        description="postgresql://user:password@host:port/database of the key store; empty: none",
    )
    keys_timeout_ms: int = Field(2_000, ge=50, le=60_000)

    @field_validator("keys_database_url")
    @classmethod
    def _is_address(cls, url: SecretStr) -> SecretStr:
        return _postgres(url) if url.get_secret_value() else url

    def url_beside(self, database: "DatabaseSettings") -> str:
        """Return where the key store is, for those who look beside the read models otherwise."""
        return self.keys_database_url.get_secret_value() or database.database_url.get_secret_value()


class DatabaseSettings(_Settings):
    """Where Postgres is. The command side never reads this."""

    database_url: SecretStr = Field(
        SecretStr("postgresql://orderlog@127.0.0.1:5432/orderlog"),
        description="postgresql://user:password@host:port/database",
    )

    _is_address = field_validator("database_url")(_postgres)

    database_pool_max: int = Field(10, ge=1, le=1_000)
    statement_timeout_ms: int = Field(30_000, ge=100, le=86_400_000)


class QuerySettings(_Settings):
    """The query API's own settings."""

    query_host: str = "127.0.0.1"
    query_port: int = Field(8001, ge=0, le=65535)
    wait_ms_default: int = Field(2_000, ge=0, le=10_000)
    query_statement_timeout_ms: int = Field(10_000, ge=100, le=600_000)
    query_streams_max: int = Field(256, ge=1, le=100_000, description="open at once, per process")
    query_exports_max: int = Field(
        2, ge=1, le=100, description="exports of the audit trail at once, per process"
    )
    query_stale_after_ms: int = Field(
        30_000,
        ge=1_000,
        le=86_400_000,
        description="a projector that is silent for longer makes /readyz say no",
    )


class ProjectorSettings(_Settings):
    """The projector's own settings."""

    batch_events_max: int = Field(10_000, ge=1, le=100_000)
    batch_wait_ms: int = Field(50, ge=1, le=10_000)
    heartbeat_ms: int = Field(1_000, ge=100, le=60_000)
    parked_orders_max: int = Field(100, ge=0, le=1_000_000)
    lag_seconds_max: int = Field(60, ge=0, le=86_400)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(8002, ge=0, le=65535)
