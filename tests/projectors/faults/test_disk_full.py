"""A disk that is really full: a file system of a few megabytes under one read model."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from runtime.embedded.postgres import data_folder
from tests.projectors.checking import Exact
from tests.projectors.running import at

SIZE_MB = 4


@pytest.fixture
def disk(server) -> Iterator[Path]:
    """A mounted file system of its own, where the server's user may write."""
    data = data_folder(server.folder)
    folder = data.parent / f"disk-{uuid.uuid4().hex}"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=777", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mounting, check=False).returncode:
        folder.rmdir()
        pytest.skip("only root can mount a small disk; test_faults has the same by a trigger")
    space = folder / "space"
    space.mkdir()
    shutil.chown(space, data.owner(), data.group())
    yield space
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


def fill(folder: Path) -> Path:
    """Leave not a byte; return the file that takes it all."""
    ballast = folder.parent / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(folder).free == 0
    return ballast


@pytest.fixture
async def admin(server, own_url):
    connection = await server.admin(make_url(own_url).database)
    yield connection
    await connection.close()


async def test_a_full_disk_is_waited_for_and_nothing_is_lost(
    disk, admin, facts, projecting_there, patient
):
    """The log goes on meanwhile. The reader stops when the queue of this projection is full."""
    await facts.happen(20)
    async with projecting_there() as projector:
        await projector.reach()
        await admin.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        await admin.execute("ALTER TABLE read_models.timeline_g1 SET TABLESPACE small")
        ballast = fill(disk)
        await facts.happen(250)

        async def is_said() -> bool:
            return "No space left" in str(projector.live.status()["timeline"])

        await projector.until(is_said, "that there is no space")
        full = await patient.look()
        ballast.unlink()
        await projector.reach()
        assert set(projector.live.status().values()) == {None}
        ends = facts.ends()

    exact = Exact()
    assert full.at["timeline"] != ends
    exact.require(full, facts.decoded())
    exact.require(await patient.look(), facts.decoded())
    assert (await at(patient))["timeline"] == ends
