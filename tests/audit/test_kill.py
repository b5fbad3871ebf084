"""kill -9 at any moment: the next call goes on, and the result is as if nothing had happened."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from audit.export import Request, export
from audit.verify import verify
from eventlog.memory import MemoryLog

CHILD = """
import asyncio, importlib.util, sys, pathlib
spec = importlib.util.spec_from_file_location("tests_audit_conftest", sys.argv[1])
fixtures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixtures)
from audit.export import Request, export
from eventlog.log import Batch
from eventlog.memory import MemoryLog


class Slow(MemoryLog):
    # Tells after every record, and waits to be told to go on.
    async def read(self, partition, start, end):
        async for batch in super().read(partition, start, end):
            for record in batch.records:
                yield Batch(partition, (record,), record.offset + 1)
                print("record", flush=True)
                sys.stdin.readline()


async def main():
    log = Slow(partitions=4)
    await fixtures.Writer().write(log, 30)
    print("ready", flush=True)
    await export(log, pathlib.Path(sys.argv[2]), Request(file_events_max=15))

asyncio.run(main())
"""


def content(path: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in path.iterdir()}


async def killed_after(records: int, path: Path) -> None:
    """Start an export in another process and kill it after so many records."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CHILD,
        str(Path(__file__).with_name("conftest.py")),
        str(path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    while (said := await child.stdout.readline()) != b"ready\n":
        assert said, "the child ended early"
    for _ in range(records):
        assert await child.stdout.readline() == b"record\n"
        child.stdin.write(b"\n")
        await child.stdin.drain()
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()


@pytest.mark.parametrize("records", [1, 17, 90, 150])
async def test_an_export_that_was_killed_is_finished_by_the_next(
    log: MemoryLog, tmp_path: Path, whole: Path, records: int
):
    await killed_after(records, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()

    await export(log, tmp_path / "out", Request(file_events_max=15))

    assert verify(tmp_path / "out").is_valid
    assert content(tmp_path / "out") == content(whole)
