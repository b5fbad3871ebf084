"""One whole stack per test module, started and stopped the way a user does it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

READY_S = 120


@dataclass(frozen=True)
class Stack:
    """A running stack and the command line against it."""

    data_dir: Path
    environment: dict[str, str]

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            check=False,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=READY_S,
        )
        if check and done.returncode:
            pytest.fail(f"orderlog {' '.join(arguments)}: {done.returncode}\n{done.stderr}")
        return done

    def status(self) -> dict:
        answer = self.cli("status", "--data-dir", str(self.data_dir), "-o", "json", check=False)
        return json.loads(answer.stdout)

    def pid(self, process: str) -> int:
        return self.status()["processes"][process]["pid"]

    @property
    def command_url(self) -> str:
        return self.environment["ORDERLOG_COMMAND_URL"]

    @property
    def query_url(self) -> str:
        return self.environment["ORDERLOG_QUERY_URL"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data_dir = tmp_path_factory.mktemp("stack") / "data"
    ports = [
        "--command-port",
        "0",
        "--query-port",
        "0",
        "--kafka-port",
        "0",
        "--postgres-port",
        "0",
    ]
    base = [sys.executable, "-m", "cli.main"]
    started = subprocess.run(
        [*base, "dev", "--detach", "--data-dir", str(data_dir), *ports],
        check=False,
        capture_output=True,
        text=True,
        timeout=READY_S,
    )
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        printed = subprocess.run(
            [*base, "status", "--data-dir", str(data_dir), "-o", "env"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        variables = dict(line.split("=", 1) for line in printed.splitlines())
        unquoted = {name: value.strip("'\"") for name, value in variables.items()}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        yield Stack(data_dir, {**os.environ, **unquoted, "PATH": path})
    finally:
        subprocess.run([*base, "down", "--data-dir", str(data_dir)], check=True, timeout=READY_S)


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(timeout=30) as client:
        yield client


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool], str], None]:
    """Wait for a condition, at most half a minute."""

    def wait(condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if condition():
                return
            time.sleep(0.05)
        pytest.fail(f"not within 30 s: {what}")

    return wait
