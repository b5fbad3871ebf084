"""A data dir of `orderlog dev`: whose it is, who runs on it, and what runs there."""

import fcntl
import json
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runtime.embedded.child import end_process, started_at
from runtime.embedded.errors import StackError
from runtime.embedded.postgres import remove

_MARK = "ORDERLOG"
_MARK_TEXT = (
    "This folder belongs to `orderlog dev`. Delete it when you no longer need the orders.\n"
)
_STATE = "stack.json"
_PRIVATE = 0o600
_ORPHAN_S = 20.0


@dataclass(frozen=True, slots=True)
class Running:
    """A process, and when it was started, so that a reused pid is not taken for it."""

    pid: int
    started: float

    def is_alive(self) -> bool:
        """Tell whether it is still there."""
        return started_at(self.pid) == self.started


@dataclass(slots=True)
class State:
    """What is known of a stack: its addresses and its processes, in the order of starting."""

    supervisor: Running
    command_url: str = ""
    query_url: str = ""
    kafka_bootstrap: str = ""
    database_url: str = ""
    metrics_port: int = 0
    is_ready: bool = False
    processes: dict[str, Running] = field(default_factory=dict)


class DataDir:
    """One data dir. `claim` it before anything is started on it."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.supervisor_log = self.path / "logs" / "supervisor.log"
        self._writing = threading.Lock()
        self._lock = -1

    def claim(self, *, is_fresh: bool = False) -> None:
        """Make it ours alone until this process ends; `is_fresh` deletes what is in it.

        Raises:
            StackError: not ours, not writable, or another stack is running on it.
        """
        self.require_ours()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, _PRIVATE)
        except OSError as error:
            raise StackError(
                f"cannot write to {self.path}: {error.strerror}; choose another with --data-dir DIR"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise self._taken() from error
        self.end_orphans()
        if is_fresh:
            self._clear()
        (self.path / _MARK).write_text(_MARK_TEXT)

    def require_ours(self) -> None:
        """Look, and change nothing.

        Raises:
            StackError: somebody else's files are there, or another stack is running on it.
        """
        if self.is_running():
            raise self._taken()
        if not self.path.exists() or (self.path / _MARK).exists():
            return
        if not self.path.is_dir():
            raise StackError(f"{self.path} is not a folder: choose another with --data-dir DIR")
        if any(entry.name not in {"lock", "logs"} for entry in self.path.iterdir()):
            raise StackError(
                f"{self.path} holds something that `orderlog dev` did not make; nothing was "
                "changed: choose another with --data-dir DIR"
            )

    def _taken(self) -> StackError:
        return StackError(
            f"another stack is running on {self.path}: use it, stop it with "
            f"`orderlog down --data-dir {self.path}`, or choose another --data-dir"
        )

    def _clear(self) -> None:
        remove(self.path / "postgres")
        for entry in self.path.iterdir():
            if entry.name not in {"lock", "logs"}:
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()

    def end_orphans(self) -> list[str]:
        """End what a supervisor that was killed has left behind, the last started first."""
        state = self.read()
        if state is None:
            return []
        ended = []
        for name, process in reversed(state.processes.items()):
            if process.is_alive():
                # Postgres' "fast" stop is SIGINT; all others take it as their orderly end, too.
                signal_first = 2 if name == "postgres" else 15
                end_process(
                    process.pid, process.started, deadline_s=_ORPHAN_S, signal_first=signal_first
                )
                ended.append(name)
        return ended

    def is_running(self) -> bool:
        """Tell whether a supervisor is at work here."""
        state = self.read()
        return state is not None and state.supervisor.is_alive()

    def read(self) -> State | None:
        """Return what was last written; None: nothing, or nothing that can be read."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            found: dict[str, Any] = json.loads((self.path / _STATE).read_text())
            found["supervisor"] = Running(**found["supervisor"])
            processes: dict[str, dict[str, Any]] = found["processes"]
            found["processes"] = {name: Running(**one) for name, one in processes.items()}
            return State(**found)
        return None

    def write(self, state: State) -> None:
        """Replace the state whole; it holds a password and is readable for its owner alone."""
        with self._writing:
            new = self.path / f"{_STATE}.new"
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
            with os.fdopen(descriptor, "w") as file:
                json.dump(asdict(state), file, indent=1)
            new.rename(self.path / _STATE)
