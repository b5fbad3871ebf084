"""How a verb ends when it is cut off: Ctrl-C, a reader that has enough, a fault nobody foresaw."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from cli import main as entry
from cli import topics
from cli.data_dir import DataDir, Running, State
from runtime.embedded.child import started_at

DEADLINE_S = 30


@pytest.fixture
def silent():
    """A listener that takes connections and never says a word; `connected` is set at the first."""
    connected = threading.Event()
    held = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            while True:
                try:
                    held.append(listener.accept())
                except OSError:
                    return
                connected.set()

        thread = threading.Thread(target=take)
        thread.start()
        yield listener.getsockname()[1], connected
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection, _ in held:
        connection.close()


@pytest.mark.parametrize(
    ("verb", "variable", "address"),
    [
        ("topics check", "ORDERLOG_KAFKA_BOOTSTRAP", "127.0.0.1:{port}"),
        ("migrate", "ORDERLOG_DATABASE_URL", "postgresql://o@127.0.0.1:{port}/o"),
        ("lag", "ORDERLOG_DATABASE_URL", "postgresql://o@127.0.0.1:{port}/o"),
        ("verify --all", "ORDERLOG_DATABASE_URL", "postgresql://o@127.0.0.1:{port}/o"),
        ("seed", "ORDERLOG_COMMAND_URL", "http://127.0.0.1:{port}"),
    ],
)
def test_ctrl_c_while_a_server_is_silent_is_130(silent, verb, variable, address):
    port, connected = silent
    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", *verb.split()],
        env={**os.environ, variable: address.format(port=port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert connected.wait(DEADLINE_S), process.communicate(timeout=DEADLINE_S)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert stdout == ""


@pytest.fixture
def closed_pipe():
    """The writing end of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("is_buffered", [True, False])
@pytest.mark.parametrize("words", ["--help", "status -o json --data-dir ."])
def test_a_reader_that_has_gone_is_no_fault(tmp_path, closed_pipe, words, is_buffered):
    DataDir(tmp_path).write(State(Running(os.getpid(), started_at(os.getpid()))))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}

    done = subprocess.run(
        [sys.executable, *([] if is_buffered else ["-u"]), "-m", "cli.main", *words.split()],
        cwd=tmp_path,
        env=environment,
        stdout=closed_pipe,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )

    assert done.stderr == ""
    assert done.returncode != 0


def raising(error: BaseException):
    def broken(_settings: object) -> None:
        raise error

    return broken


def test_a_fault_nobody_foresaw_is_one_sentence(orderlog, monkeypatch):
    monkeypatch.setattr(topics, "Topics", raising(RuntimeError("the disk sings")))

    done = orderlog("topics", "check")

    assert done.returncode == 1
    assert done.stderr == "orderlog: RuntimeError: the disk sings\n(ORDERLOG_DEBUG=1 shows where)\n"


def test_debug_shows_where_a_fault_is(monkeypatch):
    monkeypatch.setattr(topics, "Topics", raising(RuntimeError("the disk sings")))
    monkeypatch.setattr(sys, "argv", ["orderlog", "topics", "check"])
    monkeypatch.setenv("ORDERLOG_DEBUG", "1")

    with pytest.raises(RuntimeError, match="the disk sings"):
        entry.main()


def test_ctrl_c_before_a_verb_is_found_is_130_too(monkeypatch):
    def interrupted(_verb: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry, "application", interrupted)

    with pytest.raises(SystemExit) as ended:
        entry.main()

    assert ended.value.code == 130


@pytest.mark.parametrize("words", ["--help", "lag --help", "nosuchverb", "status --data-dir ."])
def test_without_a_terminal_there_are_no_colours(tmp_path, words):
    plain = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "GITHUB_ACTIONS"}}

    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words.split()],
        cwd=tmp_path,
        env={**plain, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
        capture_output=True,
        check=False,
        timeout=DEADLINE_S,
    )

    assert done.stdout + done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
