"""`orderlog dev`: the embedded stack for development, in the foreground or in the background."""

import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.data_dir import DataDir, State
from cli.exit_codes import DONE, FAILED, INTERRUPTED, explained
from cli.output import fail, say
from runtime.embedded.errors import StackError
from runtime.embedded.packages import require_extra
from runtime.processes import stop_requested

_DEV = """Examples:

orderlog dev

orderlog dev --detach --data-dir /tmp/shop --command-port 0 --query-port 0 \\
    --kafka-port 0 --postgres-port 0

orderlog dev --fresh
"""
_CODES = {
    DONE: "stopped in order, or ready with --detach",
    FAILED: "it cannot start: the message says why",
    INTERRUPTED: "interrupted before it was ready",
}
_CARD = """
orderlog is running.

  command API   {command_url}   (docs: {command_url}/docs)
  query API     {query_url}   (docs: {query_url}/docs)
  Kafka         {kafka_bootstrap}   (topic orders.events)
  Postgres      {postgres}
  data          {data_dir}   (logs in {data_dir}/logs)

Place a first order, and see it:

  curl -s {command_url}/v1/orders -H 'Content-Type: application/json' \\
    -d '{{"customer_id": "c-1", "currency": "EUR",
         "lines": [{{"sku": "A-1", "quantity": 2, "unit_price_minor": 1299}}]}}'
  curl -s {query_url}/v1/orders

This set-up is for development: one broker, one copy of the data, no TLS, no login.
{ending}"""
_STEP_S = 0.1
_START_S = 300.0
_TAIL_LINES = 25


@dataclass(frozen=True, slots=True)
class _Options:
    data_dir: DataDir
    ports: tuple[int, int, int, int]
    partitions: int
    is_fresh: bool


def register(app: typer.Typer) -> None:
    """Add the verb to `app`."""
    app.command("dev", epilog=_DEV + explained(_CODES))(dev)


Where = Annotated[
    Path, typer.Option("--data-dir", help="Where all data of the stack is.", file_okay=False)
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")]


def dev(  # noqa: PLR0913 - one per option
    *,
    data_dir: Where = Path(".data"),
    command_port: Port = 8000,
    query_port: Port = 8001,
    kafka_port: Port = 9092,
    postgres_port: Port = 5432,
    partitions: Annotated[
        int, typer.Option(min=1, max=100, help="Of a new topic; never changes afterwards.")
    ] = 4,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when everything is ready.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete what is in the data dir first.")
    ] = False,
) -> None:
    """Start everything on this machine: real Kafka, real Postgres, both APIs, projectors.

    Needs no Docker, no Java, no root. Ctrl-C stops it in order; the data stays.
    """
    ports = (command_port, query_port, kafka_port, postgres_port)
    chosen = [port for port in ports if port]
    if len(set(chosen)) < len(chosen):
        raise typer.BadParameter("two of the ports are the same")
    try:
        require_extra()
    except StackError as error:
        fail(f"orderlog dev: {error}", FAILED)
    options = _Options(DataDir(data_dir), ports, partitions, fresh)
    raise typer.Exit(_detach(options) if detach else _foreground(options))


def _foreground(options: _Options) -> int:
    from cli.embedded import Embedded, Interrupted, Ports  # noqa: PLC0415 - heavy; `down` is quick

    stop_asked = stop_requested()
    try:
        options.data_dir.claim(is_fresh=options.is_fresh)
    except StackError as error:
        fail(f"orderlog dev: {error}", FAILED)
    stack = Embedded(options.data_dir, Ports(*options.ports), options.partitions, say, stop_asked)
    try:
        stack.start()
        typer.echo(_card(stack.state, options.data_dir, "Ctrl-C stops it; the data stays."))
        stop_asked.wait()
    except Interrupted:
        return INTERRUPTED
    except StackError as error:
        say(f"orderlog dev: {error}")
        return FAILED
    finally:
        say("stopping ...")
        stack.stop()
        say("stopped; nothing is lost")
    return DONE


def _card(state: State, data_dir: DataDir, ending: str) -> str:
    return _CARD.format(
        command_url=state.command_url,
        query_url=state.query_url,
        kafka_bootstrap=state.kafka_bootstrap,
        postgres=state.database_url.rpartition("@")[2],
        data_dir=data_dir.path,
        ending=ending,
    )


def _detach(options: _Options) -> int:
    """Start `orderlog dev` as the leader of its own session, and wait until it is ready."""
    data_dir = options.data_dir
    try:
        data_dir.require_ours()
        data_dir.supervisor_log.parent.mkdir(parents=True, exist_ok=True)
        log = data_dir.supervisor_log.open("wb")
    except OSError as error:
        fail(f"orderlog dev: cannot write to {data_dir.path}: {error.strerror}", FAILED)
    except StackError as error:
        fail(f"orderlog dev: {error}", FAILED)
    names = ("--command-port", "--query-port", "--kafka-port", "--postgres-port")
    arguments = [part for pair in zip(names, map(str, options.ports), strict=True) for part in pair]
    with log:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [
                *(sys.executable, "-m", "cli.main", "dev", "--data-dir", str(data_dir.path)),
                *arguments,
                *("--partitions", str(options.partitions)),
                *(["--fresh"] if options.is_fresh else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        return _wait_ready(process, data_dir)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        return INTERRUPTED


def _wait_ready(process: "subprocess.Popen[bytes]", data_dir: DataDir) -> int:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            say(_tail(data_dir.supervisor_log))
            return code if code > 0 else FAILED
        state = data_dir.read()
        if state is not None and state.supervisor.pid == process.pid and state.is_ready:
            down = f"orderlog down --data-dir {shlex.quote(str(data_dir.path))}"
            typer.echo(_card(state, data_dir, f"It runs in the background: {down}"))
            return DONE
        time.sleep(_STEP_S)
    process.terminate()
    process.wait()
    say(f"not ready within {_START_S:.0f} s\n{_tail(data_dir.supervisor_log)}")
    return FAILED


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
