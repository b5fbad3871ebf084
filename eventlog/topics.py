"""The topic of events: how it is made, checked, and identified. Its settings guard the promises."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from eventlog.log import LogIdentity, LogUnavailable, TopicMismatch
from eventlog.partitioner import misplaced
from runtime.settings import LogSettings

_DAY_MS = 86_400_000
_AGAIN_S = 0.05
# A foreign record or two are for whoever reads them; any higher count moves half of the orders.
_MOVED_MAX = 0.25
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]


class Topics:
    """Administration of the topic named in the settings. Blocking calls, each with a deadline."""

    def __init__(self, settings: LogSettings) -> None:
        self._settings = settings
        self._timeout_s = settings.request_timeout_ms / 1000
        self._admin = self._connect()

    def _connect(self) -> AdminClient:
        # Errors reach the caller; librdkafka would print one line per connection that fails.
        return AdminClient({"bootstrap.servers": self._settings.kafka_bootstrap, "log_level": 0})

    def ensure(self) -> bool:
        """Create the topic, and the one of its snapshots, unless they are there.

        Tell whether the topic was created.

        Raises:
            LogUnavailable: the brokers do not answer.
        """
        wanted = self._settings
        is_new = self._create(wanted.kafka_topic, wanted.partitions, _needed(wanted) | _chosen())
        partitions = wanted.partitions if is_new else self.identity().partitions
        self._create(snapshot_topic(wanted.kafka_topic), partitions, _of_snapshots(wanted))
        return is_new

    def _create(self, name: str, partitions: int, config: dict[str, str]) -> bool:
        topic = NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=self._settings.replication_factor,
            config=config,
        )
        future = self._admin.create_topics([topic], request_timeout=self._timeout_s)
        try:
            future[name].result(self._timeout_s * 2)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise self._unavailable(error) from error
        return True

    def differences(self) -> list[str]:
        """Say what of the topic is not as the guarantees need it; empty when all is well.

        Raises:
            TopicMismatch: there is no such topic.
            LogUnavailable: the brokers do not answer.
        """
        settings = self._settings
        found = self._config()
        wrong = [
            f"{name} is {found.get(name)}, needed is {value}: change the topic's setting back"
            for name, value in _needed(settings).items()
            if name != "min.insync.replicas" and found.get(name) != value
        ]
        actual_isr = int(found.get("min.insync.replicas", "0"))
        if actual_isr < settings.min_insync_replicas:
            wrong.append(
                f"min.insync.replicas is {actual_isr}, needed is "
                f"{settings.min_insync_replicas} (ORDERLOG_MIN_INSYNC_REPLICAS)"
            )
        return wrong + self._lost()

    def _lost(self) -> list[str]:
        """Say what of the records is not as it was written: the first are gone, or orders moved."""
        partitions = self.identity().partitions
        gone = [partition for partition, start in self.starts(partitions).items() if start]
        if gone:
            why = (
                f"the first records of partitions {gone} are gone, by retention or DeleteRecords: "
                "what was built from them cannot be built again; copy the log from a replica into "
                "a new topic"
            )
            return [why]
        orders, moved = misplaced(self._settings, self.ends(partitions))
        if orders and moved > orders * _MOVED_MAX:
            why = (
                f"{moved} of {orders} orders are not in the partition that their id gives with "
                f"{partitions} partitions: the partition count must never change, and cannot be "
                "lowered; copy the log into a new topic with the count it had"
            )
            return [why]
        return []

    def identity(self) -> LogIdentity:
        """Say which log this is: a topic that was made again has another `topic_id`.

        Raises:
            TopicMismatch: there is no such topic: run `orderlog topics ensure`.
            LogUnavailable: the brokers do not answer.
        """
        name = self._settings.kafka_topic
        try:
            cluster = self._admin.describe_cluster(request_timeout=self._timeout_s).result()
            futures = self._admin.describe_topics(
                TopicCollection([name]), request_timeout=self._timeout_s
            )
            described = futures[name].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise TopicMismatch(
                    f"there is no topic {name} at {self._settings.kafka_bootstrap}: "
                    "run `orderlog topics ensure`"
                ) from error
            raise self._unavailable(error) from error
        return LogIdentity(
            str(cluster.cluster_id), name, str(described.topic_id), len(described.partitions)
        )

    def ends(self, partitions: int, *, is_committed_only: bool = True) -> dict[int, int]:
        """Return per partition the last stable offset, or the high watermark.

        Raises:
            LogUnavailable: the brokers do not answer.
        """
        isolation = (
            IsolationLevel.READ_COMMITTED if is_committed_only else IsolationLevel.READ_UNCOMMITTED
        )
        return self._offsets(range(partitions), _LATEST, isolation)

    def end(self, partition: int, *, is_committed_only: bool = True) -> int:
        """Return the same for one partition."""
        isolation = (
            IsolationLevel.READ_COMMITTED if is_committed_only else IsolationLevel.READ_UNCOMMITTED
        )
        return self._offsets([partition], _LATEST, isolation)[partition]

    def starts(self, partitions: int) -> dict[int, int]:
        """Return per partition the first offset that is still there."""
        return self._offsets(range(partitions), _EARLIEST, IsolationLevel.READ_COMMITTED)

    def _offsets(
        self, partitions: Iterable[int], spec: OffsetSpec, isolation: IsolationLevel
    ) -> dict[int, int]:
        """Ask until the partitions have leaders, which a new topic lacks for a moment."""
        name = self._settings.kafka_topic
        wanted = {TopicPartition(name, partition): spec for partition in partitions}
        deadline = time.monotonic() + self._timeout_s * 2
        while True:
            try:
                futures = self._admin.list_offsets(
                    wanted, isolation_level=isolation, request_timeout=self._timeout_s
                )
                found = {place.partition: f.result().offset for place, f in futures.items()}
                if all(offset >= 0 for offset in found.values()):
                    return found
                # No offset and no error: seen while the leaders were being elected.
                if time.monotonic() > deadline:
                    raise LogUnavailable(f"Kafka knows no offsets of {name} at the moment")
            except KafkaException as error:
                if not _is_passing(error) or time.monotonic() > deadline:
                    raise self._unavailable(error) from error
            time.sleep(_AGAIN_S)
            # A client keeps the leader's old epoch for ever after an election it did not notice.
            self._admin = self._connect()

    def _config(self) -> dict[str, str]:
        self.identity()
        resource = ConfigResource(ResourceType.TOPIC, self._settings.kafka_topic)
        try:
            futures = self._admin.describe_configs([resource], request_timeout=self._timeout_s)
            entries: Mapping[str, Any] = next(iter(futures.values())).result()
        except KafkaException as error:
            raise self._unavailable(error) from error
        return {name: str(entry.value) for name, entry in entries.items()}

    def _unavailable(self, error: KafkaException) -> LogUnavailable:
        where = f"Kafka at {self._settings.kafka_bootstrap} (ORDERLOG_KAFKA_BOOTSTRAP)"
        if error.args[0].code() in _SILENCE:
            return LogUnavailable(f"{where} does not answer: start it, or correct the setting")
        return LogUnavailable(f"{where} refuses: {error.args[0].str()}")


_SILENCE = {
    KafkaError._TIMED_OUT,  # noqa: SLF001 - their public names
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
}


def _is_passing(error: KafkaException) -> bool:
    return error.args[0].code() in {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }


def _needed(settings: LogSettings) -> dict[str, str]:
    """Return the settings that the guarantees rest on; `differences` insists on them."""
    return {
        "cleanup.policy": "compact",
        "min.insync.replicas": str(settings.min_insync_replicas),
        "unclean.leader.election.enable": "false",
        "message.timestamp.type": "LogAppendTime",
    }


def _chosen() -> dict[str, str]:
    """Return settings that are good but may be tuned."""
    return {
        "min.cleanable.dirty.ratio": "0.8",
        "min.compaction.lag.ms": str(_DAY_MS),
        "delete.retention.ms": str(7 * _DAY_MS),
        "segment.bytes": str(256 * 1024 * 1024),
        "segment.ms": str(_DAY_MS),
        "compression.type": "producer",
    }


def _of_snapshots(settings: LogSettings) -> dict[str, str]:
    """Return the settings of a cache: what was written again is gone within minutes."""
    return {
        "cleanup.policy": "compact",
        "min.insync.replicas": str(settings.min_insync_replicas),
        "min.cleanable.dirty.ratio": "0.2",
        "min.compaction.lag.ms": "60000",
        "max.compaction.lag.ms": str(_DAY_MS),
        "segment.bytes": str(64 * 1024 * 1024),
        "segment.ms": str(_DAY_MS // 4),
        "compression.type": "producer",
    }


def snapshot_topic(events: str) -> str:
    """Return the name of the topic with the snapshots of a topic of events."""
    return f"{events.removesuffix('.events')}.snapshots"


def check(settings: LogSettings, *, expected_partitions: int | None = None) -> LogIdentity:
    """Return the log's identity when it is fit to be used.

    Raises:
        TopicMismatch: it is missing, or its settings would break a promise; the message lists all.
        LogUnavailable: the brokers do not answer.
    """
    topics = Topics(settings)
    identity = topics.identity()
    wrong = topics.differences()
    if expected_partitions is not None and identity.partitions != expected_partitions:
        wrong.append(
            f"it has {identity.partitions} partitions, needed are {expected_partitions}: "
            "the partition count must never change"
        )
    if wrong:
        raise TopicMismatch(f"topic {settings.kafka_topic}: " + "; ".join(wrong))
    return identity
