"""`orderlog status` and `orderlog down`, on a data dir whose processes are small ones of ours."""

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.data_dir import DataDir, Running, State
from runtime.embedded.child import free_port, started_at

DEADLINE_S = 20
NAMES = ("kafka", "postgres", "command", "projectors", "query")
WAITS = "import time; print(flush=True); time.sleep(60)"
STOPS_IN_ORDER = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print(flush=True)
signal.pause()
"""
PASSWORD = "it's $HOME; `x`"


@pytest.fixture
def start():
    processes: list[subprocess.Popen[str]] = []

    def run(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", program],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        process.stdout.readline()
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def running(process: "subprocess.Popen[str]") -> Running:
    return Running(process.pid, started_at(process.pid))


@pytest.fixture
def place(tmp_path, start) -> DataDir:
    """All processes are there, and none of them answers."""
    place = DataDir(tmp_path)
    state = State(
        running(start(STOPS_IN_ORDER)),
        command_url=f"http://127.0.0.1:{free_port()}",
        query_url=f"http://127.0.0.1:{free_port()}",
        kafka_bootstrap=f"127.0.0.1:{free_port()}",
        database_url=f"postgresql://o:{PASSWORD}@127.0.0.1:{free_port()}/orderlog",
        metrics_port=free_port(),
        is_ready=True,
    )
    state.processes = {name: running(start(WAITS)) for name in NAMES}
    place.write(state)
    return place


def test_facts_for_programs(orderlog, place):
    done = orderlog("status", "--data-dir", str(place.path), "-o", "json")

    facts = json.loads(done.stdout)
    state = place.read()
    assert done.returncode == 3
    assert facts["healthy"] is False
    assert facts["supervisor"] == state.supervisor.pid
    assert facts["processes"] == {
        name: {"pid": state.processes[name].pid, "state": "not ready"} for name in NAMES
    }
    assert facts["kafka_bootstrap"] == state.kafka_bootstrap


def test_a_process_that_is_down_is_told_apart_from_one_that_is_not_ready(orderlog, place):
    state = place.read()
    state.processes["kafka"] = Running(state.processes["kafka"].pid, 1.0)
    del state.processes["query"]
    place.write(state)

    facts = json.loads(orderlog("status", "--data-dir", str(place.path), "-o", "json").stdout)

    assert facts["processes"]["kafka"] == {"pid": None, "state": "down"}
    assert facts["processes"]["query"] == {"pid": None, "state": "down"}
    assert facts["processes"]["command"]["state"] == "not ready"


def test_the_environment_is_one_assignment_a_line_that_a_shell_reads(orderlog, place):
    printed = orderlog("status", "--data-dir", str(place.path), "-o", "env").stdout
    names = [line.partition("=")[0] for line in printed.splitlines()]
    shown = subprocess.run(
        ["sh", "-c", f'{printed}\nprintf "%s\\n" ' + " ".join(f'"${name}"' for name in names)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    state = place.read()
    assert dict(zip(names, shown.splitlines(), strict=True)) == {
        "ORDERLOG_COMMAND_URL": state.command_url,
        "ORDERLOG_QUERY_URL": state.query_url,
        "ORDERLOG_KAFKA_BOOTSTRAP": state.kafka_bootstrap,
        "ORDERLOG_DATABASE_URL": state.database_url,
    }
    assert shlex.split(printed)[0] == f"ORDERLOG_COMMAND_URL={state.command_url}"


def test_the_table_has_tabs_without_a_terminal(orderlog, place):
    done = orderlog("status", "--data-dir", str(place.path))

    head, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert head == ["process", "pid", "state"]
    assert [row[0] for row in rows] == list(NAMES)
    assert {row[2] for row in rows} == {"not ready"}


@pytest.mark.parametrize("form", ["text", "env", "json"])
def test_where_nothing_runs_nothing_is_printed(orderlog, tmp_path, form):
    done = orderlog("status", "--data-dir", str(tmp_path / "d"), "-o", form)

    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == (
        f"no stack is running on {tmp_path / 'd'}: start one with `orderlog dev`\n"
    )


def test_a_supervisor_that_was_killed_runs_nothing(orderlog, place):
    state = place.read()
    state.supervisor = Running(state.supervisor.pid, 1.0)
    place.write(state)

    assert orderlog("status", "--data-dir", str(place.path)).returncode == 3


def test_down_asks_the_supervisor_and_waits_for_it(orderlog, place):
    done = orderlog("down", "--data-dir", str(place.path))

    assert done.returncode == 0
    assert done.stderr == "stopped; nothing is lost\n"
    assert started_at(place.read().supervisor.pid) is None


def test_down_ends_what_a_killed_supervisor_left(orderlog, place):
    state = place.read()
    state.supervisor = Running(state.supervisor.pid, 1.0)
    place.write(state)

    done = orderlog("down", "--data-dir", str(place.path))
    again = orderlog("down", "--data-dir", str(place.path))

    assert done.returncode == again.returncode == 0
    assert done.stderr == ("ended what was left: query, projectors, command, postgres, kafka\n")
    assert [started_at(one.pid) for one in state.processes.values()] == [None] * 5
    assert again.stderr == f"nothing runs on {place.path}\n"


def test_down_does_not_wait_for_ever(orderlog, place, start, monkeypatch):
    monkeypatch.setattr("cli.status._DOWN_S", 0.2)
    deaf = start("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS)
    state = place.read()
    state.supervisor = running(deaf)
    place.write(state)

    done = orderlog("down", "--data-dir", str(place.path))

    assert done.returncode == 1
    assert "still stopping after 0.2 s" in done.stderr
    assert str(place.supervisor_log) in done.stderr


def test_the_data_stays(orderlog, place):
    Path(place.path / "kafka").mkdir()

    orderlog("down", "--data-dir", str(place.path))

    assert (place.path / "kafka").is_dir()


def test_a_signal_goes_to_no_other_process(orderlog, place, start):
    """The pid in the state is somebody else's now."""
    somebody = start(STOPS_IN_ORDER)
    state = place.read()
    state.supervisor = Running(somebody.pid, started_at(somebody.pid) - 60)
    state.processes = {"kafka": state.supervisor}
    place.write(state)

    orderlog("down", "--data-dir", str(place.path))

    assert somebody.poll() is None
    somebody.send_signal(signal.SIGTERM)
    assert somebody.wait(DEADLINE_S) == 0
