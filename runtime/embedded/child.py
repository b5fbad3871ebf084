"""One child process: its own session, its log file, a bounded start and a bounded stop."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runtime.embedded.errors import StackError

_STEP_S = 0.05
_TAIL_LINES = 15


@dataclass
class Child:
    """A process that is started, watched and stopped by us.

    `is_ready` is asked until it says yes; `stop_signal` asks for an orderly end. The child gets a
    session of its own, so that Ctrl-C of a terminal reaches us first and we stop in order.
    """

    name: str
    command: Sequence[str]
    log_file: Path
    is_ready: Callable[[], bool]
    environment: Mapping[str, str] | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    start_s: float = 60.0
    stop_s: float = 30.0
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start and wait until ready.

        Raises:
            StackError: it ended or was not ready in time; the message has the end of its log.
        """
        try:
            self.process = self._launch()
        except OSError as error:
            raise StackError(f"{self.name} cannot be started: {error}") from error
        deadline = time.monotonic() + self.start_s
        while not self.is_ready():
            if self.process.poll() is not None:
                raise StackError(f"{self.name} ended at once:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise StackError(f"{self.name} not ready in {self.start_s:g} s:\n{self.log_tail()}")
            time.sleep(_STEP_S)

    def _launch(self) -> "subprocess.Popen[bytes]":
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own command lines
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd="/",
                start_new_session=True,
                user=self.user,
                group="nogroup" if self.user and _has_group("nogroup") else None,
                extra_groups=[] if self.user else None,
            )

    def is_running(self) -> bool:
        """Tell whether the process is there."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ask for an orderly end; after `stop_s` kill."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log_tail(self) -> str:
        """Return the last lines of the log, and where it is."""
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        lines = "\n".join(text.splitlines()[-_TAIL_LINES:])
        return f"{lines}\n(log: {self.log_file})"


_given: set[int] = set()


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now, another one at every call.

    Whoever got it listens only later: until then the system would give it away again.
    """
    with contextlib.ExitStack() as held:
        while True:
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            if port not in _given:
                _given.add(port)
                return port


def check_port(port: int, option: str) -> int:
    """Return `port`, or a free one for 0.

    Raises:
        StackError: somebody listens there; the message names the option to change.
    """
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StackError(
                f"port {port} is taken: choose another with {option} N, or 0 for any free one"
            ) from error
    return port


def answers(port: int) -> bool:
    """Tell whether somebody listens on the loopback at `port`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def end_process(pid: int, started: float, *, deadline_s: float, signal_first: int) -> None:
    """End a process of an earlier run of ours, if it is still the same one."""
    deadline = time.monotonic() + deadline_s
    sent: int | None = None
    while started_at(pid) == started:
        wanted = signal_first if time.monotonic() < deadline else signal.SIGKILL
        if sent != wanted:
            sent = wanted
            try:
                os.kill(pid, wanted)
            except ProcessLookupError:
                return
        time.sleep(_STEP_S)


def started_at(pid: int) -> float | None:
    """Return when a living process was started, so that a reused pid is noticed; None: gone."""
    import psutil  # noqa: PLC0415 - kept off the way of `--help`

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _has_group(name: str) -> bool:
    import grp  # noqa: PLC0415 - not on every platform

    return any(entry.gr_name == name for entry in grp.getgrall())
