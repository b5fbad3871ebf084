"""The embedded stack: real Kafka, real Postgres, and our three processes, started in order."""

import asyncio
import http.client
import os
import sys
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cli.data_dir import DataDir, Running, State
from eventlog.log import LogError, LogUnavailable
from eventlog.topics import Topics, check
from migrations import upgrade
from runtime.embedded import roles
from runtime.embedded.child import Child, check_port, free_port, started_at
from runtime.embedded.errors import StackError
from runtime.embedded.kafka import kafka
from runtime.embedded.postgres import postgres
from runtime.processes import Supervisor
from runtime.settings import LogSettings

_READY_S = 60.0
_STOP_S = 25.0
_HTTP_OK = 200
# A proxy that the environment names is for the world outside, not for the loopback.
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the stack listens, all on the loopback; 0 is a free port."""

    command: int
    query: int
    kafka: int
    postgres: int


class Embedded:
    """One stack on one data dir, from `start` to `stop`."""

    def __init__(
        self,
        data_dir: DataDir,
        ports: Ports,
        partitions: int,
        say: Callable[[str], None],
        stop_asked: threading.Event,
    ) -> None:
        self._data_dir = data_dir
        self._ports = ports
        self._partitions = partitions
        self._say = say
        self._stop_asked = stop_asked
        self._supervisor = Supervisor(say, self._note)
        started = started_at(os.getpid())
        self.state = State(Running(os.getpid(), started or 0.0))

    def start(self) -> None:
        """Start everything; returns when all are ready.

        Raises:
            StackError: something cannot start; the message says why. Call `stop` all the same.
        """
        ports = Ports(
            check_port(self._ports.command, "--command-port"),
            check_port(self._ports.query, "--query-port"),
            check_port(self._ports.kafka, "--kafka-port"),
            check_port(self._ports.postgres, "--postgres-port"),
        )
        state = self.state
        state.command_url = f"http://127.0.0.1:{ports.command}"
        state.query_url = f"http://127.0.0.1:{ports.query}"
        state.kafka_bootstrap = f"127.0.0.1:{ports.kafka}"
        state.metrics_port = free_port()
        self._note()
        logins = self._start_servers(ports)
        log = {"ORDERLOG_KAFKA_BOOTSTRAP": state.kafka_bootstrap}
        self._start_ours(
            "command",
            ["serve", "command"],
            state.command_url,
            {
                **log,
                "ORDERLOG_COMMAND_PORT": str(ports.command),
                "ORDERLOG_QUERY_URL": state.query_url,
                "ORDERLOG_KEYS_DATABASE_URL": logins["command"],
            },
        )
        self._start_ours(
            "projectors",
            ["project"],
            f"http://127.0.0.1:{state.metrics_port}",
            {
                **log,
                "ORDERLOG_DATABASE_URL": logins["projector"],
                "ORDERLOG_METRICS_PORT": str(state.metrics_port),
            },
        )
        served = {"ORDERLOG_DATABASE_URL": logins["query"], "ORDERLOG_QUERY_PORT": str(ports.query)}
        self._start_ours("query", ["serve", "query"], state.query_url, {**log, **served})
        state.is_ready = True
        self._note()

    def _start_servers(self, ports: Ports) -> Mapping[str, str]:
        """Start Kafka and Postgres and prepare them; return the processes' database addresses."""
        folder = self._data_dir.path
        self._say("starting Kafka ...")
        self._run(kafka(folder / "kafka", ports.kafka, self._say))
        self._say("starting Postgres ...")
        server, credentials = postgres(folder / "postgres", ports.postgres)
        self._run(server)
        self._prepare_topic()
        self.state.database_url = asyncio.run(roles.ensure_owner(ports.postgres, credentials))
        upgrade(self.state.database_url)
        return asyncio.run(roles.ensure_logins(ports.postgres, credentials))

    def _prepare_topic(self) -> None:
        # As for the processes: what the caller has set for another cluster does not count here.
        defaults = {name: field.default for name, field in LogSettings.model_fields.items()}
        bootstrap, partitions = self.state.kafka_bootstrap, self._partitions
        settings = LogSettings(
            **defaults | {"kafka_bootstrap": bootstrap, "partitions": partitions}
        )
        try:
            Topics(settings).ensure()
            check(settings)
        except LogUnavailable as error:
            raise StackError(f"Kafka runs and does not answer: {error}") from error
        except LogError as error:
            raise StackError(f"{error}: use another --data-dir, or --fresh") from error

    def _start_ours(
        self, name: str, verb: list[str], url: str, environment: Mapping[str, str]
    ) -> None:
        self._say(f"starting {name} ...")
        # Nothing of the caller's settings leaks in: the command process knows no read model.
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("ORDERLOG_")}
        self._run(
            Child(
                name=name,
                command=[sys.executable, "-m", "cli.main", *verb],
                log_file=self._data_dir.path / "logs" / f"{name}.log",
                is_ready=lambda: is_ready(url),
                environment={**inherited, **environment},
                start_s=_READY_S,
                stop_s=_STOP_S,
            )
        )

    def _run(self, child: Child) -> None:
        """Start a child, unless somebody asks us to stop while it is starting."""
        ask = child.is_ready

        def is_child_ready() -> bool:
            if self._stop_asked.is_set() and not self.state.is_ready:
                raise Interrupted("interrupted")
            return ask()

        child.is_ready = is_child_ready
        self._supervisor.start(child)

    def _note(self) -> None:
        """Write down what runs, so that `status`, `down` and a next `dev` find it."""
        processes = {}
        for name, pid in self._supervisor.pids().items():
            started = None if pid is None else started_at(pid)
            if pid is not None and started is not None:
                processes[name.lower()] = Running(pid, started)
        self.state.processes = processes
        self._data_dir.write(self.state)

    def stop(self) -> None:
        """Stop everything, the last started first."""
        self._supervisor.stop()
        self.state.is_ready = False
        self.state.processes = {}
        self._data_dir.write(self.state)


class Interrupted(StackError):  # noqa: N818 - the name is the state
    """Somebody asked to stop before everything was ready."""


def is_ready(url: str) -> bool:
    """Tell whether a process of ours says that it is ready."""
    try:
        with _LOOPBACK.open(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == _HTTP_OK)
    except (OSError, http.client.HTTPException):
        return False
