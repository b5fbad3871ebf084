"""Child processes of a run: their errors go to one file, and all of them end with it."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2

_READY_S = 600
_ROOT = Path(__file__).resolve().parents[1]
ORDERLOG = [sys.executable, "-m", "cli.main"]
_END_S = 3_600
_STOP_S = 120
_POLL_S = 0.02


class Processes:
    """Starts children, and ends those that still run."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "processes.log"
        self._running: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: list[str], environment: Mapping[str, str], *, is_heard: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a child with these variables besides ours; `is_heard`: `result` has its output."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=_ROOT,
                env={**os.environ, **environment},
                stdout=subprocess.PIPE if is_heard else log,
                stderr=log,
            )
        self._running.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Ask for an orderly end, and wait for it."""
        process.terminate()
        self.result(process)

    def result(self, process: subprocess.Popen[bytes]) -> bytes:
        """Wait for the end; return what was printed."""
        printed, _ = process.communicate(timeout=_END_S)
        self._running.remove(process)
        return printed or b""

    def close(self) -> None:
        """End everything."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def tail(self) -> str:
        """Return the last lines of what the children said went wrong."""
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-20:])


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the process answers well there."""
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        try:
            if httpx2.get(url, timeout=5).is_success:
                return
        except httpx2.HTTPError:
            pass
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with exit code {process.returncode}")
        time.sleep(_POLL_S)
    raise TimeoutError(f"{url} does not answer")
