"""A broker with real histories, a Postgres, and the processes of the read side."""

import asyncio
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import orjson
from sqlalchemy.engine import make_url

from benchmarks.filling import Filled, fill
from benchmarks.processes import ORDERLOG, Processes, wait_for
from eventlog.topics import Topics
from migrations import upgrade
from projectors.database import ROLE
from runtime.embedded.child import free_port
from runtime.embedded.kafka import kafka
from runtime.embedded.postgres import postgres, remove
from runtime.embedded.roles import ensure_owner
from runtime.settings import LogSettings

_TEMPLATE = "bench_template"
_KEEP_ALIVE_MS = "600000"


class ReadServers:
    """A context manager: everything runs inside it, and nothing outlives it.

    The topic holds `filled`; databases are made by `database`, migrated and with nothing in them.
    """

    def __init__(self, folder: Path, partitions: int) -> None:
        self._kafka_port, self._postgres_port = free_port(), free_port()
        self.settings = LogSettings(
            kafka_bootstrap=f"127.0.0.1:{self._kafka_port}", partitions=partitions
        )
        self.query_port, self.command_port, self.guide_port = free_port(), free_port(), free_port()
        self.processes = Processes(folder)
        self._folder = folder / "postgres"
        self._broker = kafka(folder / "kafka", self._kafka_port)
        self._database, self._credentials = postgres(self._folder, self._postgres_port)
        self._made = 0
        self.filled = Filled(0, 0)

    def __enter__(self) -> Self:
        try:
            self._broker.start()
            self._database.start()
            Topics(self.settings).ensure()
            self._owner = asyncio.run(ensure_owner(self._postgres_port, self._credentials))
            self._execute(f"CREATE DATABASE {_TEMPLATE}")
            upgrade(self._url(_TEMPLATE))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.processes.close()
        self._database.stop()
        self._broker.stop()
        remove(self._folder)

    def fill(self, events: int) -> float:
        """Append so many events; return the seconds it took."""
        started = time.monotonic()
        self.filled += fill(self.settings, events)
        return time.monotonic() - started

    def ends(self) -> dict[int, int]:
        """Return where the log ends."""
        return Topics(self.settings).ends(self.settings.partitions)

    def database(self) -> str:
        """Make a migrated database with nothing in it; return its owner's address."""
        self._made += 1
        name = f"bench_{self._made}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self._url(name)

    def drop(self, url: str) -> None:
        """Remove a database that nobody is connected to any more.

        `WITH (FORCE)` is refused while autovacuum is at work there; without it, autovacuum gives
        way.
        """
        self._execute(f"DROP DATABASE {make_url(url).database}")

    def environment(self, url: str) -> dict[str, str]:
        """Return what our processes need to work on the log and on one database."""
        return {
            "ORDERLOG_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "ORDERLOG_DATABASE_URL": url,
            "ORDERLOG_KEYS_DATABASE_URL": url,
            "ORDERLOG_METRICS_PORT": "0",
            "ORDERLOG_COMMAND_PORT": str(self.command_port),
            "ORDERLOG_QUERY_PORT": str(self.query_port),
            "ORDERLOG_HTTP_KEEP_ALIVE_MS": _KEEP_ALIVE_MS,
        }

    def start(self, url: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a verb of ours that goes on."""
        return self.processes.start([*ORDERLOG, *arguments], self.environment(url))

    def begin(self, url: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a verb of ours that ends by itself and prints JSON; see `printed`."""
        command = [*ORDERLOG, *arguments, "-o", "json"]
        return self.processes.start(command, self.environment(url), is_heard=True)

    def printed(self, process: "subprocess.Popen[bytes]") -> Any:
        """Return what a verb has printed in the end; it must have ended well."""
        printed = self.processes.result(process)
        if process.returncode:
            raise RuntimeError(
                f"{process.args!r} ended with exit code {process.returncode}: "
                f"{printed.decode()}{self.processes.tail()}"
            )
        return orjson.loads(printed)

    def serve(self, url: str, kind: str) -> "subprocess.Popen[bytes]":
        """Start `orderlog serve command` or `query`, and wait until it answers.

        `query` is not asked whether it is ready: without a projector it never is.
        """
        process = self.start(url, "serve", kind)
        where = f"{self.query_port}/livez" if kind == "query" else f"{self.command_port}/readyz"
        wait_for(f"http://127.0.0.1:{where}", process)
        return process

    def _url(self, database: str) -> str:
        return make_url(self._owner).set(database=database).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        asyncio.run(execute(self._owner, statement))


async def connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Open a connection that may do what projectors may."""
    return await asyncpg.connect(url, server_settings={"role": ROLE})


async def execute(url: str, *statements: str) -> None:
    """Run statements, each in its own transaction."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
