"""The entry point: finds the module of the verb that is asked for, and loads that one alone."""

import importlib
import os
import sys
from typing import Annotated

import typer
from pydantic import ValidationError

from cli.exit_codes import FAILED, INTERRUPTED, USAGE
from cli.output import say
from runtime.health import orderlog_version

_HELP = """orderlog: an event-sourced order service.

Commands come in over HTTP, become facts in Kafka, and are served from Postgres read models.
Start everything with `orderlog dev`.
"""
_VERBS = {
    "dev": "cli.stack",
    "status": "cli.status",
    "down": "cli.status",
    "serve": "cli.serve",
    "project": "cli.serve",
    "topics": "cli.topics",
    "inspect": "cli.topics",
    "migrate": "cli.database",
    "rebuild": "cli.read_models.rebuilds",
    "rollback": "cli.read_models.rebuilds",
    "verify": "cli.read_models.rebuilds",
    "lag": "cli.read_models.lag",
    "parked": "cli.read_models.parked",
    "seed": "cli.seed",
    "audit": "cli.audit",
    "erase": "cli.erasure.verbs",
}
"""Every verb and its module, in the order of `orderlog --help`."""


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"orderlog {orderlog_version()}")
        raise typer.Exit


def root(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Take the options that come before the verb."""


def application(verb: str | None) -> typer.Typer:
    """Return the application with the verbs of one module, or with all of them."""
    app = typer.Typer(
        name="orderlog",
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(root)
    modules = [_VERBS[verb]] if verb in _VERBS else list(dict.fromkeys(_VERBS.values()))
    for module in modules:
        importlib.import_module(module).register(app)
    return app


def main() -> None:
    """Run the command line; the exit codes are those of `cli.exit_codes`."""
    verb = sys.argv[1] if len(sys.argv) > 1 else None
    try:
        application(verb)(prog_name="orderlog")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except SystemError as error:  # What C code makes of a Ctrl-C that comes while it calls back.
        if isinstance(error.__cause__, KeyboardInterrupt):
            sys.exit(INTERRUPTED)
        _crash(error)
    except ValidationError as error:
        if error.title.endswith("Settings"):
            _say_settings(error)
            sys.exit(USAGE)
        _crash(error)
    except Exception as error:  # noqa: BLE001 - the last resort of every verb
        _crash(error)


def _say_settings(error: ValidationError) -> None:
    """Name every wrong setting by its variable; its value may be a secret and is not shown."""
    for one in error.errors(include_url=False, include_input=False):
        say(f"ORDERLOG_{str(one['loc'][0]).upper()}: {one['msg']}")
    say("see docs/configuration.md for names and bounds")


def _crash(error: Exception) -> None:
    if os.environ.get("ORDERLOG_DEBUG") == "1":
        raise error
    say(f"orderlog: {type(error).__name__}: {error}\n(ORDERLOG_DEBUG=1 shows where)")
    sys.exit(FAILED)


if __name__ == "__main__":
    main()
