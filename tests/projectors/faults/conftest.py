"""A Postgres of its own for tests that kill it, fill its disk, or put an older one in its place."""

import asyncio
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import asyncpg
import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from migrations import upgrade
from projectors import database
from runtime.embedded.child import Child, free_port
from runtime.embedded.postgres import Credentials, data_folder, postgres, remove
from runtime.embedded.roles import ensure_owner, url
from runtime.settings import DatabaseSettings
from tests.projectors.checking import Snapshot, look
from tests.projectors.running import DEADLINE_S, projected

TEMPLATE = "orderlog_template"


class Server:
    """A real server that may come to harm. It forgets the last commits when it is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.child: Child
        self.credentials: Credentials
        self.child, self.credentials = postgres(folder, self.port, is_durable=False)

    def start(self) -> None:
        self.child.start()

    def signal(self, number: int) -> list[psutil.Process]:
        """Send it to the server first, which then starts no others, and to all that it has."""
        server = psutil.Process(self.child.process.pid)
        server.send_signal(number)
        others = server.children(recursive=True)
        for one in others:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(number)
        return [server, *others]

    def kill(self) -> None:
        """End all of its processes at once: nobody writes anything any more."""
        processes = self.signal(signal.SIGSTOP)
        for one in processes:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.child.process.wait()
        _, left = psutil.wait_procs(processes, DEADLINE_S)
        assert left == []

    def stop_at_once(self) -> None:
        """Stop it as `pg_ctl stop --mode immediate` does."""
        self.child.process.send_signal(signal.SIGQUIT)
        self.child.process.wait(DEADLINE_S)

    def copy(self, folder: Path) -> "Server":
        """Copy it as it is at this moment, as a snapshot of its disk would."""
        self.signal(signal.SIGSTOP)
        try:
            folder.mkdir()
            for name in ("VERSION", "credentials.json"):
                shutil.copy(self.folder / name, folder)
            data = data_folder(folder)
            self._copy_data(data)
        finally:
            self.signal(signal.SIGCONT)
        (data / "postmaster.pid").unlink()
        other = Server(folder)
        other.child, _ = postgres(folder, self.port, is_durable=False)
        return other

    def _copy_data(self, data: Path) -> None:
        source = data_folder(self.folder)
        shutil.copytree(source, data)
        for path in (source, *source.rglob("*")):
            owner = path.stat()
            target = data / path.relative_to(source)
            os.chown(target, owner.st_uid, owner.st_gid)

    async def remember(self) -> None:
        """Let no commit so far be forgotten."""
        connection = await self.admin()
        await connection.execute("CHECKPOINT")
        await connection.close()

    async def admin(self, name: str = "postgres") -> asyncpg.Connection:
        return await asyncpg.connect(url(self.port, "postgres", self.credentials.admin, name))


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("own") / "postgres")
    server.start()
    owner = asyncio.run(ensure_owner(server.port, server.credentials))

    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(owner)
        await connection.execute(statement)
        await connection.close()

    asyncio.run(execute(f"CREATE DATABASE {TEMPLATE}"))
    upgrade(_named(owner, TEMPLATE))
    yield server
    server.child.stop()
    remove(server.folder)


def _named(owner: str, name: str) -> str:
    return make_url(owner).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def copied(server, tmp_path) -> Iterator[Callable]:
    """Answer `await copied()`: the server as it is at this moment, as another one."""
    folder = tmp_path / "older"
    yield lambda: asyncio.to_thread(server.copy, folder)
    shutil.rmtree(data_folder(folder), ignore_errors=True)


@pytest.fixture
async def own_url(server) -> str:
    """The owner's address of a fresh, migrated database of this server."""
    owner = await ensure_owner(server.port, server.credentials)
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(owner)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    await connection.close()
    return _named(owner, name)


class Patient:
    """Asks the database on a new connection each time, and waits while there is none."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        return await self.asked(lambda connection: connection.fetch(sql, *arguments))

    async def look(self) -> Snapshot:
        return await self.asked(look)

    async def asked(self, ask: Callable) -> object:
        deadline = time.monotonic() + DEADLINE_S
        while True:
            try:
                connection = await database.connect(self._settings)
                try:
                    return await ask(connection)
                finally:
                    await connection.close(timeout=1)
            except Exception as error:
                if not database.is_passing(error) or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)


@pytest.fixture
def own_settings(own_url) -> DatabaseSettings:
    return DatabaseSettings(database_url=SecretStr(own_url))


@pytest.fixture
def patient(own_settings) -> Patient:
    return Patient(own_settings)


@pytest.fixture
def projecting_there(facts, own_settings, patient) -> Callable:
    """As `projecting`, on the server of its own."""

    return partial(projected, facts, own_settings, patient)
