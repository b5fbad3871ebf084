"""The access log in Kafka: a topic of its own beside that of the events."""

from audit.access.log import AccessLog
from audit.access.trail import Trail, trail
from eventlog.fitness import access_topic, of_accesses
from eventlog.kafka import KafkaLog
from eventlog.log import TopicMismatch
from eventlog.topics import Topics
from runtime.settings import LogSettings


def access_log(settings: LogSettings) -> AccessLog:
    """Return the access log beside the log of the settings; each access asks if it is fit."""

    def check() -> None:
        wrong = differences(settings)
        if wrong:
            raise TopicMismatch("; ".join(wrong))

    return AccessLog(KafkaLog(_beside(settings)), check)


async def trail_of(settings: LogSettings) -> Trail:
    """Read the access log beside the log of the settings; see `trail`."""
    return await trail(KafkaLog(_beside(settings)))


def differences(settings: LogSettings) -> list[str]:
    """Say what of the access log's topic is not as it must be; empty when all is well.

    Raises:
        LogUnavailable: the brokers do not answer.
    """
    topic = _beside(settings)
    try:
        wrong = Topics(topic).unlike(of_accesses(settings))
    except TopicMismatch as error:
        return [str(error)]
    return [f"topic {topic.kafka_topic}: {one}" for one in wrong]


def _beside(settings: LogSettings) -> LogSettings:
    """Return the settings of the access log; its writers fence each other by its topic alone."""
    topic = access_topic(settings.kafka_topic)
    return settings.model_copy(update={"kafka_topic": topic, "environment": "any"})
