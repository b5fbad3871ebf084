"""`orderlog serve command`, `orderlog serve query`, `orderlog project`: one process each."""

import typer

_COMMAND = """Examples:

ORDERLOG_KAFKA_BOOTSTRAP=kafka-1:9092,kafka-2:9092 orderlog serve command

ORDERLOG_COMMAND_HOST=0.0.0.0 ORDERLOG_COMMAND_PORT=80 orderlog serve command
"""
_QUERY = """Examples:

ORDERLOG_DATABASE_URL=postgresql://user:password@db/orderlog orderlog serve query
"""
_PROJECT = """Examples:

ORDERLOG_KAFKA_BOOTSTRAP=kafka-1:9092 ORDERLOG_DATABASE_URL=postgresql://… orderlog project
"""


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    group = typer.Typer(help="Run one of the two APIs.", no_args_is_help=True)
    group.command("command", epilog=_COMMAND)(command)
    group.command("query", epilog=_QUERY)(query)
    app.add_typer(group, name="serve")
    app.command("project", epilog=_PROJECT)(project)


def command() -> None:
    """Run the command API until SIGTERM or Ctrl-C. It needs Kafka, and no database.

    Exit code 4: the topic is not what is needed; run `orderlog topics ensure`.
    """
    from command_api.app import run  # noqa: PLC0415 - one process loads only its own side

    raise typer.Exit(run())


def query() -> None:
    """Run the query API until SIGTERM or Ctrl-C. It needs Postgres, and no Kafka.

    Exit code 4: the database is not migrated; run `orderlog migrate`.
    """
    from query_api.app import run  # noqa: PLC0415

    raise typer.Exit(run())


def project() -> None:
    """Run the projectors until SIGTERM or Ctrl-C: from the log to the read models.

    Exit code 4: schema or log are not what the read models were built from.
    """
    from projectors.process import run  # noqa: PLC0415

    raise typer.Exit(run())
