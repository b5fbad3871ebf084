"""A real Kafka broker: one KRaft node on the loopback, from its own jars, for development."""

import os
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.embedded.child import Child, free_port
from runtime.embedded.errors import StackError
from runtime.embedded.packages import KAFKA_VERSION, java, kafka_jars

_JVM = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)
# How to flush and how to recover is left to Kafka: it replicates in production and replays its
# log after a crash here.
_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
"""
_QUICK_FAILOVER = """\
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
replica.lag.time.max.ms=3000
unclean.leader.election.enable=false
"""
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


@dataclass(frozen=True, slots=True)
class Seat:
    """A broker's place in a cluster; `controllers` are the ports of all, by node id from 1 on."""

    node: int
    controllers: tuple[int, ...]
    cluster_id: str

    def properties(self, port: int, advertised: int, data: Path) -> str:
        """Return the broker's settings; three brokers are safe against the loss of one."""
        size = len(self.controllers)
        voters = (f"{node}@127.0.0.1:{own}" for node, own in enumerate(self.controllers, 1))
        text = _PROPERTIES.format(
            node=self.node,
            voters=",".join(voters),
            port=port,
            advertised=advertised,
            controller=self.controllers[self.node - 1],
            data=data.resolve(),
            replicas=min(3, size),
            in_sync=min(2, size),
        )
        return text if size == 1 else text + _QUICK_FAILOVER


def alone() -> Seat:
    """Return the seat of a broker that is a cluster by itself."""
    return Seat(1, (free_port(),), new_cluster_id())


def kafka(
    folder: Path,
    port: int,
    say: Callable[[str], None] = lambda _: None,
    *,
    seat: Seat | None = None,
    advertised: int | None = None,
) -> Child:
    """Return the broker with its data in `folder`, listening on 127.0.0.1:`port`.

    A new folder is formatted; start it with `.start()`. `say` is told when jars are fetched.
    `seat` None: it is alone. Clients are told to come to the port `advertised`, if it is given.

    Raises:
        StackError: the jars cannot be had, or the folder belongs to another Kafka version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "log"
    version_file = folder / "VERSION"
    if version_file.exists() and version_file.read_text().strip() != KAFKA_VERSION:
        raise StackError(
            f"{folder} was made by Kafka {version_file.read_text().strip()}, this is "
            f"{KAFKA_VERSION}: use another --data-dir, or --fresh to begin anew"
        )
    properties = folder / "server.properties"
    seat = seat or alone()
    properties.write_text(seat.properties(port, advertised or port, data))
    launch = [str(java()), *_JVM, "-cp", f"{kafka_jars(say)}/*"]
    if not version_file.exists():
        # Written last when a folder is formatted; an earlier start may have been ended right after.
        if not (data / "meta.properties").exists():
            _format(launch, properties, seat.cluster_id)
        version_file.write_text(KAFKA_VERSION)
    return Child(
        name="Kafka",
        command=[*launch, "kafka.Kafka", str(properties)],
        log_file=folder / "kafka.log",
        is_ready=lambda: is_broker(port),
        environment={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
    )


def new_cluster_id() -> str:
    """Return a random cluster id as Kafka writes them: 22 URL-safe characters, no dash in front.

    A dash in front would be taken for an option by Kafka's own tools; its `Uuid.randomUuid` draws
    again for the same reason.
    """
    while True:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not cluster_id.startswith("-"):
            return cluster_id


def _format(launch: list[str], properties: Path, cluster_id: str) -> None:
    storage_tool = [*launch, "kafka.tools.StorageTool"]
    formatted = subprocess.run(  # noqa: S603 - our own command line
        [*storage_tool, "format", "-t", cluster_id, "-c", str(properties)],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # Ctrl-C is for us alone: we stop once it is done.
    )
    if formatted.returncode:
        raise StackError(f"Kafka's data folder could not be made:\n{formatted.stderr[-2000:]}")


def is_broker(port: int) -> bool:
    """Tell whether a Kafka broker answers an ApiVersions request on the loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(_API_VERSIONS)
            connection.settimeout(2)
            header = connection.recv(8)
            return len(header) == 8 and header[4:] == b"\0\0\0\1"  # noqa: PLR2004
    except OSError:
        return False
