"""The supervisor and its children, with real little processes."""

import os
import signal
import sys
import time

import pytest

from runtime.embedded.child import Child, check_port, end_process, free_port, started_at
from runtime.embedded.errors import StackError
from runtime.processes import Supervisor

DEADLINE_S = 20
WAITS = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS
FAILS = "print('no space left'); raise SystemExit(7)"
NOTES_END = """
import pathlib, signal, sys, time
def end(*_):
    with open(sys.argv[2], "a") as file: file.write(sys.argv[3] + "\\n")
    raise SystemExit
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""


@pytest.fixture
def child(tmp_path):
    """Answer `child(name, program, *arguments, **more)`: ready when its file is there."""

    def make(name: str, program: str, *arguments: str, **more) -> Child:
        ready = tmp_path / f"{name}.ready"

        def is_ready() -> bool:
            return ready.exists()

        return Child(
            name=name,
            command=[sys.executable, "-c", program, str(ready), *arguments],
            log_file=tmp_path / f"{name}.log",
            is_ready=is_ready,
            **{"start_s": DEADLINE_S, "stop_s": DEADLINE_S, **more},
        )

    return make


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said):
    supervisor = Supervisor(said.append, first_pause_s=0.01)
    yield supervisor
    supervisor.stop()


def eventually(condition) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_dies_is_started_again(supervisor, child, said):
    supervisor.start(child("one", WAITS))
    first = supervisor.pids()["one"]

    os.kill(first, signal.SIGKILL)

    eventually(lambda: supervisor.pids()["one"] not in {None, first})
    eventually(lambda: "one is running again" in said)
    assert any("SIGKILL" in line for line in said)


def test_they_are_stopped_in_reverse_order(supervisor, child, tmp_path):
    ends = tmp_path / "ends"
    for name in ("one", "two", "three"):
        supervisor.start(child(name, NOTES_END, str(ends), name))
    pids = supervisor.pids()

    supervisor.stop()

    assert list(pids) == ["one", "two", "three"]
    assert ends.read_text().split() == ["three", "two", "one"]
    assert all(started_at(pid) is None for pid in pids.values())


def test_stopping_twice_is_fine(supervisor, child):
    supervisor.start(child("one", WAITS))
    supervisor.stop()
    supervisor.stop()


def test_one_that_does_not_listen_is_killed(supervisor, child):
    supervisor.start(child("one", IGNORES, stop_s=0.2))
    pid = supervisor.pids()["one"]

    supervisor.stop()

    assert started_at(pid) is None


def test_one_that_ends_at_once_is_said_with_its_last_words(supervisor, child):
    with pytest.raises(StackError, match="one ended at once:\nno space left") as failed:
        supervisor.start(child("one", FAILS))

    assert "one.log" in str(failed.value)


def test_one_that_is_never_ready_is_ended(supervisor, child, tmp_path):
    one = child("one", WAITS, start_s=0.3)
    one.is_ready = lambda: False

    with pytest.raises(StackError, match="one not ready in"):
        supervisor.start(one)

    assert not one.is_running()


def test_an_orphan_is_ended_and_a_reused_pid_is_not(child):
    one = child("one", WAITS)
    one.start()
    began = started_at(one.process.pid)

    end_process(one.process.pid, began - 1, deadline_s=0, signal_first=signal.SIGTERM)
    assert one.is_running()
    end_process(one.process.pid, began, deadline_s=DEADLINE_S, signal_first=signal.SIGTERM)
    eventually(lambda: not one.is_running())


def test_a_port_that_is_taken_names_its_option():
    import socket  # noqa: PLC0415

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=f"port {port} is taken: .*--query-port N, or 0"):
            check_port(port, "--query-port")


def test_no_port_is_given_twice(monkeypatch):
    monkeypatch.setattr("runtime.embedded.child._given", set())
    seen = {free_port() for _ in range(2_000)}  # Chance alone would repeat about seventy.

    assert len(seen) == 2_000


def test_0_is_any_free_port():
    assert check_port(0, "--query-port") > 0
    assert free_port() > 0
