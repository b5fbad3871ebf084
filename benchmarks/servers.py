"""A broker, the guide's endpoint and a command node, each a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2
import psutil

from eventlog.topics import Topics
from runtime.embedded.child import free_port
from runtime.embedded.kafka import kafka
from runtime.settings import LogSettings

_READY_S = 120
_GUIDE = Path(__file__).parent / "guide.py"
_ROOT = Path(__file__).resolve().parents[1]


class Servers:
    """A context manager: everything runs inside it, and nothing outlives it."""

    def __init__(self, folder: Path, partitions: int) -> None:
        port = free_port()
        self.settings = LogSettings(kafka_bootstrap=f"127.0.0.1:{port}", partitions=partitions)
        self.guide_port, self.ours_port = free_port(), free_port()
        self._folder = folder
        self._broker = kafka(folder / "kafka", port)
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._broker.start()
        settings = self.settings
        try:
            for topic in (settings.kafka_topic, "guide.events"):
                Topics(settings.model_copy(update={"kafka_topic": topic})).ensure()
            guide = [str(_GUIDE), str(self.guide_port), settings.kafka_bootstrap, "guide.events"]
            self._run([sys.executable, *guide])
            self._ours = self._start_ours()
            _wait(f"http://127.0.0.1:{self.guide_port}/openapi.json")
            _wait(f"http://127.0.0.1:{self.ours_port}/readyz")
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
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(_READY_S)
        self._broker.stop()

    def _run(self, command: list[str], **environment: str) -> subprocess.Popen[bytes]:
        with (self._folder / "servers.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=_ROOT, env={**os.environ, **environment}, stderr=log
            )
        self._processes.append(process)
        return process

    def _start_ours(self) -> subprocess.Popen[bytes]:
        return self._run(
            [sys.executable, "-m", "cli.main", "serve", "command", "--port", str(self.ours_port)],
            ORDERLOG_KAFKA_BOOTSTRAP=self.settings.kafka_bootstrap,
        )

    def memory_bytes(self) -> int:
        """Return what the command node holds in memory (RSS)."""
        return int(psutil.Process(self._ours.pid).memory_info().rss)

    def restart_after_kill(self) -> float:
        """Kill the command node as a power cut would; return the seconds until all is served."""
        self._ours.kill()
        self._ours.wait()
        self._processes.remove(self._ours)
        started = time.monotonic()
        self._ours = self._start_ours()
        _wait(f"http://127.0.0.1:{self.ours_port}/readyz")
        return time.monotonic() - started


def _wait(url: str) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        try:
            if httpx2.get(url, timeout=5).is_success:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.02)
    raise TimeoutError(f"{url} does not answer")
