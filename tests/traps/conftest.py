"""A broker that compacts within seconds, and topics with the faults that a broker can have."""

import asyncio
import uuid
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka.admin import AdminClient, ResourceType

from eventlog.topics import Topics
from runtime.settings import LogSettings

from .compacted import Broken, Emptied, broken, emptied
from .given import PARTITIONS, READY_S, change


@pytest.fixture(scope="session")
def admin(kafka_bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka_bootstrap, "log_level": 0})


@pytest.fixture(scope="session")
def eager_cleaner(admin: AdminClient) -> Iterator[None]:
    """The log cleaner looks for work five times a second, instead of each 15 seconds."""
    (broker,) = admin.describe_cluster().result(READY_S).nodes
    change(admin, ResourceType.BROKER, str(broker.id), log_cleaner_backoff_ms="200")
    yield
    change(admin, ResourceType.BROKER, str(broker.id), log_cleaner_backoff_ms="15000")


@pytest.fixture(scope="session")
def new_settings(kafka_bootstrap: str) -> Callable[..., LogSettings]:
    """Answer `new_settings()`: of a fresh topic with four partitions and its own environment."""

    def make(**more) -> LogSettings:
        name = uuid.uuid4().hex
        settings = LogSettings(
            kafka_bootstrap=kafka_bootstrap,
            kafka_topic=f"traps.{name}",
            environment=name,
            partitions=PARTITIONS,
            **more,
        )
        Topics(settings).ensure()
        return settings

    return make


@pytest.fixture
def change_topic(admin: AdminClient) -> Callable[..., None]:
    """Answer `change_topic(settings, cleanup_policy="delete")`."""
    return lambda settings, **values: change(
        admin, ResourceType.TOPIC, settings.kafka_topic, **values
    )


@pytest.fixture(scope="session")
def cleaned(new_settings, eager_cleaner, admin) -> tuple[Emptied, Broken]:
    """Both at once: most of the time is the cleaner's."""

    async def make() -> tuple[Emptied, Broken]:
        return await asyncio.gather(emptied(new_settings(), admin), broken(new_settings(), admin))

    return asyncio.run(make())


@pytest.fixture(scope="session")
def emptied_topic(cleaned) -> Emptied:
    return cleaned[0]


@pytest.fixture(scope="session")
def broken_topic(cleaned) -> Broken:
    return cleaned[1]
