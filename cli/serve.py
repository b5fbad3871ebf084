"""`orderlog serve command`, `orderlog serve query`, `orderlog project`: one process each."""

from typing import Annotated

import typer

from cli.exit_codes import FAILED, INCOMPATIBLE, explained

_COMMAND = """Examples:

ORDERLOG_KAFKA_BOOTSTRAP=kafka-1:9092,kafka-2:9092 orderlog serve command

ORDERLOG_NODE_URL=http://10.0.0.7 orderlog serve command --host 0.0.0.0 --port 80

orderlog serve command --port 8011 & orderlog serve command --port 8012    # two nodes, one cluster
"""
_QUERY = """Examples:

ORDERLOG_DATABASE_URL=postgresql://user:password@db/orderlog orderlog serve query
"""
_PROJECT = """Examples:

ORDERLOG_KAFKA_BOOTSTRAP=kafka-1:9092 ORDERLOG_DATABASE_URL=postgresql://… orderlog project
"""
_COMMAND_CODES = {
    FAILED: "Kafka does not answer, or the port is taken",
    INCOMPATIBLE: "the topic is not what is needed: `orderlog topics ensure`",
}
_QUERY_CODES = {
    FAILED: "the port is taken, or ORDERLOG_AUDIT_KEY_FILE names no key",
    INCOMPATIBLE: "the database is not migrated: `orderlog migrate`",
}
_PROJECT_CODES = {
    FAILED: "other processes took all projections",
    INCOMPATIBLE: "schema or log are not what the read models were built from",
}


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    group = typer.Typer(help="Run one of the two APIs.", no_args_is_help=True)
    group.command("command", epilog=_COMMAND + explained(_COMMAND_CODES))(command)
    group.command("query", epilog=_QUERY + explained(_QUERY_CODES))(query)
    app.add_typer(group, name="serve")
    app.command("project", epilog=_PROJECT + explained(_PROJECT_CODES))(project)


Host = Annotated[
    str | None,
    typer.Option("--host", help="Address to listen on; default: ORDERLOG_COMMAND_HOST."),
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, help="Its port; default: ORDERLOG_COMMAND_PORT."),
]


def command(host: Host = None, port: Port = None) -> None:
    """Run one node of the command API until SIGTERM or Ctrl-C. It needs Kafka, and no database.

    Nodes with the same environment and topic share the partitions. Each must be reached by the
    others at its ORDERLOG_NODE_URL; without one, at its host and port.
    """
    from command_api.app import run  # noqa: PLC0415 - one process loads only its own side

    given = {"command_host": host, "command_port": port}
    raise typer.Exit(run(**{name: value for name, value in given.items() if value is not None}))


def query() -> None:
    """Run the query API until SIGTERM or Ctrl-C. It needs Postgres, and Kafka for audit exports."""
    from query_api.app import run  # noqa: PLC0415

    raise typer.Exit(run())


def project() -> None:
    """Run the projectors until SIGTERM or Ctrl-C: from the log to the read models."""
    from projectors.process import run  # noqa: PLC0415

    raise typer.Exit(run())
