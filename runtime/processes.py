"""A supervisor: starts children in order, starts again what dies, stops all in reverse order."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType

from runtime.embedded.child import Child
from runtime.embedded.errors import StackError

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 60.0
_STEP_S = 0.1


class Supervisor:
    """Owns its children from `start` to `stop`; each is watched by a thread of its own.

    `say` gets one line whenever a child died or could not be started again. `changed` is called
    after every new pid, from the watching thread: write the state file there.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        changed: Callable[[], None] = lambda: None,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._say = say
        self._changed = changed
        self._first_pause_s = first_pause_s
        self._is_stopping = threading.Event()
        self._watched: list[tuple[Child, threading.Thread]] = []

    def start(self, child: Child) -> None:
        """Start a child, wait until it is ready, and keep it running from now on.

        Raises:
            StackError: it did not become ready and was stopped. Those started before are still
                running: `stop`.
        """
        try:
            child.start()
        except BaseException:
            child.stop()
            raise
        thread = threading.Thread(target=self._keep, args=(child,), name=f"keep-{child.name}")
        self._watched.append((child, thread))
        thread.start()
        self._changed()

    def pids(self) -> Mapping[str, int | None]:
        """Return each child's pid, in the order of starting; None while it is down."""
        return {
            child.name: child.process.pid if child.process and child.is_running() else None
            for child, _ in self._watched
        }

    def stop(self) -> None:
        """Stop the children one after the other, the last started first. Can be called twice."""
        self._is_stopping.set()
        for child, thread in reversed(self._watched):
            # A start that was under way when we came is ended too: hence until its thread is gone.
            while True:
                child.stop()
                thread.join(_STEP_S)
                if not thread.is_alive():
                    break
            child.stop()
        self._watched.clear()

    def _keep(self, child: Child) -> None:
        pause_s = self._first_pause_s
        while True:
            since = time.monotonic()
            code = child.process.wait() if child.process else 0
            if self._is_stopping.is_set():
                return
            if time.monotonic() - since > STEADY_AFTER_S:
                pause_s = self._first_pause_s
            self._say(f"{child.name} {_ending(code)}: starting it again in {pause_s:g} s")
            while not self._is_stopping.wait(pause_s):
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                if self._restart(child, pause_s):
                    break
            if self._is_stopping.is_set():
                return

    def _restart(self, child: Child, pause_s: float) -> bool:
        try:
            child.start()
        except StackError as error:
            child.stop()
            if not self._is_stopping.is_set():
                self._say(f"{child.name} did not start: trying again in {pause_s:g} s\n{error}")
            return False
        self._say(f"{child.name} is running again")
        self._changed()
        return True


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def stop_requested() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set from now on. Main thread only.

    The signals no longer raise `KeyboardInterrupt`, so that an ordered stop is never cut off by a
    second Ctrl-C.
    """
    event = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        event.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ask)
    return event
