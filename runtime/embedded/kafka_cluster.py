"""Several real brokers on the loopback, for tests of what happens when some of them fail."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runtime.embedded.child import Child, free_port
from runtime.embedded.kafka import Seat, kafka, new_cluster_id


@dataclass(frozen=True, slots=True)
class KafkaCluster:
    """Brokers that are controllers too; each can be killed, paused and started on its own."""

    brokers: tuple[Child, ...]
    bootstrap: str

    def start(self) -> None:
        """Start all at once: none is ready before most of them are."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(Child.start, self.brokers))

    def stop(self) -> None:
        """Stop all at once."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(Child.stop, self.brokers))


def kafka_cluster(folder: Path, size: int = 3) -> KafkaCluster:
    """Return a cluster with its data in `folder`, replicated as in production.

    Raises:
        StackError: the jars cannot be had.
    """
    cluster_id = new_cluster_id()
    controllers = tuple(free_port() for _ in range(size))
    ports = [free_port() for _ in range(size)]
    brokers = tuple(
        kafka(folder / f"broker-{node}", port, seat=Seat(node, controllers, cluster_id))
        for node, port in enumerate(ports, 1)
    )
    return KafkaCluster(brokers, ",".join(f"127.0.0.1:{port}" for port in ports))
