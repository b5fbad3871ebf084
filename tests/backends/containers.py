"""Kafka and Postgres from the official images, by Testcontainers."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import asyncpg
import docker
import pytest
from docker.errors import DockerException, NotFound
from sqlalchemy.engine import make_url
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

POSTGRES_IMAGE = "postgres:18"
KAFKA_IMAGE = "apache/kafka:4.3.1"
LABEL = "orderlog.tests"
OWNER, DATABASE = "orderlog_owner", "orderlog"
_READY_S = 120
_PORT = 9092
_ADDRESS_FILE = "/tmp/advertised"
# Any KAFKA_* variable replaces the image's whole configuration, so all that counts is here.
# One broker has one copy of everything; what it says of transactions must not wait for three.
_KAFKA = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
    "KAFKA_LISTENERS": f"CLIENTS://:{_PORT},BROKER://:9093,CONTROLLER://:9094",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": (
        "CLIENTS:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"
    ),
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
    "KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS": "1000",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m",
}
_RUN_WHEN_TOLD = f"""
until [ -s {_ADDRESS_FILE} ]; do sleep 0.1; done
export KAFKA_ADVERTISED_LISTENERS="$(cat {_ADDRESS_FILE})"
exec /etc/kafka/docker/run
"""
# A power cut is no concern of a test; see `postgres(is_durable=False)`.
_HASTY = "postgres -c fsync=off -c synchronous_commit=off -c full_page_writes=off"


class KafkaContainer(DockerContainer):
    """One KRaft node of the official image, which tells clients to come to its mapped port."""

    def __init__(self) -> None:
        super().__init__(KAFKA_IMAGE, env=dict(_KAFKA), ports=[_PORT])
        # Docker chooses the mapped port at the start, so the broker waits until it is told.
        self.with_command(["bash", "-c", _RUN_WHEN_TOLD])

    def bootstrap(self) -> str:
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(_PORT)}"

    def start(self) -> "KafkaContainer":
        super().start()
        advertised = f"CLIENTS://{self.bootstrap()},BROKER://localhost:9093\n"
        self.copy_into_container(advertised.encode(), _ADDRESS_FILE)
        LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(
            _READY_S
        ).wait_until_ready(self)
        return self


def require_docker() -> None:
    """Raise a usage error with a sentence unless a Docker engine answers."""
    try:
        client = docker.from_env()
        try:
            client.ping()
        finally:
            client.close()
    except DockerException as error:
        raise pytest.UsageError(
            f"--backend containers needs a Docker engine, and none answers ({error}): start one, "
            "set DOCKER_HOST, or choose --backend embedded, which needs none"
        ) from error


def remove_left(run: str) -> None:
    """Remove what is left of a run, whichever of its processes was killed meanwhile."""
    client = docker.from_env()
    try:
        for container in client.containers.list(all=True, filters={"label": f"{LABEL}={run}"}):
            with suppress(NotFound):
                container.remove(force=True, v=True)
    finally:
        client.close()


@contextmanager
def broker(run: str) -> Iterator[str]:
    """Yield where the broker is reached."""
    with KafkaContainer().with_kwargs(labels={LABEL: run}) as container:
        yield container.bootstrap()


@contextmanager
def server(run: str) -> Iterator[str]:
    """Yield the address of an owner of the server, who is no superuser."""
    container = PostgresContainer(POSTGRES_IMAGE, username="postgres", driver=None)
    container.with_command(_HASTY).with_kwargs(labels={LABEL: run})
    with container:
        yield asyncio.run(_owner(container.get_connection_url()))


async def _owner(admin_url: str) -> str:
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB PASSWORD '{OWNER}'")
        await admin.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    finally:
        await admin.close()
    owner = make_url(admin_url).set(username=OWNER, password=OWNER, database=DATABASE)
    return owner.render_as_string(hide_password=False)
