"""`orderlog topics ensure|check` and `orderlog inspect`: the log itself."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from audit.access.topic import differences as of_accesses
from cli.exit_codes import FAILED, INCOMPATIBLE, INTERRUPTED, explained
from cli.output import Output, fail, print_json, say
from domain.events import Recorded
from eventlog import codec
from eventlog.log import LogError, TopicMismatch, Undecodable
from eventlog.partitioner import partition_of
from eventlog.reader import LogReader
from eventlog.topics import Topics, check
from runtime.settings import LogSettings
from runtime.telemetry import printable

_ENSURE = """Examples:

ORDERLOG_PARTITIONS=12 ORDERLOG_REPLICATION_FACTOR=3 ORDERLOG_MIN_INSYNC_REPLICAS=2 \\
    orderlog topics ensure
"""
_CHECK = """Examples:

orderlog topics check

orderlog topics check -o json
"""
_INSPECT = """Examples:

orderlog inspect 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11

orderlog inspect 0193d5f0-7c1e-7b6a-9a55-3f0d2c8e4b11 -o json
"""
_CODES = {
    FAILED: "Kafka does not answer",
    INCOMPATIBLE: "the topic is missing, or not as it is needed",
    INTERRUPTED: "interrupted",
}
_INSPECT_CODES = {
    **_CODES,
    FAILED: "the log holds no event of this order, or Kafka does not answer",
    INCOMPATIBLE: "the topic is missing, or an event is of a later release",
}


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    group = typer.Typer(help="Create and check the topic of events.", no_args_is_help=True)
    group.command("ensure", epilog=_ENSURE + explained(_CODES))(ensure)
    group.command("check", epilog=_CHECK + explained(_CODES))(check_command)
    app.add_typer(group, name="topics")
    app.command("inspect", epilog=_INSPECT + explained(_INSPECT_CODES))(inspect)


As = Annotated[Output, typer.Option("--output", "-o", help="How to print the result.")]


def ensure() -> None:
    """Create the topic and those beside it unless they are there, then check the topic.

    Beside it: its snapshots, and who read the audit trail. Nothing that exists is changed.
    """
    settings = LogSettings()
    try:
        is_new = Topics(settings).ensure()
        identity = check(settings)
    except TopicMismatch as error:
        fail(str(error), INCOMPATIBLE)
    except LogError as error:
        fail(str(error), FAILED)
    verb = "was created" if is_new else "is there"
    say(f"{identity.topic} {verb}, with {identity.partitions} partitions, as it is needed")


def check_command(*, output: As = Output.TEXT) -> None:
    """Compare the topic, and that of accesses to the audit trail, with what the promises need."""
    settings = LogSettings()
    topics = Topics(settings)
    try:
        identity = topics.identity()
        differences = [*topics.differences(), *of_accesses(settings)]
    except TopicMismatch as error:
        fail(str(error), INCOMPATIBLE)
    except LogError as error:
        fail(str(error), FAILED)
    if output is Output.JSON:
        print_json(
            {
                "topic": identity.topic,
                "topic_id": identity.topic_id,
                "cluster_id": identity.cluster_id,
                "partitions": identity.partitions,
                "differences": differences,
            }
        )
    else:
        typer.echo(f"{identity.topic}: {identity.partitions} partitions, id {identity.topic_id}")
        for difference in differences:
            typer.echo(f"differs: {difference}")
    if differences:
        raise typer.Exit(INCOMPATIBLE)


def inspect(
    order_id: Annotated[str, typer.Argument(help="The order's id, a UUID.")],
    *,
    output: As = Output.TEXT,
) -> None:
    """Print an order's events, decoded, straight from Kafka."""
    try:
        order_id = str(uuid.UUID(order_id))
    except ValueError as error:
        raise typer.BadParameter(f"{order_id!r} is no order id (a UUID)") from error
    try:
        events = list(_events(order_id))
    except (TopicMismatch, Undecodable) as error:
        fail(str(error), INCOMPATIBLE)
    except LogError as error:
        fail(str(error), FAILED)
    if not events:
        fail(f"the log holds no event of order {order_id}", FAILED)
    if output is Output.JSON:
        print_json([_described(recorded) for recorded in events])
        return
    for recorded in events:
        typer.echo(_line(recorded))


def _events(order_id: str) -> Iterator[Recorded]:
    """Read the order's partition; only its own records are decoded."""
    settings = LogSettings()
    topics = Topics(settings)
    partition = partition_of(order_id, topics.identity().partitions)
    prefix = f"{order_id}/".encode()
    with LogReader(settings) as reader:
        for batch in reader.read_range(partition, 0, topics.end(partition)):
            for record in batch.records:
                if record.key.startswith(prefix):
                    yield codec.decode(record)


def _described(recorded: Recorded) -> dict[str, object]:
    place = {"partition": recorded.partition, "offset": recorded.offset}
    return {**place, **codec.to_json(recorded)}


def _line(recorded: Recorded) -> str:
    at = datetime.fromtimestamp(recorded.recorded_at_us / 1_000_000, UTC)
    data = codec.to_json(recorded)["data"]
    shown = ", ".join(f"{name}={value!r}" for name, value in data.items() if value is not None)
    place = f"{recorded.partition}/{recorded.offset}"
    return printable(
        f"{recorded.version:>4}  {at:%Y-%m-%dT%H:%M:%S.%fZ}  {place:>9}  {recorded.type}  {shown}"
    )
