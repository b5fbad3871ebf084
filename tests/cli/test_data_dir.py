"""A data dir: whose it is, one stack at a time, and what a killed supervisor left behind."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.data_dir import DataDir, Running, State
from runtime.embedded.child import started_at
from runtime.embedded.errors import StackError

DEADLINE_S = 20
HOLDS = """
import sys, time
from pathlib import Path
from cli.data_dir import DataDir
DataDir(Path(sys.argv[1])).claim()
print("claimed", flush=True)
time.sleep(60)
"""
NOTES_ITS_END = """
import signal, sys, time
def end(number, _):
    with open(sys.argv[1], "a") as file: file.write(f"{sys.argv[2]} {number}\\n")
    raise SystemExit
signal.signal(signal.SIGTERM, end); signal.signal(signal.SIGINT, end)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def start():
    """Answer `start(program, *arguments)`: a process that has printed its first line."""
    processes: list[subprocess.Popen[str]] = []

    def run(program: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        assert process.stdout.readline()
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def running(process: "subprocess.Popen[str]") -> Running:
    return Running(process.pid, started_at(process.pid))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def release(place: DataDir) -> None:
    """As if the process that claimed it had ended."""
    os.close(place._lock)


def test_a_new_folder_is_made_and_marked(tmp_path):
    DataDir(tmp_path / "a" / "data").claim()

    assert "`orderlog dev`" in (tmp_path / "a" / "data" / "ORDERLOG").read_text()


def test_a_folder_of_ours_can_be_claimed_again(tmp_path):
    first = DataDir(tmp_path)
    first.claim()
    release(first)

    DataDir(tmp_path).claim()


@pytest.mark.parametrize("is_fresh", [False, True])
def test_a_folder_of_somebody_else_is_refused_and_left_alone(tmp_path, is_fresh):
    (tmp_path / "letter.txt").write_text("dear")

    with pytest.raises(StackError, match="holds something that `orderlog dev` did not make"):
        DataDir(tmp_path).claim(is_fresh=is_fresh)

    assert names(tmp_path) == {"letter.txt"}


def test_a_file_is_no_data_dir(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(StackError, match="is not a folder"):
        DataDir(tmp_path / "file").claim()


def test_a_place_that_cannot_be_written_names_the_option(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(StackError, match=r"cannot write to .*--data-dir DIR"):
        DataDir(tmp_path / "file" / "data").claim()


@pytest.mark.parametrize("left", [{"lock"}, {"logs"}, {"lock", "logs"}])
def test_a_start_that_ended_before_it_marked_the_folder_can_be_given_again(tmp_path, left):
    for name in left:
        (tmp_path / name).touch()

    DataDir(tmp_path).claim()


@pytest.mark.parametrize("is_fresh", [False, True])
def test_two_stacks_never_share_a_folder(tmp_path, start, is_fresh):
    start(HOLDS, tmp_path)
    (tmp_path / "kafka").mkdir()

    with pytest.raises(StackError) as refused:
        DataDir(tmp_path).claim(is_fresh=is_fresh)

    assert f"another stack is running on {tmp_path}" in str(refused.value)
    assert f"orderlog down --data-dir {tmp_path}" in str(refused.value)
    assert (tmp_path / "kafka").exists()


def test_a_killed_owner_lets_go(tmp_path, start):
    owner = start(HOLDS, tmp_path)
    owner.kill()
    owner.wait(DEADLINE_S)

    DataDir(tmp_path).claim()


def test_fresh_deletes_what_is_there_but_the_logs(tmp_path):
    first = DataDir(tmp_path)
    first.claim()
    release(first)
    for folder in ("kafka/log", "postgres", "logs"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").touch()
    (tmp_path / "stack.json").write_text("{}")

    DataDir(tmp_path).claim(is_fresh=True)

    assert names(tmp_path) == {"ORDERLOG", "lock", "logs"}
    assert names(tmp_path / "logs") == {"file"}


def test_what_is_written_is_read_again_and_private(tmp_path):
    place = DataDir(tmp_path)
    state = State(
        Running(1, 2.5), "http://c", "http://q", "k:1", "postgresql://u:p@h/d", 7, is_ready=True
    )
    state.processes = {"kafka": Running(3, 4.5)}

    place.write(state)

    assert place.read() == state
    assert names(tmp_path) == {"stack.json"}
    assert stat.S_IMODE((tmp_path / "stack.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"supervisor": 7}', '{"supervisor": {"pid": 1}}']
)
def test_a_state_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "stack.json").write_text(text)

    assert DataDir(tmp_path).read() is None


def test_a_state_with_fields_of_another_release_is_none(tmp_path):
    place = DataDir(tmp_path)
    place.write(State(Running(1, 2.5)))
    found = json.loads((tmp_path / "stack.json").read_text())
    (tmp_path / "stack.json").write_text(json.dumps({**found, "unknown": 1}))

    assert place.read() is None


def test_orphans_are_ended_in_reverse_order_each_by_its_own_signal(tmp_path, start):
    ends = tmp_path / "ends"
    processes = {
        name: start(NOTES_ITS_END, ends, name) for name in ("kafka", "postgres", "command")
    }
    place = DataDir(tmp_path / "data")
    place.path.mkdir()
    state = State(Running(1, 0.0))
    state.processes = {name: running(process) for name, process in processes.items()}
    place.write(state)

    assert place.end_orphans() == ["command", "postgres", "kafka"]

    assert [process.wait(DEADLINE_S) for process in processes.values()] == [0, 0, 0]
    assert ends.read_text().splitlines() == [
        f"command {signal.SIGTERM.value}",
        f"postgres {signal.SIGINT.value}",
        f"kafka {signal.SIGTERM.value}",
    ]


def test_a_reused_pid_is_not_an_orphan(tmp_path, start):
    somebody = start(NOTES_ITS_END, tmp_path / "ends", "somebody")
    place = DataDir(tmp_path)
    state = State(Running(1, 0.0))
    state.processes = {"kafka": Running(somebody.pid, started_at(somebody.pid) - 60)}
    place.write(state)

    assert place.end_orphans() == []
    assert somebody.poll() is None


def test_the_next_start_ends_what_is_left(tmp_path, start):
    first = DataDir(tmp_path)
    first.claim()
    orphan = start(NOTES_ITS_END, tmp_path / "logs", "kafka")
    state = State(Running(1, 0.0))
    state.processes = {"kafka": running(orphan)}
    first.write(state)
    release(first)

    DataDir(tmp_path).claim()

    assert orphan.wait(DEADLINE_S) == 0


def test_a_supervisor_that_has_ended_is_not_running(tmp_path, start):
    place = DataDir(tmp_path)
    supervisor = start(NOTES_ITS_END, tmp_path / "ends", "supervisor")
    place.write(State(running(supervisor)))
    assert place.is_running()

    supervisor.kill()

    deadline = time.monotonic() + DEADLINE_S
    while place.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.01)
