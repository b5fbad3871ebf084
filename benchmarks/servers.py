"""A broker, the guide's endpoint and a command node, each a process of its own."""

import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from benchmarks.processes import ORDERLOG, Processes, wait_for
from eventlog.topics import Topics
from runtime.embedded.child import free_port
from runtime.embedded.kafka import kafka
from runtime.settings import LogSettings

_GUIDE = Path(__file__).parent / "guide.py"


class Servers:
    """A context manager: everything runs inside it, and nothing outlives it."""

    def __init__(self, folder: Path, partitions: int) -> None:
        port = free_port()
        self.settings = LogSettings(kafka_bootstrap=f"127.0.0.1:{port}", partitions=partitions)
        self.guide_port, self.ours_port = free_port(), free_port()
        self._broker = kafka(folder / "kafka", port)
        self._processes = Processes(folder)

    def __enter__(self) -> Self:
        self._broker.start()
        settings = self.settings
        try:
            for topic in (settings.kafka_topic, "guide.events"):
                Topics(settings.model_copy(update={"kafka_topic": topic})).ensure()
            guide = [str(_GUIDE), str(self.guide_port), settings.kafka_bootstrap, "guide.events"]
            guides = self._processes.start([sys.executable, *guide], {})
            self._ours = self._start_ours()
            wait_for(f"http://127.0.0.1:{self.guide_port}/openapi.json", guides)
            wait_for(f"http://127.0.0.1:{self.ours_port}/readyz", self._ours)
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
        self._processes.close()
        self._broker.stop()

    def _start_ours(self) -> subprocess.Popen[bytes]:
        return self._processes.start(
            [*ORDERLOG, "serve", "command", "--port", str(self.ours_port)],
            {"ORDERLOG_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap},
        )

    def memory_bytes(self) -> int:
        """Return what the command node holds in memory (RSS)."""
        return int(psutil.Process(self._ours.pid).memory_info().rss)

    def restart_after_kill(self) -> float:
        """Kill the command node as a power cut would; return the seconds until all is served."""
        self._ours.kill()
        self._processes.result(self._ours)
        started = time.monotonic()
        self._ours = self._start_ours()
        wait_for(f"http://127.0.0.1:{self.ours_port}/readyz", self._ours)
        return time.monotonic() - started
