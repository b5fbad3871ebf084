"""The topic of events: how it is made, checked, and identified. Its settings guard the promises."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

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

from eventlog.fitness import (
    FIRST_OFFSETS,
    access_topic,
    chosen,
    misplaced,
    needed,
    of_accesses,
    of_snapshots,
    snapshot_topic,
    unlike,
)
from eventlog.log import LogIdentity, LogUnavailable, TopicMismatch
from runtime.settings import LogSettings

T = TypeVar("T")

_AGAIN_S = 0.05
_MARKERS_S = 2.0
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
        """Create the topic, and those of its snapshots and accesses, unless they are there.

        Tell whether the topic was created.

        Raises:
            TopicMismatch: it was created, and the brokers do not know it within the timeout.
            LogUnavailable: the brokers do not answer.
        """
        wanted = self._settings
        is_new = self._create(wanted.kafka_topic, wanted.partitions, needed(wanted) | chosen())
        partitions = self._once_known(wanted.kafka_topic).partitions
        snapshots, accesses = snapshot_topic(wanted.kafka_topic), access_topic(wanted.kafka_topic)
        self._create(snapshots, partitions, of_snapshots(wanted))
        self._create(accesses, 1, of_accesses(wanted))
        for name in (snapshots, accesses):
            self._once_known(name)
        return is_new

    def _once_known(self, name: str) -> LogIdentity:
        """Wait for the brokers, which hear of a new topic a moment after it was made."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                return self._identity(name)
            except TopicMismatch:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_AGAIN_S)

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
        return self.unlike(needed(self._settings)) + self._lost()

    def unlike(self, wanted: Mapping[str, str]) -> list[str]:
        """Say which of its settings are not these; see `differences`."""
        return unlike(self._config(), wanted)

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
        orders, moved = misplaced(self._settings, self._settled_ends(partitions))
        if orders and moved > orders * _MOVED_MAX:
            why = (
                f"{moved} of {orders} orders are not in the partition that their id gives with "
                f"{partitions} partitions: the partition count must never change, and cannot be "
                "lowered; copy the log into a new topic with the count it had"
            )
            return [why]
        return []

    def _settled_ends(self, partitions: int) -> dict[int, int]:
        """Return the last stable offsets; wait a moment for markers that are on their way."""
        deadline = time.monotonic() + _MARKERS_S
        while True:
            high = self.ends(partitions, is_committed_only=False)
            stable = self.ends(partitions)
            is_settled = all(end >= min(high[p], FIRST_OFFSETS) for p, end in stable.items())
            if is_settled or time.monotonic() > deadline:
                return stable
            time.sleep(_AGAIN_S)

    def identity(self) -> LogIdentity:
        """Say which log this is: a topic that was made again has another `topic_id`.

        Raises:
            TopicMismatch: there is no such topic: run `orderlog topics ensure`.
            LogUnavailable: the brokers do not answer.
        """
        return self._identity(self._settings.kafka_topic)

    def _identity(self, name: str) -> LogIdentity:
        def ask(admin: AdminClient, timeout_s: float) -> LogIdentity:
            cluster = admin.describe_cluster(request_timeout=timeout_s).result()
            futures = admin.describe_topics(TopicCollection([name]), request_timeout=timeout_s)
            topic = futures[name].result()
            return LogIdentity(
                str(cluster.cluster_id), name, str(topic.topic_id), len(topic.partitions)
            )

        try:
            return self._patiently(ask, self._timeout_s, _SILENCE)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise TopicMismatch(
                    f"there is no topic {name} at {self._settings.kafka_bootstrap}: "
                    "run `orderlog topics ensure`"
                ) from error
            raise self._unavailable(error) from error

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

        def ask(admin: AdminClient, timeout_s: float) -> dict[int, int]:
            futures = admin.list_offsets(
                wanted, isolation_level=isolation, request_timeout=timeout_s
            )
            found = {place.partition: f.result().offset for place, f in futures.items()}
            if any(offset < 0 for offset in found.values()):
                raise KafkaException(KafkaError(KafkaError.OFFSET_NOT_AVAILABLE))
            return found

        try:
            return self._patiently(ask, self._timeout_s * 2, _SILENCE | _ELECTIONS)
        except KafkaException as error:
            raise self._unavailable(error) from error

    def _patiently(
        self, ask: Callable[[AdminClient, float], T], patience_s: float, passing: set[int]
    ) -> T:
        """Ask, and again as a new client while the error is one that passes.

        A client that did not notice an election asks the old leader for ever, and what comes of
        that is no answer, FENCED_LEADER_EPOCH, or, after the whole timeout, an offset below zero
        and no error.
        """
        deadline = time.monotonic() + patience_s
        while True:
            admin = self._admin
            try:
                return ask(admin, self._timeout_s / 2)
            except KafkaException as error:
                if self._admin is admin:  # Other threads ask too: one new client is enough.
                    self._admin = self._connect()
                if error.args[0].code() not in passing or time.monotonic() > deadline:
                    raise
            time.sleep(_AGAIN_S)

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


_ELECTIONS = {
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


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
