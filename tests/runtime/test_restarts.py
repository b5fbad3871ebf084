"""The supervisor when things go on going wrong: back-off, starts that fail, a stop in between."""

import os
import signal
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

from runtime import processes
from runtime.embedded.child import Child, started_at
from runtime.embedded.errors import StackError
from runtime.processes import Supervisor, stop_requested

DEADLINE_S = 20
# Notes its pid, and runs while there is a file that allows it.
RUNS_WHILE_ALLOWED = """
import os, pathlib, sys, time
notes, allowed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
with notes.open("a") as file: file.write(f"{os.getpid()} {time.monotonic()}\\n")
print("looking for", allowed, flush=True)
while allowed.exists(): time.sleep(0.01)
raise SystemExit(3)
"""


class Flaky:
    """A child that runs only while its file is there; every start of it is noted."""

    def __init__(self, folder: Path, **more) -> None:
        self.allowed = folder / "allowed"
        self.allowed.touch()
        self.notes = folder / "starts"
        self.child = Child(
            name="flaky",
            command=[
                *(sys.executable, "-S", "-c", RUNS_WHILE_ALLOWED),
                *(str(self.notes), str(self.allowed)),
            ],
            log_file=folder / "flaky.log",
            is_ready=lambda: self.allowed.exists() and self.has_begun(),
            **{"start_s": DEADLINE_S, "stop_s": DEADLINE_S, **more},
        )

    def starts(self) -> list[tuple[int, float]]:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [(int(line.split()[0]), float(line.split()[1])) for line in lines]

    def has_begun(self) -> bool:
        return bool(self.child.process) and self.child.process.pid in dict(self.starts())


def eventually(condition) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def flaky(tmp_path) -> Flaky:
    return Flaky(tmp_path)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def changes() -> list[object]:
    return []


@pytest.fixture
def supervisor(said, changes):
    supervisor = Supervisor(said.append, lambda: changes.append(None), first_pause_s=0.05)
    yield supervisor
    supervisor.stop()


def test_a_pause_is_twice_as_long_as_the_one_before(supervisor, flaky):
    supervisor.start(flaky.child)
    flaky.allowed.unlink()
    eventually(lambda: len(flaky.starts()) >= 5)
    supervisor.stop()

    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(flaky.starts()[1:5])]
    assert gaps[0] >= 0.1
    assert gaps[1] >= 0.2
    assert gaps[2] >= 0.4


def test_a_pause_has_an_upper_bound(supervisor, flaky, said, monkeypatch):
    monkeypatch.setattr(processes, "LONGEST_PAUSE_S", 0.07)
    supervisor.start(flaky.child)
    flaky.allowed.unlink()

    eventually(lambda: sum("trying again in 0.07 s" in line for line in said) >= 3)


def test_one_that_ran_steadily_begins_with_the_first_pause_again(
    supervisor, flaky, said, monkeypatch
):
    monkeypatch.setattr(processes, "STEADY_AFTER_S", 0.0)
    supervisor.start(flaky.child)
    for restarts in (1, 2, 3):
        os.kill(supervisor.pids()["flaky"], signal.SIGKILL)
        eventually(lambda restarts=restarts: said.count("flaky is running again") == restarts)

    assert [line for line in said if "SIGKILL" in line] == [
        "flaky was killed by SIGKILL: starting it again in 0.05 s"
    ] * 3


def test_a_restart_that_fails_is_said_with_the_log_and_tried_again(supervisor, flaky, said):
    supervisor.start(flaky.child)
    flaky.allowed.unlink()
    eventually(lambda: any("did not start" in line for line in said))
    flaky.allowed.touch()

    eventually(lambda: "flaky is running again" in said)
    assert said[0] == "flaky ended with exit code 3: starting it again in 0.05 s"
    assert f"looking for {flaky.allowed}" in said[1]


def test_while_it_is_down_there_is_no_pid(supervisor, flaky):
    supervisor.start(flaky.child)
    first = supervisor.pids()["flaky"]
    flaky.allowed.unlink()

    eventually(lambda: supervisor.pids()["flaky"] is None)
    assert started_at(first) is None


def test_every_new_pid_is_announced(supervisor, flaky, changes):
    supervisor.start(flaky.child)
    assert len(changes) == 1

    os.kill(supervisor.pids()["flaky"], signal.SIGKILL)

    eventually(lambda: len(changes) == 2)


def test_a_stop_cuts_a_pause_short(said, flaky):
    supervisor = Supervisor(said.append, first_pause_s=3600)
    supervisor.start(flaky.child)
    flaky.allowed.unlink()
    eventually(lambda: said)
    began = time.monotonic()

    supervisor.stop()

    assert time.monotonic() - began < DEADLINE_S
    assert len(flaky.starts()) == 1


def test_a_stop_ends_a_start_that_is_under_way(supervisor, flaky):
    """Killed, started again, not yet ready: the new process must not outlive the stop."""
    supervisor.start(flaky.child)
    flaky.child.is_ready = lambda: False
    os.kill(supervisor.pids()["flaky"], signal.SIGKILL)
    eventually(lambda: len(flaky.starts()) == 2)

    supervisor.stop()

    assert [started_at(pid) for pid, _ in flaky.starts()] == [None, None]


def test_a_restart_that_is_given_up_leaves_no_process(supervisor, flaky, said):
    """`is_ready` may say no for good by raising: `orderlog dev` does when Ctrl-C comes."""
    supervisor.start(flaky.child)

    def given_up() -> bool:
        if flaky.has_begun():
            raise StackError("given up")
        return False

    flaky.child.is_ready = given_up
    os.kill(supervisor.pids()["flaky"], signal.SIGKILL)
    eventually(lambda: len(flaky.starts()) >= 4)
    supervisor.stop()

    assert any("given up" in line for line in said)
    assert [pid for pid, _ in flaky.starts() if started_at(pid)] == []


def test_a_first_start_that_fails_leaves_the_others_running(supervisor, flaky, tmp_path):
    (tmp_path / "other").mkdir()
    other = Flaky(tmp_path / "other", start_s=0.1)
    other.child.is_ready = lambda: False
    supervisor.start(flaky.child)

    with pytest.raises(StackError, match=r"flaky not ready in 0\.1 s"):
        supervisor.start(other.child)

    assert list(supervisor.pids()) == ["flaky"]
    assert started_at(supervisor.pids()["flaky"]) is not None
    assert [pid for pid, _ in other.starts() if started_at(pid)] == []


def test_a_program_that_is_not_there_is_no_process(tmp_path, supervisor):
    child = Child("none", [str(tmp_path / "nothing")], tmp_path / "none.log", lambda: True)

    with pytest.raises(StackError, match=r"none cannot be started: .*nothing"):
        supervisor.start(child)

    assert supervisor.pids() == {}


def test_a_child_does_not_get_the_ctrl_c_of_the_terminal(flaky):
    """It is stopped by us, in order; so it has a session and process group of its own."""
    flaky.child.start()
    pid = flaky.child.process.pid
    try:
        assert os.getsid(pid) == pid
        assert os.getpgid(pid) != os.getpgid(0)
    finally:
        flaky.child.stop()


@pytest.fixture
def kept_handlers():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("kept_handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_for_the_stop_and_a_second_one_changes_nothing(number):
    assert threading.current_thread() is threading.main_thread()
    asked = stop_requested()

    os.kill(os.getpid(), number)
    os.kill(os.getpid(), number)

    assert asked.wait(DEADLINE_S)
