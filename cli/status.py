"""`orderlog status`, `orderlog down`: what runs on a data dir."""

import os
import shlex
import signal
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.data_dir import DataDir, State
from cli.exit_codes import DONE, FAILED, INTERRUPTED, UNHEALTHY, explained
from cli.output import fail, print_json, say, table
from runtime.embedded.child import started_at
from runtime.embedded.kafka import is_broker
from runtime.embedded.postgres import is_server

_STATUS = """Examples:

orderlog status

eval "$(orderlog status -o env)" && curl "$ORDERLOG_QUERY_URL/v1/orders"

orderlog status --data-dir /tmp/shop -o json
"""
_DOWN = """Examples:

orderlog down

orderlog down --data-dir /tmp/shop
"""
_STATUS_CODES = {DONE: "all is well", UNHEALTHY: "nothing runs there, or not all is ready"}
_DOWN_CODES = {FAILED: "it is still stopping", INTERRUPTED: "interrupted; it goes on stopping"}
_STEP_S = 0.1
_DOWN_S = 120.0


class StatusOutput(StrEnum):
    """How `status` prints."""

    TEXT = "text"
    ENV = "env"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the verbs to `app`."""
    app.command("status", epilog=_STATUS + explained(_STATUS_CODES))(status)
    app.command("down", epilog=_DOWN + explained(_DOWN_CODES))(down)


Where = Annotated[
    Path, typer.Option("--data-dir", help="Where all data of the stack is.", file_okay=False)
]


def status(
    *,
    data_dir: Where = Path(".data"),
    output: Annotated[
        StatusOutput, typer.Option("--output", "-o", help="How to print it.")
    ] = StatusOutput.TEXT,
) -> None:
    """Say what runs on a data dir, and whether it is well."""
    place = DataDir(data_dir)
    state = place.read()
    if state is None or not state.supervisor.is_alive():
        fail(f"no stack is running on {place.path}: start one with `orderlog dev`", UNHEALTHY)
    described = _described(state)
    if output is StatusOutput.JSON:
        print_json(described)
    elif output is StatusOutput.ENV:
        for name in ("command_url", "query_url", "kafka_bootstrap", "database_url"):
            typer.echo(f"ORDERLOG_{name.upper()}={shlex.quote(described[name])}")
    else:
        rows = described["processes"].items()
        table(("process", "pid", "state"), [(n, str(p["pid"]), p["state"]) for n, p in rows])
        say(f"command API {state.command_url}, query API {state.query_url}")
    raise typer.Exit(DONE if described["healthy"] else UNHEALTHY)


def _described(state: State) -> dict[str, Any]:
    from cli.embedded import is_ready  # noqa: PLC0415 - heavy; `down` is quick

    kafka_port = int(state.kafka_bootstrap.rpartition(":")[2] or 0)
    postgres_port = int(state.database_url.rpartition(":")[2].partition("/")[0] or 0)
    checks: dict[str, Callable[[], bool]] = {
        "kafka": lambda: is_broker(kafka_port),
        "postgres": lambda: is_server(postgres_port),
        "command": lambda: is_ready(state.command_url),
        "projectors": lambda: is_ready(f"http://127.0.0.1:{state.metrics_port}"),
        "query": lambda: is_ready(state.query_url),
    }
    processes = {}
    for name, check in checks.items():
        process = state.processes.get(name)
        is_alive = process is not None and process.is_alive()
        words = ("ready" if check() else "not ready") if is_alive else "down"
        pid = process.pid if process is not None and is_alive else None
        processes[name] = {"pid": pid, "state": words}
    return {
        "command_url": state.command_url,
        "query_url": state.query_url,
        "kafka_bootstrap": state.kafka_bootstrap,
        "database_url": state.database_url,
        "supervisor": state.supervisor.pid,
        "processes": processes,
        "healthy": all(one["state"] == "ready" for one in processes.values()),
    }


def down(*, data_dir: Where = Path(".data")) -> None:
    """Stop the stack of a data dir in order, and wait for it; the data stays."""
    place = DataDir(data_dir)
    state = place.read()
    if state is not None and state.supervisor.is_alive():
        os.kill(state.supervisor.pid, signal.SIGTERM)
        if not _ended(state):
            fail(f"still stopping after {_DOWN_S:g} s: see {place.supervisor_log}", FAILED)
        say("stopped; nothing is lost")
        return
    ended = place.end_orphans()
    say(f"ended what was left: {', '.join(ended)}" if ended else f"nothing runs on {place.path}")


def _ended(state: State) -> bool:
    waiting = threading.Event()
    deadline = time.monotonic() + _DOWN_S
    while started_at(state.supervisor.pid) == state.supervisor.started:
        if time.monotonic() > deadline:
            return False
        waiting.wait(_STEP_S)
    return True
